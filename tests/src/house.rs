//! A server and a provider with everything a story needs, under names that are found again wherever they leak.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tempfile::TempDir;

use crate::canary::Canary;
use crate::http;
use crate::provider::{PERSON, Provider};
use crate::server::{Keys, Server};
use crate::until::until;

/// What a person chose. Every one is long and odd enough to be told from chance.
pub struct Names {
    pub mount: String,
    pub server: String,
    pub credential: String,
    pub policy: String,
    pub kv_mount: String,
    pub kv_path: String,
    pub kv_key: String,
    pub client_id: String,
}

/// What nobody may learn.
pub struct Secrets {
    pub client_secret: String,
    pub kv_value: String,
    /// Vault tokens that the story was given.
    pub given: Vec<String>,
    /// Unseal keys, in base64.
    pub shares: Vec<String>,
}

pub struct House {
    pub server: Server,
    pub provider: Provider,
    pub names: Names,
    pub secrets: Secrets,
    pub redirect: String,
    folder: TempDir,
}

impl House {
    /// A provider that knows one client, and a server that is not initialised. `tag` keeps the names of two stories apart;
    /// `redirect` is where the browser comes back to, an address where nobody listens when `None`.
    pub fn build(tag: &str, redirect: Option<String>) -> Self {
        let folder = TempDir::with_prefix("vestal-e2e-").expect("a temporary folder");
        let redirect = redirect.unwrap_or_else(|| format!("http://127.0.0.1:{}/", http::free_port()));
        let name = |what: &str| format!("{what}-wagtail-{tag}");
        let names = Names {
            mount: name("oauthmount"),
            server: name("webexapp"),
            credential: name("janescredential"),
            policy: name("readonecredential"),
            kv_mount: name("kvmount"),
            kv_path: name("botpath"),
            kv_key: name("bottokenkey"),
            client_id: name("clientid"),
        };
        let secrets = Secrets {
            client_secret: format!("clientsecret+nightjar/{tag}"),
            kv_value: format!("bottoken-nightjar-{tag}"),
            given: Vec::new(),
            shares: Vec::new(),
        };
        let provider = Provider::start(folder.path(), &names.client_id, &secrets.client_secret, &[&redirect]);
        let server = Server::start(folder.path());
        Self { server, provider, names, secrets, redirect, folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Initialises and unseals over the API, and remembers what must not leak.
    pub fn open(&mut self) -> Keys {
        let keys = self.server.initialize();
        self.server.unseal(&keys);
        self.secrets.shares.clone_from(&keys.shares);
        self.secrets.given.push(keys.root_token.clone());
        keys
    }

    /// Mounts the engine and writes the server, over the API.
    pub fn furnish(&self, root_token: &str) {
        let Names { mount, server, .. } = &self.names;
        self.server.must(root_token, "POST", &format!("sys/mounts/{mount}"), &json!({ "type": "oauthapp" }));
        let settings = json!({
            "provider": "custom",
            "client_id": self.names.client_id,
            "client_secret": self.secrets.client_secret,
            "provider_options": { "auth_code_url": self.auth_url(), "token_url": self.token_url() },
        });
        self.server.must(root_token, "PUT", &format!("{mount}/servers/{server}"), &settings);
    }

    pub fn auth_url(&self) -> String {
        format!("{}/auth", self.provider.issuer)
    }

    pub fn token_url(&self) -> String {
        format!("{}/token", self.provider.issuer)
    }

    /// Where the credential is read.
    pub fn credential_path(&self) -> String {
        format!("{}/creds/{}", self.names.mount, self.names.credential)
    }

    /// A policy that allows to read the one credential and nothing else.
    pub fn policy(&self) -> String {
        format!("path \"{}\" {{\n  capabilities = [\"read\"]\n}}\n", self.credential_path())
    }

    /// Lives on with one connected credential: three access tokens expire, once in the background and once while the server lies
    /// dead, and whoever looks always sees the person. `look` answers what they see; `unseal` opens the restarted server.
    pub fn stays_fresh(&mut self, unseal: &dyn Fn(&Server), look: &mut dyn FnMut(&Self) -> String) {
        assert_eq!(look(self), PERSON, "just connected");
        let first = self.provider.ledger().last_access_token();

        self.await_refresh();
        assert_eq!(look(self), PERSON, "refreshed in the background, before anybody asked");
        let second = self.provider.ledger().last_access_token();

        self.server.kill();
        self.await_expiry(&first);
        self.await_expiry(&second);
        self.server.restart();
        unseal(&self.server);
        assert_eq!(look(self), PERSON, "killed, expired, restarted, unsealed");
        let third = self.provider.ledger().last_access_token();

        self.await_refresh();
        self.await_expiry(&third);
        assert_eq!(look(self), PERSON, "still fresh");

        let ledger = self.provider.ledger();
        assert_eq!(ledger.logins(), 1, "nobody logged in again");
        assert_eq!(
            ledger.refusals(),
            Vec::<&serde_json::Value>::new(),
            "nothing was presented that was spent"
        );
        assert_eq!(ledger.revoked_grants(), 0, "no refresh token was used twice");
        let mut tokens = [first, second, third, ledger.last_access_token()];
        tokens.sort();
        assert!(tokens.windows(2).all(|pair| pair.first() != pair.last()), "four tokens, all different");
    }

    fn await_refresh(&self) {
        let before = self.provider.ledger().refreshes();
        until("a refresh in the background", 60, || {
            (self.provider.ledger().refreshes() > before).then_some(())
        });
    }

    fn await_expiry(&self, access_token: &str) {
        until("an access token to expire", 60, || {
            self.provider.name_of(access_token).is_none().then_some(())
        });
    }

    /// Stops the server and looks for every name and every secret in all that it wrote.
    pub fn left_no_trace(mut self) {
        self.server.stop();
        let mut secrets = Canary::default();
        self.watch_secrets(&mut secrets);
        let mut everything = Canary::default();
        self.watch_secrets(&mut everything);
        self.watch_names(&mut everything);

        let mut names = Canary::default();
        self.watch_names(&mut names);
        assert!(
            !names.found_in(&self.server.audit_file()).is_empty(),
            "the audit file names paths, and the search sees it"
        );

        let mut leaks = everything.found_in(&self.server.store());
        leaks.extend(everything.found_in(&self.server.log()));
        leaks.extend(secrets.found_in(&self.server.audit_file()));
        assert_eq!(leaks, Vec::<String>::new());
    }

    fn watch_secrets(&self, canary: &mut Canary) {
        canary.watch("the client secret", self.secrets.client_secret.as_bytes());
        canary.watch("a secret in kv", self.secrets.kv_value.as_bytes());
        for given in &self.secrets.given {
            canary.watch("a vault token", given.as_bytes());
        }
        for share in &self.secrets.shares {
            canary.watch("an unseal key", &STANDARD.decode(share).expect("a share is base64"));
        }
        for (kind, value) in self.provider.ledger().issued() {
            canary.watch(&format!("the provider's {kind}"), value.as_bytes());
        }
    }

    fn watch_names(&self, canary: &mut Canary) {
        let Names { mount, server, credential, policy, kv_mount, kv_path, kv_key, client_id } = &self.names;
        for name in [mount, server, credential, policy, kv_mount, kv_path, kv_key, client_id] {
            canary.watch(name, name.as_bytes());
        }
    }
}
