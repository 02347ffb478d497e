//! The power-cut loop: a store under load, its disk copied as a power cut would leave it, and every acknowledged write looked for.
//!
//! The store lies on an ext4 of its own, on a loop device over an image file, which lies on a second ext4. Freezing that outer
//! file system stops the inner one's disk in the middle of whatever it is doing, so the copy taken then is what a cut of the
//! power leaves (the disk's own cache is taken to survive). Mounting the copy replays the journal. Each round goes on from the
//! copy of the round before.
//!
//! With `--kill` the writer is killed instead. The tests below fall back to that where no power can be cut, and say so; in CI
//! they fail instead, for there nobody reads what they say. Invariants: what is printed before the
//! freeze ends counts as acknowledged. Knows nothing of how the store works.

mod rig;
mod writer;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;

use self::rig::Stage;
use self::writer::Writer;
use crate::run;
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Flags {
    /// How many cuts for each kind of values
    #[arg(long, default_value_t = 40)]
    rounds: u32,
    /// small (0.6-1.8 KB), large (10-29 KB), mixed (0.6 KB-1 MiB), big-store (60,000 records), or all
    #[arg(long, default_value = "all")]
    values: String,
    /// Where in the load the cuts come
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Kill the writer instead of cutting the power; needs no root
    #[arg(long)]
    kill: bool,
}

const KINDS: [&str; 4] = ["small", "large", "mixed", "big-store"];

/// What the rounds of one kind came to.
#[derive(Default)]
struct Tally {
    acknowledged: usize,
    lost: u64,
    rebuilt: u32,
    rounds: u32,
}

pub(crate) fn run(workspace: &Workspace, flags: &Flags) -> Result<()> {
    let program = build(workspace)?;
    let folder = workspace.target().join("cut");
    let kinds: Vec<&str> =
        KINDS.into_iter().filter(|kind| flags.values == "all" || flags.values == *kind).collect();
    if kinds.is_empty() {
        bail!("`--values` is one of {} or all", KINDS.join(", "));
    }
    let mut failed = false;
    for kind in kinds {
        let stage = if flags.kill { Stage::plain(&folder)? } else { Stage::cut(&folder)? };
        let tally = rounds(&program, stage, kind, flags)?;
        println!(
            "{kind}: {} rounds, {} acknowledged, {} lost, {} rebuilt",
            tally.rounds, tally.acknowledged, tally.lost, tally.rebuilt
        );
        failed |= tally.lost > 0;
    }
    if failed {
        bail!("acknowledged writes were lost");
    }
    Ok(())
}

fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo.args(["build", "--quiet", "--package", "vestal-storage", "--example", "cut_writer"]);
    run::run(&mut cargo)?;
    Ok(workspace.target().join("debug/examples/cut_writer"))
}

fn rounds(program: &Path, mut stage: Stage, kind: &str, flags: &Flags) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut random = flags.seed;
    let acknowledged = stage.file("acknowledged");
    let found = stage.file("found");
    std::fs::write(&found, "")?;
    for round in 1..=flags.rounds {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Large values are slower: a cut in their first hundreds is as deep in their life as one in thousands of small ones.
        let most = if kind == "small" || kind == "big-store" { 6000 } else { 1500 };
        let wanted = 50 + usize::try_from((random >> 33) % most)?;
        let mut writer = Writer::start(program, &stage.store(), kind, &found)?;
        writer.wait_for(wanted)?;
        let lines = stage.strike(writer)?;
        let before = std::fs::read_to_string(&found)?;
        std::fs::write(&acknowledged, before + &lines)?;
        let figures = check(program, &stage.left()?, kind, &acknowledged, &found)
            .with_context(|| format!("{kind}, round {round}: the store does not open"))?;
        let count = lines.lines().count();
        println!("{kind} {round}: {count} acknowledged, {figures}");
        tally.rounds += 1;
        tally.acknowledged += count;
        tally.rebuilt += u32::from(figures.contains("rebuilt"));
        tally.lost += lost(&figures);
        stage.go_on()?;
    }
    tally.lost += harms(program, &mut stage, kind)?;
    Ok(tally)
}

