//! Words and names that have no place in the product: unfinished work, names that name nothing, and calls that only few places
//! may make.
//!
//! Invariants: tests are not read. Knows nothing of style that clippy checks.

use anyhow::Result;
use syn::visit::{self, Visit};

use super::Findings;
use super::source::Source;
use crate::workspace::Workspace;

/// Split, so that this list does not find itself.
const UNFINISHED: &[&str] = &[
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
    concat!("dbg", "!"),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

const EMPTY_NAMES: &[&str] = &["Manager", "Helper", "Util"];

/// A call, and where it may stand.
struct Guarded {
    call: &'static str,
    places: &'static [&'static str],
    reason: &'static str,
}

const GUARDED: &[Guarded] = &[Guarded {
    call: concat!("Sealed::", "read_back("),
    places: &[
        "crates/storage/src/physical/",
        "crates/storage/src/log/",
        "crates/storage/src/export",
        "crates/storage/src/rebuild",
        "crates/storage/src/testing/",
        // The wrapped root key is sealed bytes inside the clear seal configuration.
        "crates/core/src/seal/stored.rs",
    ],
    reason: "only what reads bytes back from a store may call bytes sealed",
}];

pub(super) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<()> {
    for source in Source::production(workspace)? {
        read(&source, findings);
    }
    Ok(())
}

fn read(source: &Source, findings: &mut Findings) {
    let path = &source.path;
    for (number, line) in source.lines() {
        for word in UNFINISHED.iter().filter(|word| has_word(line, word)) {
            findings.fail(format!("{path}:{number}: `{word}` is unfinished work"));
        }
        for guarded in GUARDED.iter().filter(|guarded| calls(line, guarded.call)) {
            if !guarded.places.iter().any(|place| path.starts_with(place)) {
                findings.fail(format!("{path}:{number}: `{}…)`: {}", guarded.call, guarded.reason));
            }
        }
    }
    let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".rs");
    if stem.split('_').any(|word| EMPTY_NAMES.iter().any(|empty| plural(word, &empty.to_lowercase()))) {
        findings.fail(format!("{path}: name the thing, not its kind"));
    }
    Names { source, findings }.visit_file(&source.syntax);
}

fn calls(line: &str, call: &str) -> bool {
    !line.trim_start().starts_with("//") && line.contains(call)
}

fn plural(word: &str, singular: &str) -> bool {
    word == singular || word.strip_suffix('s') == Some(singular)
}

/// A word that is not part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + word.len()..).and_then(|text| text.chars().next());
        let open = !word.ends_with(|c: char| c.is_alphanumeric());
        !before.is_some_and(part) && (open || !after.is_some_and(part))
    })
}

struct Names<'a> {
    source: &'a Source,
    findings: &'a mut Findings,
}

impl Names<'_> {
    fn check(&mut self, name: &syn::Ident) {
        let line = name.span().start().line;
        let text = name.to_string();
        if !self.source.in_test(line) && EMPTY_NAMES.iter().any(|empty| text.contains(empty)) {
            self.findings
                .fail(format!("{}:{line}: `{text}`: name the thing, not its kind", self.source.path));
        }
    }
}

impl<'ast> Visit<'ast> for Names<'_> {
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.check(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.check(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.check(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.check(&item.ident);
        visit::visit_item_type(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, Source, read};

    #[test]
    fn unfinished_work_empty_names_and_misplaced_calls_are_found() {
        for (path, text, failures) in [
            ("crates/core/src/a.rs", "fn f() { todo!() }", 1),
            ("crates/core/src/a.rs", "// FIXME later\nfn f() {}", 1),
            ("crates/core/src/a.rs", "// the XXXL size, todos and FIXMEs\nfn f() {}", 0),
            ("crates/core/src/a.rs", "struct TokenManager;", 1),
            ("crates/core/src/a.rs", "enum Utility {}", 1),
            ("crates/core/src/token_utils.rs", "fn f() {}", 1),
            ("crates/core/src/a.rs", "fn f() { Sealed::read_back(bytes); }", 1),
            ("crates/core/src/a.rs", "/// [`Sealed::read_back(bytes)`]\nfn f() {}", 0),
            ("crates/storage/src/physical/memory.rs", "fn f() { Sealed::read_back(bytes); }", 0),
            ("crates/core/src/a.rs", "#[cfg(test)]\nmod tests { struct FakeManager; fn f() { todo!() } }", 0),
        ] {
            let mut findings = Findings::default();
            read(&Source::parse(text.to_owned(), path.to_owned()).unwrap(), &mut findings);
            assert_eq!(findings.failures.len(), failures, "{path}: {text}: {:?}", findings.failures);
        }
    }
}
