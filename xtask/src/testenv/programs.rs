//! The programs that the environment takes from the system: found on the PATH, or installed by Debian's package tool when this
//! user may.
//!
//! Invariants: whatever is missing is named together with the package that brings it. Knows nothing of what is done with them.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::run;

/// A program, the Debian packages that bring it, and how to see that it is there.
struct Wanted {
    program: &'static str,
    packages: &'static [&'static str],
    proof: &'static [&'static str],
}

const WANTED: &[Wanted] = &[
    Wanted {
        program: "python3",
        packages: &["python3", "python3-venv"],
        proof: &["-c", "import ensurepip, venv"],
    },
    Wanted { program: "node", packages: &["nodejs"], proof: &["--version"] },
    Wanted { program: "npm", packages: &["npm"], proof: &["--version"] },
    Wanted { program: "chromium", packages: &["chromium"], proof: &["--version"] },
    Wanted { program: "chromedriver", packages: &["chromium-driver"], proof: &["--version"] },
    // The demonstration prints lines for it, and a test pastes them.
    Wanted { program: "curl", packages: &["curl"], proof: &["--version"] },
    // What cuts the power under a store.
    Wanted { program: "mkfs.ext4", packages: &["e2fsprogs"], proof: &["-V"] },
    Wanted { program: "mount", packages: &["mount"], proof: &["--version"] },
    Wanted { program: "umount", packages: &["mount"], proof: &["--version"] },
    Wanted { program: "fsfreeze", packages: &["util-linux"], proof: &["--version"] },
];

pub(crate) fn require() -> Result<()> {
    let missing: Vec<&Wanted> = WANTED.iter().filter(|wanted| !wanted.present()).collect();
    if !missing.is_empty() {
        let packages: Vec<&str> = missing.iter().flat_map(|wanted| wanted.packages).copied().collect();
        install(&packages).with_context(|| explain(&missing, &packages))?;
        let still: Vec<&Wanted> = missing.into_iter().filter(|wanted| !wanted.present()).collect();
        if !still.is_empty() {
            bail!("{}", explain(&still, &packages));
        }
    }
    same_browser()
}

impl Wanted {
    fn present(&self) -> bool {
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        // Where Debian keeps what only root uses; others need not have it on their PATH.
        path.push(":/usr/sbin:/sbin");
        Command::new(self.program)
            .args(self.proof)
            .env("PATH", path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

fn explain(missing: &[&Wanted], packages: &[&str]) -> String {
    let names: Vec<&str> = missing.iter().map(|wanted| wanted.program).collect();
    format!("the tests need `{}`; on Debian: apt-get install {}", names.join("`, `"), packages.join(" "))
}

fn install(packages: &[&str]) -> Result<()> {
    if run::find("apt-get").is_none() {
        bail!("this system has no apt-get, so they cannot be installed from here");
    }
    if run::output(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("only root may install system packages, and this user is not root");
    }
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet=2");
        apt
    };
    run::run(apt().arg("update"))?;
    run::run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

/// A driver steers only the browser of its own major version.
fn same_browser() -> Result<()> {
    let browser = run::output(Command::new("chromium").arg("--version"))?;
    let driver = run::output(Command::new("chromedriver").arg("--version"))?;
    if major(&browser) == major(&driver) && major(&browser).is_some() {
        return Ok(());
    }
    bail!(
        "`chromium` and `chromedriver` are of different versions and cannot work together; \
         on Debian: apt-get install chromium chromium-driver"
    )
}

/// The first number with dots in a version line.
fn major(version: &str) -> Option<&str> {
    version.split_whitespace().find_map(|word| word.split_once('.')).map(|(major, _)| major)
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read_from_what_browsers_and_drivers_print() {
        for (line, expected) in [
            ("Chromium 156.0.8078.79 built on Debian GNU/Linux 12 (bookworm)", Some("156")),
            ("ChromeDriver 156.0.8078.79 (a21ce95c-refs/branch-heads/8078@{#1704})", Some("156")),
            ("nothing", None),
        ] {
            assert_eq!(major(line), expected, "{line}");
        }
    }
}
