//! Outside crates: each is listed once in the root manifest, used by someone, and explained in `docs/dependencies.md`.
//!
//! Invariants: the root manifest is the only list; a page that explains what is not there fails too. Knows nothing of licences and
//! advisories: cargo-deny does.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::Findings;
use crate::workspace::Workspace;

const PAGE: &str = "docs/dependencies.md";

/// Crates that a manifest names without their name standing in its sources, and why.
const SILENT: &[(&str, &str)] = &[("proc-macro2", "gives syn the lines of what it parsed")];

pub(super) fn check(workspace: &Workspace, findings: &mut Findings) -> Result<()> {
    let listed = listed(&workspace.read("Cargo.toml")?);
    let explained = explained(&workspace.read(PAGE)?);
    for name in listed.difference(&explained) {
        findings.fail(format!("{name} has no row in {PAGE}"));
    }
    for name in explained.difference(&listed) {
        findings.fail(format!("{PAGE} explains {name}, which the workspace does not list"));
    }
    let mut used = BTreeSet::new();
    for package in workspace.packages() {
        check_package(workspace, package, &listed, &mut used, findings)?;
    }
    for name in listed.difference(&used) {
        findings.fail(format!("Cargo.toml lists {name}, which no crate uses"));
    }
    Ok(())
}

fn check_package(
    workspace: &Workspace,
    package: &Value,
    listed: &BTreeSet<String>,
    used: &mut BTreeSet<String>,
    findings: &mut Findings,
) -> Result<()> {
    let field = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let manifest = field(package, "manifest_path").context("a package without manifest")?;
    let folder = manifest.trim_end_matches("Cargo.toml");
    let shown = Path::new(&manifest).strip_prefix(&workspace.root).unwrap_or(Path::new(&manifest)).display();
    let mut sources = String::new();
    for path in workspace.rust_files(folder)? {
        sources.push_str(&workspace.read(path.to_str().context("a path that is no text")?)?);
    }
    let dependencies = package.get("dependencies").and_then(Value::as_array).context("no dependencies")?;
    for dependency in dependencies {
        let name = field(dependency, "name").context("a dependency without name")?;
        let outside = dependency.get("path").is_none_or(Value::is_null);
        if outside && !listed.contains(&name) {
            findings.fail(format!("{shown} names {name}, which the root Cargo.toml does not list"));
        }
        let called = field(dependency, "rename").unwrap_or_else(|| name.clone()).replace('-', "_");
        if !names(&sources, &called) && !SILENT.iter().any(|(silent, _)| *silent == name) {
            findings.fail(format!("{shown} names {name}, which its sources do not use"));
        }
        used.insert(name);
    }
    Ok(())
}

/// The outside crates below `[workspace.dependencies]`.
fn listed(manifest: &str) -> BTreeSet<String> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| !name.starts_with('#') && !name.starts_with("vestal"))
        .collect()
}

/// The crates that have a row of their own: `` | `name` | … ``.
fn explained(page: &str) -> BTreeSet<String> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|rest| rest.split_once('`'))
        .map(|(name, _)| name.to_owned())
        .collect()
}

fn names(sources: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    sources.match_indices(word).any(|(start, _)| {
        let before = sources.get(..start).and_then(|text| text.chars().next_back());
        let after = sources.get(start + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[cfg(test)]
mod tests {
    use super::{explained, listed, names};

    #[test]
    fn the_lists_of_manifest_and_page_are_read() {
        let manifest = "[workspace.dependencies]\nvestal-core = { path = \"x\" }\n\n# why\naes-siv = \"0.7\"\n[profile.dev]\nx = 1\n";
        let page = "| crate | for |\n|---|---|\n| `aes-siv` | names, in place of `x` |\n";
        assert_eq!(listed(manifest), explained(page));
    }

    #[test]
    fn a_crate_is_used_where_its_whole_name_stands() {
        for (text, expected) in
            [("use http::Uri;", true), ("use http_body;", false), ("use xhttp::Uri;", false)]
        {
            assert_eq!(names(text, "http"), expected, "{text}");
        }
    }
}
