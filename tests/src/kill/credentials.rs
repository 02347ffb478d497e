//! Credentials at one authorization server, and what its ledger says of them.

use std::path::Path;

use serde_json::{Value, json};

use super::ledger::Ledger;
use super::{Dice, Plan, start_provider};
use crate::http;
use crate::process::Running;
use crate::server::Server;
use crate::until::until;

/// What the authorization server does when a spent refresh token comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forgiveness {
    /// Gives the same successor for ten seconds.
    TenSeconds,
    /// Revokes the whole family.
    None,
}

pub(super) struct Credentials {
    name: &'static str,
    base: String,
    forgiveness: Forgiveness,
    all: Vec<Known>,
    lives: Vec<Life>,
    _provider: Running,
}

/// What the two sides call one credential.
struct Known {
    /// In the server's log.
    id: String,
    /// In the provider's ledger, since it was last authorised.
    family: u64,
}

/// How far ledger and log had come when the server was started after a kill.
struct Life {
    calls: u64,
    log: usize,
}

const REDIRECT: &str = "http://127.0.0.1:1/back";
/// How a credential says that a person must help because an answer never arrived.
const LOST: &str = "the answer to an earlier refresh was lost";
/// More than any token has left, but for a new one.
const NEW_ONLY: &str = "?minimum_seconds=11";

#[derive(PartialEq, Eq)]
enum Settled {
    /// With this access token.
    Fresh(String),
    /// Only a person can help, for this reason.
    Broken(String),
}

impl Credentials {
    /// Starts the authorization server, writes it down as a server, and connects every credential by a code.
    pub(super) fn connect(
        folder: &Path,
        forgiveness: Forgiveness,
        server: &Server,
        root: &str,
        plan: &Plan,
    ) -> Self {
        let (name, rotation, hint) = match forgiveness {
            Forgiveness::TenSeconds => ("forgiving", "grace:10s", "grace:10"),
            Forgiveness::None => ("strict", "single", "single"),
        };
        let (provider, base) = start_provider(folder, name, rotation);
        if plan.answer_delay > 0 {
            let fault = json!({
                "endpoint": "token", "grant": "refresh_token", "times": "always",
                "fault": { "after": [{ "delay_ms": plan.answer_delay }] },
            });
            let json = [("Content-Type", "application/json")];
            let answer = http::ask("POST", &format!("{base}/_control/faults"), &json, Some(&fault));
            assert!(matches!(answer, Some((200, _))), "the delay was refused: {answer:?}");
        }
        let options = json!({
            "auth_code_url": format!("{base}/authorize"), "token_url": format!("{base}/token"),
            "auth_style": "in_header", "rotation": hint,
        });
        let record = json!({
            "provider": "custom", "client_id": "demo-client", "client_secret": "demo-secret", "provider_options": options,
        });
        server.must(root, "POST", &format!("oauthapp/servers/{name}"), &record);
        let (all, lives) = (Vec::new(), Vec::new());
        let mut made = Self { name, base, forgiveness, all, lives, _provider: provider };
        for number in 0..usize::try_from(plan.credentials).unwrap_or(0) {
            let known = made.authorise(server, root, number);
            made.all.push(known);
        }
        made
    }

    fn path(&self, number: usize) -> String {
        format!("oauthapp/creds/{}-{number}", self.name)
    }

    fn ledger(&self) -> Ledger {
        Ledger::of(&self.base)
    }

    fn authorise(&self, server: &Server, root: &str, number: usize) -> Known {
        let asked = json!({ "server": self.name, "redirect_url": REDIRECT, "scopes": "profile" });
        let link = server.must(root, "POST", "oauthapp/auth-code-url", &asked);
        let url = link.pointer("/data/url").and_then(Value::as_str).expect("a link");
        let code = http::redirected(url).and_then(|to| http::query_value(&to, "code")).expect("a code");
        let handed_in = json!({ "server": self.name, "redirect_url": REDIRECT, "code": code });
        let before = log(server).len();
        server.must(root, "POST", &self.path(number), &handed_in);
        let id = until("the log of a connection", 10, || {
            let log = log(server);
            let connected =
                log.get(before..)?.lines().find(|line| line.contains(": connected credential="))?;
            Some(connected.split('"').nth(1)?.to_owned())
        });
        Known { id, family: self.ledger().newest_family() }
    }

    /// Lets a few readers ask for longer life than is left, each in a thread that ends with the server.
    pub(super) fn provoke(&self, address: &str, root: &str, seed: u64) {
        let mut dice = Dice::new(seed);
        for _ in 0..6 {
            let number = dice.below(u64::try_from(self.all.len()).unwrap_or(0));
            let path = self.path(usize::try_from(number).unwrap_or(0));
            let url = format!("{address}/v1/{path}{NEW_ONLY}");
            let root = root.to_owned();
            std::thread::spawn(move || http::ask("GET", &url, &[("X-Vault-Token", &root)], None));
        }
    }

