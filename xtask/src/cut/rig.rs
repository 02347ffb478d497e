//! The disks of the loop: image files, loop devices, mounts, the freeze.
//!
//! Invariants: whatever was mounted or frozen is let go when its owner is dropped. Knows nothing of the store.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::writer::Writer;
use crate::run;

/// Sizes of the two image files; both are sparse.
const INNER: &str = "3G";
const OUTER: &str = "5G";

/// A mounted file system on a loop device.
struct Mount {
    folder: PathBuf,
}

impl Mount {
    fn new(image: &Path, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        run::output(Command::new("mount").args(["-o", "loop"]).arg(image).arg(folder))?;
        Ok(Self { folder: folder.to_owned() })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run::output(Command::new("umount").arg(&self.folder));
    }
}

/// A file system that is frozen as long as this lives.
struct Frozen<'a>(&'a Path);

impl<'a> Frozen<'a> {
    fn new(folder: &'a Path) -> Result<Self> {
        run::output(Command::new("fsfreeze").arg("--freeze").arg(folder))?;
        Ok(Self(folder))
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        let _ = run::output(Command::new("fsfreeze").arg("--unfreeze").arg(self.0));
    }
}

/// The two file systems, one on the other. Fields are let go in this order.
pub(super) struct Rig {
    checked: Option<Mount>,
    inner: Option<Mount>,
    outer: Mount,
    folder: PathBuf,
}

impl Rig {
    fn new(folder: &Path) -> Result<Self> {
        let outer_image = folder.join("outer.img");
        make_file_system(&outer_image, OUTER)?;
        let outer = Mount::new(&outer_image, &folder.join("outer"))?;
        let mut rig = Self { checked: None, inner: None, outer, folder: folder.to_owned() };
        make_file_system(&rig.image(), INNER)?;
        rig.mount_inner()?;
        Ok(rig)
    }

    fn image(&self) -> PathBuf {
        self.outer.folder.join("inner.img")
    }

    fn copy(&self) -> PathBuf {
        self.folder.join("cut.img")
    }

    fn mount_inner(&mut self) -> Result<()> {
        self.inner = Some(Mount::new(&self.image(), &self.folder.join("inner"))?);
        Ok(())
    }
}

fn make_file_system(image: &Path, size: &str) -> Result<()> {
    let _ = std::fs::remove_file(image);
    run::output(Command::new("truncate").args(["--size", size]).arg(image))?;
    run::output(Command::new("mkfs.ext4").args(["-q", "-J", "size=32"]).arg(image))?;
    Ok(())
}

fn copy_image(from: &Path, to: &Path) -> Result<()> {
    run::output(Command::new("cp").arg("--sparse=auto").arg(from).arg(to)).map(drop)
}

/// Where a writer writes, and how it is struck.
pub(super) struct Stage {
    folder: PathBuf,
    rig: Option<Rig>,
}

impl Stage {
    /// Why this process cannot cut power, if it cannot.
    #[cfg(test)]
    pub(super) fn obstacle() -> Option<&'static str> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        if !may_mount(&status) {
            return Some("this process may not mount (it needs root, or the capability CAP_SYS_ADMIN)");
        }
        (!Path::new("/dev/loop-control").exists()).then_some("there are no loop devices")
    }

    /// Power cuts, on file systems of our own below `folder`.
    pub(super) fn cut(folder: &Path) -> Result<Self> {
        make_empty(folder)?;
        let rig = Rig::new(folder)
            .context("power cuts need root, loop devices and mount; `--kill` needs none of them")?;
        Ok(Self { folder: folder.to_owned(), rig: Some(rig) })
    }

    /// Kills only, in `folder` itself.
    pub(super) fn plain(folder: &Path) -> Result<Self> {
        make_empty(folder)?;
        println!("the writer is killed; no power is cut");
        Ok(Self { folder: folder.to_owned(), rig: None })
    }

    /// A file of the loop's own.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The store that is written to.
    pub(super) fn store(&self) -> PathBuf {
        self.folder.join(if self.rig.is_some() { "inner/store" } else { "store" })
    }

    /// Ends the writer by a power cut or a kill, and says what it had acknowledged.
    pub(super) fn strike(&mut self, mut writer: Writer) -> Result<String> {
        if self.rig.is_none() {
            return writer.kill();
        }
        // Nothing that needs the disk can have been acknowledged since the freeze, so all of it must be in the copy.
        let lines = self.cut_now(|| writer.acknowledged())?;
        writer.kill()?;
        if let Some(rig) = &mut self.rig {
            rig.inner = None;
        }
        Ok(lines)
    }

    /// Copies the disk in the middle of whatever it is doing; `while_frozen` is called before it goes on.
    pub(super) fn cut_now<T>(&mut self, while_frozen: impl FnOnce() -> T) -> Result<T> {
        let rig = self.rig.as_ref().context("there is no disk of our own")?;
        let _frozen = Frozen::new(&rig.outer.folder)?;
        copy_image(&rig.image(), &rig.copy())?;
        Ok(while_frozen())
    }

    /// What the strike left, to be looked at.
    pub(super) fn left(&mut self) -> Result<PathBuf> {
        let Some(rig) = &mut self.rig else { return Ok(self.store()) };
        rig.checked = Some(Mount::new(&rig.copy(), &rig.folder.join("checked"))?);
        Ok(rig.folder.join("checked/store"))
    }

    /// Makes what was looked at the store of the next round.
    pub(super) fn go_on(&mut self) -> Result<()> {
        let Some(rig) = &mut self.rig else { return Ok(()) };
        rig.checked = None;
        copy_image(&rig.copy(), &rig.image())?;
        rig.mount_inner()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let large = self.rig.take().map(|rig| [rig.copy(), rig.folder.join("outer.img")]);
        for image in large.into_iter().flatten() {
            let _ = std::fs::remove_file(image);
        }
    }
}

/// Whether the effective capabilities hold `CAP_SYS_ADMIN`. Root in a container often lacks it.
#[cfg(test)]
fn may_mount(status: &str) -> bool {
    const SYS_ADMIN: u64 = 1 << 21;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .is_some_and(|all| all & SYS_ADMIN != 0)
}

/// An empty folder; what an earlier run that was killed left mounted is let go first.
fn make_empty(folder: &Path) -> Result<()> {
    for mounted in ["checked", "inner", "outer"] {
        let mounted = folder.join(mounted);
        if mounted.exists() {
            let _ = Command::new("fsfreeze").arg("--unfreeze").arg(&mounted).output();
            let _ = Command::new("umount").arg(&mounted).output();
        }
    }
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::may_mount;

    #[test]
    fn root_without_the_capability_may_not_mount() {
        for (status, expected) in [
            ("Name:\tx\nCapEff:\t000001ffffffffff\n", true),
            ("Name:\tx\nCapEff:\t00000000a80425fb\n", false),
            ("Name:\tx\n", false),
        ] {
            assert_eq!(may_mount(status), expected, "{status}");
        }
    }
}
