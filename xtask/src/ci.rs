//! All checks, one after the other; what failed is told at the end.
//!
//! Invariants: a check that cannot run has failed. Tools that are no part of a Rust installation are built once, at the pinned
//! version, below `target/tools`. Knows nothing of what each check looks for.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{run, test, tidy};

const CARGO_DENY: (&str, &str) = ("cargo-deny", "0.20.2");
const CARGO_AUDIT: (&str, &str) = ("cargo-audit", "0.22.2");
/// Names a folder with the advisory database, for where no network reaches the original.
const ADVISORIES: &str = "VESTAL_ADVISORIES";

type Check = fn(&Workspace) -> Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("format", format),
    ("clippy", clippy),
    ("fuzz targets", fuzz_targets),
    ("deny", deny),
    ("advisories", advisories),
    ("tidy", tidy::run),
    ("documents", documents),
    ("tests", |workspace| test::run(workspace, &[])),
];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        println!("\n== {name}");
        if let Err(error) = check(workspace) {
            eprintln!("{name}: {error:#}");
            failed.push(*name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn format(workspace: &Workspace) -> Result<()> {
    run::run(workspace.cargo().args(["fmt", "--all", "--check"]))
}

fn clippy(workspace: &Workspace) -> Result<()> {
    run::run(workspace.cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// They are outside the workspace, for only the nightly compiler runs them; any compiler can check them.
fn fuzz_targets(workspace: &Workspace) -> Result<()> {
    const MANIFEST: [&str; 2] = ["--manifest-path", "fuzz/Cargo.toml"];
    run::run(workspace.cargo().arg("fmt").args(MANIFEST).arg("--check"))?;
    run::run(workspace.cargo().arg("clippy").args(MANIFEST).args(["--locked", "--", "-D", "warnings"]))
}

fn documents(workspace: &Workspace) -> Result<()> {
    run::run(workspace.cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn deny(workspace: &Workspace) -> Result<()> {
    let tool = tool(workspace, CARGO_DENY)?;
    run::run(
        Command::new(tool)
            .current_dir(&workspace.root)
            .args(["--all-features", "check", "--hide-inclusion-graph"])
            .args(["bans", "licenses", "sources"]),
    )
}

fn advisories(workspace: &Workspace) -> Result<()> {
    let tool = tool(workspace, CARGO_AUDIT)?;
    let mut audit = Command::new(tool);
    audit.current_dir(&workspace.root).args(["audit", "--deny=warnings"]);
    if let Some(database) = std::env::var_os(ADVISORIES) {
        // A relative path is the caller's, not the workspace's.
        let database = std::path::absolute(database)?;
        audit.args(["--no-fetch", "--stale", "--db"]).arg(database);
    }
    for id in excepted(&workspace.read("deny.toml")?) {
        audit.args(["--ignore", &id]);
    }
    run::run(&mut audit)
}

/// The advisories that `deny.toml` excepts by name: the one list of exceptions, for both tools.
fn excepted(deny: &str) -> Vec<String> {
    deny.lines()
        .filter_map(|line| line.trim().strip_prefix("{ id = \""))
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// A cargo tool of exactly this version, built below `target/tools` when it is not there yet.
fn tool(workspace: &Workspace, (name, version): (&str, &str)) -> Result<PathBuf> {
    let folder = workspace.target().join("tools");
    let program = folder.join("bin").join(name);
    let current = run::output(Command::new(&program).arg("--version"));
    if !current.is_ok_and(|line| line.split_whitespace().any(|word| word == version)) {
        run::run(
            workspace
                .cargo()
                .args(["install", "--locked", "--force", "--root"])
                .arg(&folder)
                .arg(format!("{name}@{version}")),
        )?;
    }
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::excepted;

    #[test]
    fn excepted_advisories_are_read_from_the_list_of_deny() {
        let text = "ignore = [\n    { id = \"RUSTSEC-2024-0384\", reason = \"a\" },\n    # { id = \"RUSTSEC-1\" }\n]\n";
        assert_eq!(excepted(text), ["RUSTSEC-2024-0384"]);
    }
}
