//! The direction of `use`: `cargo metadata` against the table below, and that against the one of the architecture page.
//!
//! Invariants: both tables say the same of who may use whom; the page may name more homes, in words. Dependencies of tests count for directions, not
//! for homes. Knows nothing of outside crates that have no home.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Findings;
use crate::workspace::Workspace;

/// One crate of the workspace: what it may use of the others, and which outside crates live only there.
struct Room {
    package: &'static str,
    may_use: &'static [&'static str],
    tests_may_use: &'static [&'static str],
    home_of: &'static [&'static str],
}

const EVERYTHING: &[&str] = &[
    "vestal",
    "vestal-crypto",
    "vestal-storage",
    "vestal-logical",
    "vestal-core",
    "vestal-hcl",
    "vestal-builtin",
    "vestal-oauth-engine",
    "vestal-http-api",
    "vestal-client",
    "vestal-demo-provider",
];

const ENGINE: &[&str] = &["vestal-logical", "vestal-storage", "vestal-crypto"];

const ROOMS: &[Room] = &[
    Room {
        package: "vestal-crypto",
        may_use: &[],
        tests_may_use: &[],
        home_of: &["chacha20poly1305", "argon2", "aes-siv"],
    },
    Room { package: "vestal-storage", may_use: &["vestal-crypto"], tests_may_use: &[], home_of: &["sled"] },
    Room {
        package: "vestal-logical",
        may_use: &["vestal-storage", "vestal-crypto"],
        tests_may_use: &[],
        home_of: &["matchit"],
    },
    Room {
        package: "vestal-core",
        may_use: &["vestal-logical", "vestal-hcl", "vestal-storage", "vestal-crypto"],
        tests_may_use: &[],
        home_of: &[],
    },
    Room { package: "vestal-hcl", may_use: &[], tests_may_use: &[], home_of: &[] },
    Room { package: "vestal-builtin", may_use: ENGINE, tests_may_use: &[], home_of: &[] },
    Room {
        package: "vestal-oauth-engine",
        may_use: ENGINE,
        // Its cases run against real flows.
        tests_may_use: &["vestal-demo-provider"],
        home_of: &["oauth2"],
    },
    Room {
        package: "vestal-http-api",
        // Of crypto only the secret types: a token stays one from the header on.
        may_use: &["vestal-core", "vestal-logical", "vestal-crypto"],
        // Its tests put an engine and a store below the server they speak to.
        tests_may_use: &["vestal-storage"],
        home_of: &[],
    },
    Room {
        package: "vestal-client",
        // Of crypto only the secret types.
        may_use: &["vestal-logical", "vestal-crypto"],
        tests_may_use: &[],
        home_of: &["reqwest"],
    },
    Room { package: "vestal-demo-provider", may_use: &[], tests_may_use: &[], home_of: &["axum", "tower"] },
    Room { package: "vestal", may_use: EVERYTHING, tests_may_use: &[], home_of: &["clap", "anyhow"] },
    Room { package: "vestal-testkit", may_use: EVERYTHING, tests_may_use: &[], home_of: &[] },
    Room { package: "vestal-xtask", may_use: &[], tests_may_use: &[], home_of: &["clap", "anyhow"] },
    Room { package: "vestal-e2e", may_use: &[], tests_may_use: &[], home_of: &[] },
];

/// Packages whose folder does not give them their name.
const OTHER_NAMES: &[(&str, &str)] = &[("vestal", "vestal"), ("tests", "vestal-e2e")];

const PAGE: &str = "docs/ARCHITECTURE.md";

pub(super) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<()> {
    check_page(&workspace.read(PAGE)?, findings);
    for package in workspace.packages() {
        check_package(package, findings)?;
    }
    Ok(())
}

/// The page's rows are `` | `folder` | duty | may use | sole home of | ``.
fn check_page(page: &str, findings: &mut Findings) {
    for room in ROOMS {
        let row = page.lines().find_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let folder = cells.next()?.split('`').next()?.trim_start_matches("crates/");
            (package_of(folder) == room.package).then_some(())?;
            Some((cells.nth(1)?, cells.next()?))
        });
        let Some((may_use, homes)) = row else {
            findings.fail(format!("{} has no row in {PAGE}", room.package));
            continue;
        };
        let mut listed: Vec<String> = match may_use {
            "–" => Vec::new(),
            "all" => EVERYTHING.iter().map(|name| (*name).to_owned()).collect(),
            some => some.split(", ").map(package_of).collect(),
        };
        let mut allowed = room.may_use.to_vec();
        listed.sort();
        allowed.sort_unstable();
        if listed != allowed {
            findings
                .fail(format!("{PAGE} lets {} use {listed:?}, tidy lets it use {allowed:?}", room.package));
        }
        for home in room.home_of.iter().filter(|home| !homes.contains(*home)) {
            findings.fail(format!("{PAGE} does not say that {} is the home of {home}", room.package));
        }
    }
}

fn package_of(folder: &str) -> String {
    let other = OTHER_NAMES.iter().find(|(other, _)| *other == folder);
    other.map_or_else(|| format!("vestal-{folder}"), |(_, name)| (*name).to_owned())
}

