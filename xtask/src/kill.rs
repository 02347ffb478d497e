//! The kill loop, with the program as it ships.

use anyhow::Result;

use crate::test::{Profile, keep_programs};
use crate::workspace::Workspace;
use crate::{run, testenv};

pub(crate) fn run(workspace: &Workspace, flags: &[String]) -> Result<()> {
    let environment = testenv::folder(workspace);
    keep_programs(workspace, &environment, Profile::Release)?;
    let mut kill = workspace.cargo();
    kill.args(["run", "--quiet", "--package", "vestal-e2e", "--bin", "kill-loop", "--"]).args(flags);
    run::run(kill.env("VESTAL_TESTENV", &environment))
}
