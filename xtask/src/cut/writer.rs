//! The process that writes, and what it said was acknowledged.
//!
//! Invariants: it is killed when it is dropped.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

use anyhow::{Context, Result, bail};

pub(super) struct Writer {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl Writer {
    /// Starts writing into `store`, whose keys are at the versions that `baseline` lists.
    pub(super) fn start(program: &Path, store: &Path, kind: &str, baseline: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("write")
            .arg(store)
            .arg(kind)
            .arg(baseline)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let output = child.stdout.take().context("the writer has no output")?;
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        let writer = Self { child, lines, said: String::new() };
        match writer.lines.recv() {
            Ok(line) if line == "ready" => Ok(writer),
            _ => bail!("the writer did not open the store"),
        }
    }

    /// Waits for so many acknowledgements.
    pub(super) fn wait_for(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let line = self.lines.recv().context("the writer ended by itself")?;
            self.said.push_str(&line);
            self.said.push('\n');
        }
        Ok(())
    }

    /// What was acknowledged until now.
    pub(super) fn acknowledged(&mut self) -> String {
        for line in self.lines.try_iter() {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        self.said.clone()
    }

    /// Kills it and reads what it had still said.
    pub(super) fn kill(mut self) -> Result<String> {
        self.child.kill()?;
        self.child.wait()?;
        while let Ok(line) = self.lines.recv() {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        Ok(std::mem::take(&mut self.said))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
