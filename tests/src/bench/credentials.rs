//! Live credentials: connected by codes at an authorization server, with access tokens that outlive the run.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::contender::Contender;
use super::wire::Ask;
use crate::process::Running;
use crate::until::until;
use crate::{environment, http};

const CREDENTIALS: usize = 100;
const REDIRECT: &str = "http://127.0.0.1:1/back";

/// The authorization server, which must run as long as its credentials are read.
pub(super) struct Credentials {
    pub(super) reads: Arc<[Ask]>,
    _provider: Running,
}

impl Credentials {
    /// Mounts the engine, starts the authorization server and connects every credential.
    pub(super) fn connect(folder: &Path, vestal: &Contender) -> Self {
        let port = http::free_port();
        let base = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(environment::demo_provider());
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--access-ttl", "1h"]);
        command.args(["--auto-approve", "--control"]);
        let provider = Running::start(&mut command, &folder.join("provider.log"));
        until("the authorization server", 30, || {
            http::ask("GET", &format!("{base}/_control/ledger"), &[], None)
                .filter(|(status, _)| *status == 200)
        });
        vestal.must("POST", "sys/mounts/oauthapp", &json!({ "type": "oauthapp" }));
        let options =
            json!({ "auth_code_url": format!("{base}/authorize"), "token_url": format!("{base}/token") });
        let server = json!({
            "provider": "custom", "client_id": "demo-client", "client_secret": "demo-secret", "provider_options": options,
        });
        vestal.must("POST", "oauthapp/servers/bench", &server);
        (0..CREDENTIALS).for_each(|number| authorise(vestal, number));
        let read = |number| Ask::new("GET", &path(number), &vestal.token, "", "\"access_token\":");
        Self { reads: (0..CREDENTIALS).map(read).collect(), _provider: provider }
    }
}

fn authorise(vestal: &Contender, number: usize) {
    let asked = json!({ "server": "bench", "redirect_url": REDIRECT, "scopes": "profile" });
    let link = vestal.must("POST", "oauthapp/auth-code-url", &asked);
    let url = link.pointer("/data/url").and_then(Value::as_str).expect("a link");
    let code = http::redirected(url).and_then(|to| http::query_value(&to, "code")).expect("a code");
    let handed_in = json!({ "server": "bench", "redirect_url": REDIRECT, "code": code });
    vestal.must("POST", &path(number), &handed_in);
}

fn path(number: usize) -> String {
    format!("oauthapp/creds/person-{number}")
}