fn check(program: &Path, store: &Path, kind: &str, acknowledged: &Path, found: &Path) -> Result<String> {
    let mut check = std::process::Command::new(program);
    check.arg("check").arg(store).arg(kind).arg(acknowledged).arg(found);
    Ok(run::output(&mut check)?.trim_end().to_owned())
}

/// How many writes the figures of a check say are lost.
fn lost(figures: &str) -> u64 {
    figures.split(' ').next().and_then(|lost| lost.parse().ok()).unwrap_or(1)
}

/// After the cuts: sled's directory is deleted, truncated, filled with noise, and everything is still served.
fn harms(program: &Path, stage: &mut Stage, kind: &str) -> Result<u64> {
    let (known, found) = (stage.file("found"), stage.file("found-after-harm"));
    let store = stage.left()?;
    let sled = store.join("sled");
    let mut sum = 0;
    for harm in ["deleted", "truncated", "filled with noise"] {
        match harm {
            "deleted" => std::fs::remove_dir_all(&sled)?,
            _ => {
                for entry in std::fs::read_dir(&sled)? {
                    let path = entry?.path();
                    let length = usize::try_from(std::fs::metadata(&path)?.len())?;
                    match harm {
                        _ if path.is_dir() => {}
                        "truncated" => {
                            std::fs::File::options().write(true).open(&path)?.set_len(length as u64 / 3)?;
                        }
                        _ => std::fs::write(&path, noise(length))?,
                    }
                }
            }
        }
        let figures = check(program, &store, kind, &known, &found)
            .with_context(|| format!("{kind}, sled {harm}: the store does not open"))?;
        println!("{kind}, sled {harm}: {figures}");
        sum += lost(&figures);
    }
    Ok(sum)
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    (0..length.div_ceil(8)).flat_map(|_| next()).take(length).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tempfile::TempDir;

    use super::*;

    /// A folder of its own for each test, so that two runs in one checkout do not meet; on the disk, for memory cannot be
    /// cut.
    fn folder(workspace: &Workspace) -> TempDir {
        std::fs::create_dir_all(workspace.target()).unwrap();
        tempfile::Builder::new().prefix("cut-").tempdir_in(workspace.target()).unwrap()
    }

    /// Whether power can be cut here.
    fn can_cut() -> bool {
        let Some(obstacle) = Stage::obstacle() else { return true };
        assert!(!ci(), "no power can be cut here: {obstacle}");
        println!("no power is cut here: {obstacle}");
        false
    }

    fn ci() -> bool {
        std::env::var("CI").is_ok_and(|ci| !ci.is_empty() && ci != "false")
    }

    /// The loop would prove nothing if the copy held what the store never made durable.
    #[test]
    fn what_was_never_synced_is_not_in_the_copy() {
        if !can_cut() {
            return;
        }
        let folder = folder(&Workspace::find().unwrap());
        let mut stage = Stage::cut(folder.path()).unwrap();
        let inner = stage.store().parent().unwrap().to_owned();
        let mut synced = std::fs::File::create(inner.join("synced")).unwrap();
        synced.write_all(b"synced").unwrap();
        synced.sync_all().unwrap();
        std::fs::File::open(&inner).unwrap().sync_all().unwrap();
        std::fs::write(inner.join("unsynced"), b"unsynced").unwrap();
        synced.write_all(b", and more").unwrap();
        stage.cut_now(|| ()).unwrap();
        let left = stage.left().unwrap().parent().unwrap().to_owned();
        assert_eq!(std::fs::read(left.join("synced")).unwrap(), b"synced");
        assert!(std::fs::read(left.join("unsynced")).is_err(), "it was in memory only");
    }

    #[test]
    fn two_cuts_of_each_kind_lose_nothing() {
        let workspace = Workspace::find().unwrap();
        let program = build(&workspace).unwrap();
        let folder = folder(&workspace);
        let kill = !can_cut();
        for kind in ["small", "mixed"] {
            let flags = Flags { rounds: 2, values: kind.to_owned(), seed: 7, kill };
            let stage =
                if flags.kill { Stage::plain(folder.path()) } else { Stage::cut(folder.path()) }.unwrap();
            let tally = rounds(&program, stage, kind, &flags).unwrap();
            assert_eq!((tally.rounds, tally.lost), (2, 0), "{kind}");
            assert!(tally.acknowledged > 100, "{kind}: the writer was not under load");
        }
    }
}
