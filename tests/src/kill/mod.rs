//! The kill loop: SIGKILL at a random moment while writers get acknowledgements and credentials rotate.
//!
//! After each restart every acknowledged write is there, no refresh token was presented again without a kill before it, and
//! every credential still refreshes. Two authorization servers: one forgives the replay of the last refresh token for ten
//! seconds, and nothing at all may be lost there; one forgives nothing, and only a refresh whose answer was on its way at a
//! kill may be lost: the credential's reason, the provider's ledger and the server's log must all say so.

mod credentials;
mod journal;
mod ledger;
mod report;
mod writers;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

pub use report::Report;

use crate::environment;
use crate::http;
use crate::process::Running;
use crate::server::Server;
use crate::until::until;
use credentials::{Credentials, Forgiveness};
use journal::Journal;

/// How hard to try.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub rounds: u32,
    pub writers: u32,
    /// Credentials at each authorization server.
    pub credentials: u32,
    pub seed: u64,
    /// How long the authorization servers keep the answer to a refresh whose token they have spent, in milliseconds: the
    /// longer, the more answers a kill cuts off.
    pub answer_delay: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self { rounds: 200, writers: 16, credentials: 30, seed: 1, answer_delay: 0 }
    }
}

/// A small generator, seeded, so that a run can be told again as far as timing allows.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// Everything that runs during the loop.
struct Stage {
    server: Server,
    root: String,
    forgiving: Credentials,
    strict: Credentials,
    journal: Journal,
    _folder: TempDir,
}

/// Runs the loop and tells what became of everything. Panics at the first thing that was lost.
pub fn run(plan: Plan) -> Report {
    let mut stage = Stage::build(&plan);
    let mut dice = Dice::new(plan.seed);
    let mut report = Report::default();
    for round in 1..=plan.rounds {
        let writing = stage.journal.start_writers(&stage.server.address, &stage.root, plan.writers);
        stage.readers_refresh(&mut dice);
        pause(Duration::from_millis(100 + dice.below(1400)));
        stage.server.kill();
        report.acknowledged += stage.journal.join(writing);
        stage.note_start();
        stage.server.restart();
        stage.await_unsealed();
        report.checked += stage.journal.check(&stage.server, &stage.root, &mut dice, false);
        stage.settle(&mut report);
        eprintln!("round {round} of {}: {}", plan.rounds, report.line());
    }
    report.checked += stage.journal.check(&stage.server, &stage.root, &mut dice, true);
    stage.all_refresh(&mut report);
    report.revoked = stage.journal.revoked();
    report.refreshes = stage.forgiving.refreshes() + stage.strict.refreshes();
    stage.server.stop();
    report.windows = report::windows(&stage.server.log());
    report
}

#[expect(clippy::disallowed_methods, reason = "the moment of the kill is what is random here")]
fn pause(span: Duration) {
    std::thread::sleep(span);
}

impl Stage {
    fn build(plan: &Plan) -> Self {
        let folder = TempDir::with_prefix("vestal-kill-").expect("a temporary folder");
        let key = folder.path().join("seal.key");
        let more = format!(
            "seal \"file\" {{\n  path = \"{}\"\n}}\nlog_level = \"info,vestal_oauth_engine=debug\"\n",
            key.display()
        );
        let server = Server::start_with(folder.path(), &more);
        let root = server.initialize_unattended();
        server.must(&root, "POST", "sys/mounts/journal", &serde_json::json!({ "type": "kv" }));
        server.must(&root, "POST", "sys/mounts/oauthapp", &serde_json::json!({ "type": "oauthapp" }));
        let provider = |forgiveness| Credentials::connect(folder.path(), forgiveness, &server, &root, plan);
        let (forgiving, strict) = (provider(Forgiveness::TenSeconds), provider(Forgiveness::None));
        Self { journal: Journal::new(plan.seed), server, root, forgiving, strict, _folder: folder }
    }

    /// Reads that want a token for longer than it lives make refreshes begin at any moment.
    fn readers_refresh(&self, dice: &mut Dice) {
        self.forgiving.provoke(&self.server.address, &self.root, dice.below(u64::MAX));
        self.strict.provoke(&self.server.address, &self.root, dice.below(u64::MAX));
    }

    fn await_unsealed(&self) {
        until("the vault to unseal itself", 60, || {
            let (status, _) = http::ask("GET", &format!("{}/v1/sys/health", self.server.address), &[], None)?;
            (status == 200).then_some(())
        });
    }

    /// Between a kill and the start after it.
    fn note_start(&mut self) {
        self.forgiving.note_start(&self.server);
        self.strict.note_start(&self.server);
    }

    fn settle(&mut self, report: &mut Report) {
        let lost = self.forgiving.lost_and_reconnected(&self.server, &self.root);
        report.lost(lost);
        let lost = self.strict.lost_and_reconnected(&self.server, &self.root);
        report.lost(lost);
        self.forgiving.assert_repetitions_follow_kills();
        self.strict.assert_repetitions_follow_kills();
    }

    fn all_refresh(&mut self, report: &mut Report) {
        let lost = self.forgiving.lost_until_all_refreshed(&self.server, &self.root);
        report.lost(lost);
        let lost = self.strict.lost_until_all_refreshed(&self.server, &self.root);
        report.lost(lost);
        self.forgiving.assert_repetitions_follow_kills();
        self.strict.assert_repetitions_follow_kills();
    }
}

/// The authorization server as a process of its own, which outlives every kill.
fn start_provider(folder: &Path, name: &str, rotation: &str) -> (Running, String) {
    let port = http::free_port();
    let mut command = Command::new(environment::demo_provider());
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--rotation", rotation]);
    command.args(["--access-ttl", "12s", "--auto-approve", "--control"]);
    let running = Running::start(&mut command, &folder.join(format!("{name}.log")));
    let base = format!("http://127.0.0.1:{port}");
    until("the authorization server", 30, || {
        http::ask("GET", &format!("{base}/_control/ledger"), &[], None).filter(|(status, _)| *status == 200)
    });
    (running, base)
}
