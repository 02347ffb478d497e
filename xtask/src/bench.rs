//! Speed and memory next to OpenBao's, with the program as it ships.

use anyhow::Result;

use crate::test::{Profile, keep_programs};
use crate::workspace::Workspace;
use crate::{run, testenv};

pub(crate) fn run(workspace: &Workspace, flags: &[String]) -> Result<()> {
    let environment = testenv::prepare(workspace)?;
    keep_programs(workspace, &environment, Profile::Release)?;
    let mut bench = workspace.cargo();
    bench.args(["run", "--quiet", "--package", "vestal-e2e", "--bin", "bench", "--"]).args(flags);
    run::run(bench.env("VESTAL_TESTENV", &environment))
}