fn check_package(package: &Value, findings: &mut Findings) -> Result<()> {
    let name = text(package, "name")?;
    check_name(name, text(package, "manifest_path")?, findings);
    let Some(room) = ROOMS.iter().find(|room| room.package == name) else {
        findings.fail(format!("{name} has no row in xtask/src/tidy/directions.rs and docs/ARCHITECTURE.md"));
        return Ok(());
    };
    let dependencies = package.get("dependencies").and_then(Value::as_array).context("no dependencies")?;
    for dependency in dependencies {
        let used = text(dependency, "name")?;
        let by_tests = dependency.get("kind").and_then(Value::as_str) == Some("dev");
        if let Some(problem) = refused(room, used, by_tests) {
            findings.fail(problem);
        }
    }
    Ok(())
}

/// Why a room may not use a crate, if it may not.
fn refused(room: &Room, used: &str, by_tests: bool) -> Option<String> {
    let package = room.package;
    if used == package {
        return None;
    }
    if used == "vestal" || used.starts_with("vestal-") {
        let allowed = room.may_use.contains(&used) || (by_tests && room.tests_may_use.contains(&used));
        return (!allowed).then(|| format!("{package} may not use {used}"));
    }
    let homes: Vec<&str> =
        ROOMS.iter().filter(|room| room.home_of.contains(&used)).map(|room| room.package).collect();
    let stranger = !by_tests && !homes.is_empty() && !homes.contains(&package);
    stranger.then(|| format!("{package} may not use {used}, which lives in {}", homes.join(" and ")))
}

fn check_name(name: &str, manifest: &str, findings: &mut Findings) {
    let folder = Path::new(manifest).parent().and_then(Path::file_name).and_then(|folder| folder.to_str());
    let Some(folder) = folder else { return };
    let expected = package_of(folder);
    if name != expected {
        findings.fail(format!("the package in {folder}/ is called {name}, not {expected}"));
    }
}

fn text<'v>(value: &'v Value, field: &str) -> Result<&'v str> {
    value.get(field).and_then(Value::as_str).with_context(|| format!("cargo metadata has no {field}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Findings, ROOMS, check_package, check_page, refused};

    /// The page as it would be if it were made from the table.
    fn page() -> String {
        let rows = ROOMS.iter().map(|room| {
            let folder = match room.package {
                "vestal" => "crates/vestal",
                "vestal-e2e" => "tests",
                package => package.trim_start_matches("vestal-"),
            };
            let used: Vec<&str> =
                room.may_use.iter().map(|used| used.trim_start_matches("vestal-")).collect();
            let used = if used.is_empty() { "–".to_owned() } else { used.join(", ") };
            format!("| `{folder}` | Does it. | {used} | {} |\n", room.home_of.join(", "))
        });
        rows.collect()
    }

    #[test]
    fn a_page_that_says_something_else_is_found() {
        let page = page();
        for (from, to, failures) in [
            ("", "", 0),
            ("| `core` | Does it. | logical, hcl,", "| `core` | Does it. | logical, builtin, hcl,", 1),
            ("| sled |", "| – |", 1),
            ("| `hcl` |", "| `else` |", 1),
        ] {
            let mut findings = Findings::default();
            check_page(&page.replacen(from, to, 1), &mut findings);
            assert_eq!(findings.failures.len(), failures, "{from}: {:?}", findings.failures);
        }
    }

    #[test]
    fn arrows_point_down_and_outside_crates_stay_in_their_homes() {
        for (package, used, by_tests, allowed) in [
            ("vestal-core", "vestal-logical", false, true),
            ("vestal-core", "vestal-builtin", false, false),
            ("vestal-core", "vestal-builtin", true, false),
            ("vestal-logical", "vestal-core", false, false),
            ("vestal-storage", "sled", false, true),
            ("vestal-core", "sled", false, false),
            ("vestal-core", "sled", true, true),
            ("vestal-http-api", "axum", false, false),
            ("vestal-demo-provider", "axum", false, true),
            ("vestal", "axum", false, false),
            ("vestal-oauth-engine", "vestal-demo-provider", true, true),
            ("vestal-oauth-engine", "vestal-demo-provider", false, false),
            ("vestal-core", "serde", false, true),
        ] {
            let room = ROOMS.iter().find(|room| room.package == package).unwrap();
            assert_eq!(refused(room, used, by_tests).is_none(), allowed, "{package} -> {used}");
        }
    }

    #[test]
    fn a_package_that_is_misnamed_or_has_no_row_is_found() {
        for (name, folder, failures) in
            [("vestal-core", "crates/core", 0), ("core", "crates/core", 2), ("vestal-new", "crates/new", 1)]
        {
            let mut findings = Findings::default();
            let manifest = format!("/w/{folder}/Cargo.toml");
            let package = json!({ "name": name, "manifest_path": manifest, "dependencies": [] });
            check_package(&package, &mut findings).unwrap();
            assert_eq!(findings.failures.len(), failures, "{name}: {:?}", findings.failures);
        }
    }

    #[test]
    fn no_two_rooms_use_each_other() {
        for room in ROOMS {
            // "All" holds the package itself, whose programs use its library.
            for used in room.may_use.iter().filter(|used| **used != room.package) {
                let other = ROOMS.iter().find(|room| room.package == *used).unwrap();
                assert!(!other.may_use.contains(&room.package), "{} and {used}", room.package);
            }
        }
    }
}
