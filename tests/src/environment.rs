//! What `cargo xtask test` has put below `target/testenv`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process;

/// A program of the environment; what is not there ends the test with the way to get it.
fn found(relative: &str) -> PathBuf {
    let root = std::env::var_os("VESTAL_TESTENV")
        .expect("VESTAL_TESTENV is not set: these tests need stock clients, so run: cargo xtask test");
    let path = Path::new(&root).join(relative);
    assert!(path.exists(), "{} is missing: run cargo xtask test", path.display());
    path
}

/// The program under test.
pub fn vestal() -> PathBuf {
    found("bin/vestal")
}

/// The authorization server of the demonstration, which rotates and misbehaves as told.
pub fn demo_provider() -> PathBuf {
    found("bin/vestal-demo-provider")
}

/// The stock command line of OpenBao.
pub fn bao() -> PathBuf {
    found("python-newest/bin/bao")
}

/// A PATH on which the lines that are shown to people find `bao`, `python3` with hvac, and `vestal`.
pub fn path() -> OsString {
    let system = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        [found("python-newest/bin"), found("bin")].into_iter().chain(std::env::split_paths(&system));
    std::env::join_paths(folders).expect("folders without a colon")
}

/// Python with the newest hvac.
pub fn python_newest() -> PathBuf {
    found("python-newest/bin/python")
}

/// Python with hvac 0.11.2 and Flask.
pub fn python_oldest() -> PathBuf {
    found("python-oldest/bin/python")
}

/// The folder of npm's authorization server.
pub(crate) fn oidc_provider() -> PathBuf {
    found("oidc-provider")
}

/// A program of the story, in `tests/story`.
pub fn story(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("story").join(file)
}

/// A person opens an authorization link, logs in, consents, and reads the code in the address bar.
pub fn follow_link(url: &str, redirect: &str) -> Value {
    browse(&["link", url, redirect])
}

/// A person opens a web app, authorises it when asked, and reads the name it shows.
pub fn use_app(url: &str) -> Value {
    browse(&["app", url])
}

/// A person signs in at the demonstration's own provider, and reads where they end.
pub fn agree(url: &str) -> Value {
    browse(&["agree", url])
}

fn browse(arguments: &[&str]) -> Value {
    let said = process::say(Command::new(python_newest()).arg(story("browse.py")).args(arguments));
    serde_json::from_str(&said.ok()).expect("browse.py prints JSON")
}
