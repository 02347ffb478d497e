//! Credentials at one authorization server, and what its ledger says of them.

use std::path::Path;

use serde_json::{Value, json};

use super::{Dice, start_provider};
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
    count: u32,
    forgiveness: Forgiveness,
    _provider: Running,
}

const REDIRECT: &str = "http://127.0.0.1:1/back";

enum Settled {
    Fresh,
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
        count: u32,
    ) -> Self {
        let (name, rotation, hint) = match forgiveness {
            Forgiveness::TenSeconds => ("forgiving", "grace:10s", "grace:10"),
            Forgiveness::None => ("strict", "single", "single"),
        };
        let (provider, base) = start_provider(folder, name, rotation);
        let options = json!({
            "auth_code_url": format!("{base}/authorize"), "token_url": format!("{base}/token"),
            "auth_style": "in_header", "rotation": hint,
        });
        let record = json!({
            "provider": "custom", "client_id": "demo-client", "client_secret": "demo-secret", "provider_options": options,
        });
        server.must(root, "POST", &format!("oauthapp/servers/{name}"), &record);
        let all = Self { name, base, count, forgiveness, _provider: provider };
        for number in 0..count {
            all.authorise(server, root, number);
        }
        all
    }

    fn path(&self, number: u32) -> String {
        format!("oauthapp/creds/{}-{number}", self.name)
    }

    fn authorise(&self, server: &Server, root: &str, number: u32) {
        let asked = json!({ "server": self.name, "redirect_url": REDIRECT, "scopes": "profile" });
        let link = server.must(root, "POST", "oauthapp/auth-code-url", &asked);
        let url = link.pointer("/data/url").and_then(Value::as_str).expect("a link");
        let code = http::redirected(url).and_then(|to| http::query_value(&to, "code")).expect("a code");
        let handed_in = json!({ "server": self.name, "redirect_url": REDIRECT, "code": code });
        server.must(root, "POST", &self.path(number), &handed_in);
    }

    /// Lets a few readers ask for longer life than is left, each in a thread that ends with the server.
    pub(super) fn provoke(&self, address: &str, root: &str, seed: u64) {
        let mut dice = Dice::new(seed);
        for _ in 0..6 {
            let number = u32::try_from(dice.below(u64::from(self.count))).unwrap_or(0);
            let url = format!("{address}/v1/{}?minimum_seconds=11", self.path(number));
            let root = root.to_owned();
            std::thread::spawn(move || http::ask("GET", &url, &[("X-Vault-Token", &root)], None));
        }
    }

    /// Credentials that will not recover by themselves, with their reasons; a person authorises each anew.
    pub(super) fn lost_and_reconnected(&self, server: &Server, root: &str) -> Vec<String> {
        let mut lost = Vec::new();
        for number in 0..self.count {
            let settled = until("a credential to settle", 60, || self.settled(server, root, number));
            if let Settled::Broken(reason) = settled {
                lost.push(format!("{}: {reason}", self.path(number)));
                self.authorise(server, root, number);
            }
        }
        lost
    }

    /// What has become of a credential, once that is certain.
    fn settled(&self, server: &Server, root: &str, number: u32) -> Option<Settled> {
        let (status, answer) = server.call(root, "GET", &self.path(number), None);
        match status {
            200 => Some(Settled::Fresh),
            400 => {
                let text = answer.pointer("/errors/0").and_then(Value::as_str).unwrap_or_default();
                // A token that has just run out is still being refreshed; everything else is a reason.
                (text != "token expired").then(|| Settled::Broken(text.to_owned()))
            }
            _ => panic!("{}: {status} {answer}", self.path(number)),
        }
    }

    /// A token that was presented twice was presented again because an intent said that its answer was in doubt: so at
    /// most twice, never a third time.
    pub(super) fn nothing_was_spent_without_intent(&self) {
        let url = format!("{}/_control/ledger", self.base);
        let (_, ledger) = http::ask("GET", &url, &[], None).expect("a ledger");
        let mut presented = std::collections::HashMap::<u64, u32>::new();
        for entry in ledger.pointer("/entries").and_then(Value::as_array).expect("entries") {
            if let Some(serial) = entry.get("presented").and_then(Value::as_u64) {
                *presented.entry(serial).or_default() += 1;
            }
        }
        let thrice = presented.values().filter(|times| **times > 2).count();
        assert_eq!(thrice, 0, "refresh tokens that were presented a third time ({:?})", self.forgiveness);
    }

    /// Every credential gets a new token without a person.
    pub(super) fn all_still_refresh(&self, server: &Server, root: &str) {
        for number in 0..self.count {
            let token = |query: &str| {
                let (status, answer) =
                    server.call(root, "GET", &format!("{}{query}", self.path(number)), None);
                (status == 200).then(|| answer.pointer("/data/access_token").cloned())
            };
            let before = until("a token", 30, || token(""));
            until("the next token", 60, || token("?minimum_seconds=11").filter(|now| *now != before));
        }
    }
}
