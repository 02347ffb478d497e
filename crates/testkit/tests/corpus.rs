//! The corpus of the fuzz targets, replayed by the ordinary tests: what once was found is never found again.
#![expect(clippy::expect_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vestal::config::Config;
use vestal_http_api::Limits;
use vestal_logical::Request;
use vestal_testkit::fuzz::{self, NARROW, TARGETS};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The names in a folder, without endings.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|_| panic!("{} is missing", folder.display()));
    entries
        .map(|entry| {
            entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned()
        })
        .collect()
}

fn input(target: &str, name: &str) -> Vec<u8> {
    let path = folder().join("corpus").join(target).join(name);
    std::fs::read(&path).unwrap_or_else(|_| panic!("{} is missing", path.display()))
}

#[test]
fn every_parser_survives_its_corpus() {
    for (name, target) in TARGETS {
        let inputs = names(&folder().join("corpus").join(name));
        assert!(!inputs.is_empty(), "fuzz/corpus/{name} is empty");
        for file in inputs {
            let bytes = input(name, &file);
            target(&bytes);
            for end in 0..bytes.len().min(256) {
                target(&bytes[..end]);
            }
        }
    }
}

#[test]
fn every_target_has_its_program_and_every_program_its_target() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).expect("the manifest of fuzz");
    let programs = manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next());
    assert_eq!(programs.map(str::to_owned).collect::<BTreeSet<_>>(), targets, "fuzz/Cargo.toml");
    assert_eq!(names(&folder().join("fuzz_targets")), targets, "fuzz/fuzz_targets");
    assert_eq!(names(&folder().join("corpus")), targets, "fuzz/corpus");
}

#[test]
fn the_inputs_of_configuration_reach_what_they_are_named_for() {
    for name in names(&folder().join("corpus/configuration")) {
        let text = String::from_utf8(input("configuration", &name)).expect("text");
        let read = Config::parse(&text, |address| Ok(address.parse().ok()));
        let accepted = ["everything", "json", "listener"].contains(&name.as_str());
        assert_eq!(read.is_ok(), accepted, "{name}: {:?}", read.err());
        assert!(accepted || name == "labels" || text.contains("hunter2"), "{name} plants nothing");
    }
}

/// An input that reaches less than its name says is a seed of nothing.
#[test]
fn the_inputs_of_http_reach_what_they_are_named_for() {
    let read = |name: &str, limits: &Limits| {
        fuzz::request(&input("http", name), limits).unwrap_or_else(|| panic!("no client can send {name}"))
    };
    let wide = Limits::default();
    let sent = |name: &str| -> Request { read(name, &wide).unwrap_or_else(|_| panic!("{name} is refused")) };
    assert_eq!(Value::Object(sent("form").data), json!({"a": "b,c", "d": "  "}));
    assert_eq!(Value::Object(sent("form_of_json").data), json!({"a": "b"}));
    assert_eq!(Value::Object(sent("patch").data), json!({"a": null}));
    assert!(sent("token").token.is_some() && sent("bearer").token.is_some());
    assert!(sent("wrap").wrap.is_some());
    assert_eq!(sent("namespace").path, "a");
    for refused in ["form_broken", "wrap_unit", "namespace_other", "cut", "json_too_deep"] {
        assert!(read(refused, &wide).is_err(), "{refused} is accepted");
    }
    assert!(read("json_deepest", &wide).is_ok());
    let narrow = Limits { json: NARROW, ..wide };
    for bound in ["json_depth", "json_strings", "json_memory", "form_members"] {
        assert!(read(&format!("{bound}_most"), &narrow).is_ok(), "{bound}: the most is refused");
        assert!(read(&format!("{bound}_over"), &narrow).is_err(), "{bound}: one more is accepted");
        assert!(read(&format!("{bound}_over"), &wide).is_ok(), "{bound}: refused for something else");
    }
}