    /// Notes what belongs to the life that a kill has just ended; call it before the server is started again.
    pub(super) fn note_start(&mut self, server: &Server) {
        self.lives.push(Life { calls: self.ledger().newest(), log: log(server).len() });
    }

    /// Credentials that will not recover by themselves, with their reasons; a person authorises each anew.
    pub(super) fn lost_and_reconnected(&mut self, server: &Server, root: &str) -> Vec<String> {
        let mut lost = Vec::new();
        for number in 0..self.all.len() {
            if let Settled::Broken(reason) = self.await_settled(server, root, number) {
                lost.push(self.reconnect(server, root, number, &reason));
            }
        }
        lost
    }

    /// Every credential gets a new token without a person; those that cannot are told, and get theirs after a person has helped.
    pub(super) fn lost_until_all_refreshed(&mut self, server: &Server, root: &str) -> Vec<String> {
        let mut lost = Vec::new();
        for number in 0..self.all.len() {
            // A second loss finds no kill to excuse it, so this ends.
            loop {
                let before = self.await_settled(server, root, number);
                let next = match before {
                    Settled::Broken(_) => before,
                    Settled::Fresh(_) => until("the next token", 60, || {
                        self.settled(server, root, number, NEW_ONLY).filter(|now| *now != before)
                    }),
                };
                match next {
                    Settled::Fresh(_) => break,
                    Settled::Broken(reason) => lost.push(self.reconnect(server, root, number, &reason)),
                }
            }
        }
        lost
    }

    fn await_settled(&self, server: &Server, root: &str, number: usize) -> Settled {
        until("a credential to settle", 60, || self.settled(server, root, number, ""))
    }

    /// What has become of a credential, once that is certain.
    fn settled(&self, server: &Server, root: &str, number: usize, query: &str) -> Option<Settled> {
        let (status, answer) = server.call(root, "GET", &format!("{}{query}", self.path(number)), None);
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        match status {
            200 => Some(Settled::Fresh(text("/data/access_token").to_owned())),
            // A token that has just run out is still being refreshed; everything else is a reason.
            400 => Some(text("/errors/0"))
                .filter(|text| *text != "token expired")
                .map(|text| Settled::Broken(text.to_owned())),
            _ => panic!("{}: {status} {answer}", self.path(number)),
        }
    }

    /// Authorises a lost credential anew, once the loss is found to be the one that cannot be helped.
    fn reconnect(&mut self, server: &Server, root: &str, number: usize, reason: &str) -> String {
        let told = format!("{}: {reason}", self.path(number));
        self.assert_excused(server, number, &told);
        let known = self.authorise(server, root, number);
        if let Some(slot) = self.all.get_mut(number) {
            *slot = known;
        }
        told
    }

    /// The one loss that is no fault: a kill fell between the answer of a provider that forgives nothing and its being
    /// durable. Then three accounts agree. The credential says that an answer was lost; the ledger shows that the answer was
    /// given before a kill, and at most asked for again after it; and the log of the life after that very kill says that
    /// this refresh was found interrupted.
    fn assert_excused(&self, server: &Server, number: usize, told: &str) {
        assert_eq!(self.forgiveness, Forgiveness::None, "lost at a provider that forgives: {told}");
        assert!(told.contains(LOST), "lost for another reason than an answer on the wire: {told}");
        let known = self.all.get(number).expect("a credential that was connected");
        let starts: Vec<u64> = self.lives.iter().map(|life| life.calls).collect();
        let life = self.ledger().cut_off(known.family, &starts);
        let life = life.unwrap_or_else(|what| panic!("{told}, but no kill cut its answer off: {what}"));
        let log = log(server);
        let begin = self.lives.get(life).map_or(0, |life| life.log);
        let end = self.lives.get(life + 1).map_or(log.len(), |next| next.log);
        let interrupted =
            format!("a refresh was interrupted, its token may be spent credential=\"{}\"", known.id);
        let told_by_log = log.get(begin..end).is_some_and(|life| life.contains(&interrupted));
        assert!(told_by_log, "{told}, but start {life} did not find its refresh interrupted");
    }

    /// A refresh token comes again only if a kill lies between, and where nothing is forgiven never a third time. (That each
    /// call had a durable intent cannot be seen from outside; the engine's own tests look at it.)
    pub(super) fn assert_repetitions_follow_kills(&self) {
        let starts: Vec<u64> = self.lives.iter().map(|life| life.calls).collect();
        let most = match self.forgiveness {
            Forgiveness::TenSeconds => usize::MAX,
            Forgiveness::None => 2,
        };
        let wrong = self.ledger().repeated_without_kill(&starts, most);
        assert!(wrong.is_empty(), "{:?}: {wrong:?}", self.forgiveness);
    }

    /// How many refreshes the authorization server granted.
    pub(super) fn refreshes(&self) -> usize {
        self.ledger().refreshes()
    }
}

fn log(server: &Server) -> String {
    std::fs::read_to_string(server.log()).expect("the log can be read")
}
