//! Speed and memory, next to OpenBao's, on this machine and in one run.
//!
//! Both servers run all the time and are asked in turn, pass by pass, so that what else the machine does falls on both. Medians
//! of the passes are shown and their ratios; nothing is asserted but that every answer is the expected one.

mod contender;
mod credentials;
mod idle;
mod load;
mod report;
mod usage;
mod wire;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

pub use report::Report;

use crate::environment;
use crate::process::say;
use contender::Contender;
use credentials::Credentials;
use load::{Load, Pass};
use report::Row;
use wire::Ask;

/// How long to measure, and what.
#[derive(Debug, Clone)]
pub struct Plan {
    pub passes: usize,
    /// Of each pass.
    pub seconds: u64,
    /// Only questions whose name holds this.
    pub only: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self { passes: 5, seconds: 2, only: String::new() }
    }
}

const CONNECTIONS: [usize; 2] = [1, 16];
/// A goal of the product: so many times OpenBao's kv v2 read.
const GOAL: f64 = 3.0;
const READS: usize = 200_000;
const WRITES: usize = 20_000;
/// Each of them stays, as a token and in memory.
const TOKENS: usize = 4_000;

/// One kind of question, as it is put to each.
struct Question {
    what: &'static str,
    goal: Option<f64>,
    count: usize,
    vestal: Arc<[Ask]>,
    openbao: Arc<[Ask]>,
}

/// Measures everything and tells it. Panics when an answer is not the expected one.
pub fn run(plan: &Plan) -> Report {
    let folder = TempDir::with_prefix("vestal-bench-").expect("a temporary folder");
    let machine = usage::machine();
    let versions = [environment::vestal(), contender::bao()].map(|program| {
        let said = say(Command::new(program).arg("version")).ok();
        said.lines().next().unwrap_or_default().to_owned()
    });
    eprintln!("at rest ...");
    let idle_vestal = idle::measure(&environment::vestal(), folder.path(), 5);
    let idle_openbao = idle::measure(&contender::bao(), folder.path(), 3);

    eprintln!("setting up both servers ...");
    let vestal = Contender::vestal(folder.path());
    let openbao = Contender::openbao(folder.path());
    let credentials = Credentials::connect(folder.path(), &vestal);
    let mut rows = Vec::new();
    for question in questions(&vestal, &openbao, &credentials) {
        if question.what.contains(&plan.only) {
            rows.extend(CONNECTIONS.map(|connections| ask(plan, &question, connections, &vestal, &openbao)));
        }
    }
    let at_rest_mb = (vestal.at_rest_mb, openbao.at_rest_mb);
    let loaded_mb = (usage::resident_mb(vestal.process_id()), usage::resident_mb(openbao.process_id()));
    Report { machine, versions, idle_vestal, idle_openbao, rows, at_rest_mb, loaded_mb, passes: plan.passes }
}

fn questions(vestal: &Contender, openbao: &Contender, credentials: &Credentials) -> Vec<Question> {
    let question = |what, goal, count, vestal, openbao| Question { what, goal, count, vestal, openbao };
    vec![
        question("kv v2 read", Some(GOAL), READS, vestal.kv_reads(), openbao.kv_reads()),
        question(
            "live credential : kv v2 read",
            Some(GOAL),
            READS,
            Arc::clone(&credentials.reads),
            openbao.kv_reads(),
        ),
        question("kv v2 write, durable", None, WRITES, vestal.kv_writes(), openbao.kv_writes()),
        question("token create, durable", None, TOKENS, vestal.token_creates(), openbao.token_creates()),
    ]
}

fn ask(plan: &Plan, question: &Question, connections: usize, vestal: &Contender, openbao: &Contender) -> Row {
    eprintln!("{}, {connections} connection(s) ...", question.what);
    let load = Load { connections, span: Duration::from_secs(plan.seconds), count: question.count };
    let put = |server: &Contender, asks: &Arc<[Ask]>, load: Load| -> Pass {
        load::put(&server.address, server.process_id(), asks, load)
    };
    let warm = Load { span: Duration::from_millis(500), count: question.count / 10, ..load };
    put(vestal, &question.vestal, warm);
    put(openbao, &question.openbao, warm);
    let mut row = Row {
        what: question.what,
        connections,
        goal: question.goal,
        vestal: Vec::new(),
        openbao: Vec::new(),
    };
    for _ in 0..plan.passes {
        row.vestal.push(put(vestal, &question.vestal, load));
        row.openbao.push(put(openbao, &question.openbao, load));
    }
    row
}
