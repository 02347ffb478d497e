//! `vestal server` in a process of its own, as people run it: a configuration file, a store, a log, an audit file.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::environment;
use crate::http::{self, Answer};
use crate::process::Running;
use crate::until::until;

pub struct Server {
    pub address: String,
    folder: PathBuf,
    running: Option<Running>,
}

/// What `operator init` answers.
pub struct Keys {
    pub shares: Vec<String>,
    pub root_token: String,
}

impl Server {
    /// Writes a configuration below `folder` and starts the server; it is not initialised.
    pub fn start(folder: &Path) -> Self {
        Self::start_with(folder, "")
    }

    /// As [`start`](Self::start), with more in the configuration.
    pub fn start_with(folder: &Path, more: &str) -> Self {
        let port = http::free_port();
        let server =
            Self { address: format!("http://127.0.0.1:{port}"), folder: folder.to_owned(), running: None };
        let config = format!(
            "storage \"sled\" {{\n  path = \"{}\"\n}}\n\
             listener \"tcp\" {{\n  address = \"127.0.0.1:{port}\"\n  tls_disable = true\n}}\n\
             api_addr = \"{}\"\n\
             disable_mlock = true\n\
             log_level = \"trace\"\n\
             audit \"file\" \"trail\" {{\n  options {{\n    file_path = \"{}\"\n  }}\n}}\n{more}",
            server.store().display(),
            server.address,
            server.audit_file().display(),
        );
        std::fs::write(server.config(), config).expect("a configuration can be written");
        let mut server = server;
        server.restart();
        server
    }

    /// Starts it again, on the same address and store.
    pub fn restart(&mut self) {
        let mut command = Command::new(environment::vestal());
        command.arg("server").arg(format!("-config={}", self.config().display()));
        self.running = Some(Running::start(&mut command, &self.log()));
        until("the server", 60, || {
            if let Some(status) = self.running.as_mut().and_then(Running::ended) {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                panic!("the server has ended ({status}): {log}");
            }
            http::ask("GET", &format!("{}/v1/sys/health", self.address), &[], None)
        });
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.running.take().expect("the server runs").kill();
    }

    /// SIGTERM, which must end well.
    pub fn stop(&mut self) {
        let status = self.running.take().expect("the server runs").terminate();
        assert!(status.success(), "the server did not end well: {status}");
    }

    /// One call of the API.
    pub fn call(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let headers = [("X-Vault-Token", token), ("Content-Type", kind)];
        let url = format!("{}/v1/{path}", self.address);
        http::ask(method, &url, &headers, body).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// One call of the API that must go well.
    pub fn must(&self, token: &str, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.call(token, method, path, Some(body));
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Makes the vault, three shares of which two open it.
    pub fn initialize(&self) -> Keys {
        let asked = json!({ "secret_shares": 3, "secret_threshold": 2 });
        let answer = self.must("", "PUT", "sys/init", &asked);
        let texts = |name: &str| -> Vec<String> {
            let list = answer.get(name).and_then(Value::as_array).expect("keys");
            list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let root_token = answer.get("root_token").and_then(Value::as_str).expect("a root token").to_owned();
        Keys { shares: texts("keys_base64"), root_token }
    }

    /// Makes a vault that unseals itself; answers its root token.
    pub fn initialize_unattended(&self) -> String {
        let answer = self.must("", "PUT", "sys/init", &json!({}));
        answer.get("root_token").and_then(Value::as_str).expect("a root token").to_owned()
    }

    pub fn unseal(&self, keys: &Keys) {
        for share in keys.shares.iter().take(2) {
            self.must("", "PUT", "sys/unseal", &json!({ "key": share }));
        }
        let (status, _) = self.call("", "GET", "sys/health", None);
        assert_eq!(status, 200, "unsealed and active");
    }

    pub fn store(&self) -> PathBuf {
        self.folder.join("store")
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    pub fn audit_file(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("vestal.hcl")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines.get(lines.len().saturating_sub(60)..).unwrap_or_default();
            eprintln!("the end of the server's log:\n{}", tail.join("\n"));
        }
    }
}
