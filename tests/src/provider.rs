//! npm's `oidc-provider` in a process of its own: one confidential client, refresh tokens that rotate and kill their whole
//! family when one is used twice.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::process::Running;
use crate::until::until;
use crate::{environment, http};

/// The name that `/me` tells of whoever logs in.
pub const PERSON: &str = "Jane Doe";
/// How long an access token lives. Half of it is the lead, and no reader is given one with less than ten seconds left.
const ACCESS_SECONDS: u32 = 20;

pub struct Provider {
    pub issuer: String,
    _running: Running,
}

impl Provider {
    pub fn start(folder: &Path, client_id: &str, client_secret: &str, redirects: &[&str]) -> Self {
        let log = folder.join("oidc-provider.log");
        let mut command = Command::new("node");
        command
            .current_dir(environment::oidc_provider())
            .arg("server.mjs")
            .env("PORT", "0")
            .env("CLIENT_ID", client_id)
            .env("CLIENT_SECRET", client_secret)
            .env("REDIRECT_URIS", redirects.join(" "))
            .env("ACCESS_TOKEN_SECONDS", ACCESS_SECONDS.to_string())
            .env("PERSON", PERSON);
        let mut running = Running::start(&mut command, &log);
        let issuer = until("oidc-provider", 60, || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(running.ended().is_none(), "oidc-provider has ended: {text}");
            let ready = text.lines().find_map(|line| serde_json::from_str::<Value>(line).ok())?;
            Some(ready.get("issuer")?.as_str()?.to_owned())
        });
        Self { issuer, _running: running }
    }

    /// The name of the person whose access token this is; `None` once it has expired.
    pub fn name_of(&self, access_token: &str) -> Option<String> {
        let bearer = format!("Bearer {access_token}");
        let (status, body) =
            http::ask("GET", &format!("{}/me", self.issuer), &[("Authorization", &bearer)], None)?;
        assert!(matches!(status, 200 | 401), "/me answered {status}");
        (status == 200).then(|| body.get("name").and_then(Value::as_str).expect("a name").to_owned())
    }

    /// Everything it gave out, and every use of its token endpoint.
    pub fn ledger(&self) -> Ledger {
        let (_, book) = http::ask("GET", &format!("{}/ledger", self.issuer), &[], None).expect("the ledger");
        Ledger { book }
    }
}

pub struct Ledger {
    book: Value,
}

impl Ledger {
    pub fn logins(&self) -> u64 {
        self.book.get("logins").and_then(Value::as_u64).expect("logins")
    }

    pub fn revoked_grants(&self) -> u64 {
        self.book.get("revoked_grants").and_then(Value::as_u64).expect("revoked grants")
    }

    /// How many refreshes the provider granted.
    pub fn refreshes(&self) -> usize {
        self.calls()
            .iter()
            .filter(|call| field(call, "grant_type") == "refresh_token" && granted(call))
            .count()
    }

    /// What the token endpoint refused.
    pub fn refusals(&self) -> Vec<&Value> {
        self.calls().iter().filter(|call| !granted(call)).collect()
    }

    /// Every code and token it ever gave out, with its kind.
    pub fn issued(&self) -> Vec<(String, String)> {
        let issued = self.book.get("issued").and_then(Value::as_array).expect("issued");
        issued.iter().map(|one| (field(one, "kind").to_owned(), field(one, "value").to_owned())).collect()
    }

    /// The access token given out last.
    pub fn last_access_token(&self) -> String {
        let mut issued = self.issued();
        issued.retain(|(kind, _)| kind == "access_token");
        issued.pop().expect("an access token was given out").1
    }

    fn calls(&self) -> &[Value] {
        self.book.get("calls").and_then(Value::as_array).expect("calls")
    }
}

fn granted(call: &Value) -> bool {
    call.get("status").and_then(Value::as_u64) == Some(200)
}

fn field<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}
