//! Every endpoint that the program itself declares, one after the other: a token without any policy is denied, and both entries of
//! the refused call stand in the audit file. The list is the help of each mount, so a new endpoint is tested by being declared.
//! The mounts are those that the server itself tells of, once one of each kind is mounted; `cargo xtask tidy` sees to it that
//! `MOUNTED` names every kind that is registered, and `OUTSIDE` every endpoint that lies outside all mounts.
#![expect(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "everything here is a test")]

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tempfile::TempDir;
use vestal_e2e::server::Server;

/// Endpoints whose own rules say more than a policy: what they answer a token without any, and why.
const OPEN: &[(&str, &str)] = &[
    ("sys/internal/ui/mounts", "shows each caller what they may see: here nothing"),
    ("sys/wrapping/rewrap", "the wrapping token is the permission"),
    ("sys/wrapping/unwrap", "the wrapping token is the permission"),
    ("sys/wrapping/lookup", "asks about a token that is presented in the body"),
];

/// Where one engine of each kind is mounted, and the version that tells kinds of one name apart.
const MOUNTED: &[(&str, &str, &str)] =
    &[("plainkv", "kv", "1"), ("versionedkv", "kv", "2"), ("oauth", "oauthapp", "")];

/// Mounts without any endpoint, and why.
const EMPTY: &[(&str, &str)] = &[("identity/", "has its place and is built later")];

/// Endpoints outside all mounts, which no help lists: they answer in any state, without a token and without audit, for there is
/// neither before the vault is unsealed. What each answers to a GET of somebody without a token.
const OUTSIDE: &[(&str, u16)] = &[
    ("sys/init", 200),
    ("sys/seal-status", 200),
    // Takes a share, and is written only.
    ("sys/unseal", 405),
    ("sys/health", 200),
    ("sys/leader", 200),
];

struct Endpoint {
    path: String,
    operation: String,
}

/// The paths of all mounts, as the server tells them.
fn mounts(server: &Server, root: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (table, before) in [("sys/mounts", ""), ("sys/auth", "auth/")] {
        let (_, answer) = server.call(root, "GET", table, None);
        let rows = answer.get("data").and_then(Value::as_object).expect("a table of mounts");
        found.extend(rows.keys().map(|path| format!("{before}{path}")));
    }
    let walked = |path: &String| !EMPTY.iter().any(|(empty, _)| path == empty);
    let all = found.len();
    found.retain(walked);
    assert_eq!(found.len() + EMPTY.len(), all, "EMPTY names what is gone");
    found.iter().map(|path| path.trim_end_matches('/').to_owned()).collect()
}

/// Every operation of every endpoint of a mount.
fn endpoints(server: &Server, root: &str, mount: &str) -> Vec<Endpoint> {
    let list = help(server, root, &format!("{mount}/")).expect("the help of a mount");
    let templates =
        list.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| !line.starts_with(' '));

    let mut found = Vec::new();
    for template in templates {
        let path = format!("{mount}/{}", filled(template));
        if OPEN.iter().any(|(open, _)| path == *open) {
            found.push(Endpoint { path, operation: "open".to_owned() });
            continue;
        }
        if template.is_empty() {
            // The help of the mount itself is this list; what is there lists what lies in it.
            found.push(Endpoint { path, operation: "list".to_owned() });
            continue;
        }
        // Some old paths know one verb and have no help, as in Vault.
        let Some(text) = help(server, root, &path) else {
            found.push(Endpoint { path, operation: "update".to_owned() });
            continue;
        };
        let operations =
            text.split("## OPERATIONS").nth(1).unwrap_or_else(|| panic!("no operations of {path}: {text}"));
        for line in operations.lines().filter(|line| line.contains(": ")) {
            let operation = line.trim().split(':').next().unwrap().to_owned();
            found.push(Endpoint { path: path.clone(), operation });
        }
    }
    found
}

fn help(server: &Server, root: &str, path: &str) -> Option<String> {
    let (status, answer) = server.call(root, "GET", &format!("{path}?help=1"), None);
    assert!(matches!(status, 200 | 405), "help of {path}: {status} {answer}");
    Some(answer.get("help")?.as_str()?.to_owned())
}

/// A path that a template matches.
fn filled(template: &str) -> String {
    let parts: Vec<&str> =
        template.split('/').map(|part| if part.starts_with('{') { "lapwing" } else { part }).collect();
    parts.join("/")
}

fn verb(operation: &str) -> &'static str {
    match operation {
        "read" => "GET",
        "list" => "LIST",
        "create" | "update" => "PUT",
        "patch" => "PATCH",
        "delete" => "DELETE",
        other => panic!("an operation that no client can ask for: {other}"),
    }
}

/// The audit entries of calls, and of answers that were refusals: type, path and operation. (Some handlers deny by themselves: the
/// entry of such a call tells of no error yet.)
fn refused(audit: &str) -> BTreeSet<(String, String, String)> {
    let lines = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let denied = lines.filter(|line| {
        let refused = line.get("error").and_then(Value::as_str).is_some_and(|error| !error.is_empty());
        refused || line.get("type").and_then(Value::as_str) == Some("request")
    });
    let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    denied
        .map(|line| {
            let request = line.get("request").unwrap();
            (
                text(line.get("type")),
                text(request.get("path")).trim_end_matches('/').to_owned(),
                text(request.get("operation")),
            )
        })
        .collect()
}

#[test]
fn every_endpoint_denies_a_token_without_policy_and_records_both_sides_of_it() {
    let folder = TempDir::new().unwrap();
    let mut server = Server::start(folder.path());
    let keys = server.initialize();
    server.unseal(&keys);
    let root = keys.root_token.as_str();
    for (path, kind, version) in MOUNTED {
        let options = if version.is_empty() { json!({}) } else { json!({ "version": version }) };
        server.must(
            root,
            "POST",
            &format!("sys/mounts/{path}"),
            &json!({ "type": kind, "options": options }),
        );
    }
    let asked = json!({ "policies": ["grants-nothing"], "no_default_policy": true });
    let made = server.must(root, "POST", "auth/token/create", &asked);
    let powerless = made.pointer("/auth/client_token").and_then(Value::as_str).unwrap();

    let mounts = mounts(&server, root);
    let all: Vec<Endpoint> = mounts.iter().flat_map(|mount| endpoints(&server, root, mount)).collect();
    for mount in &mounts {
        assert!(
            all.iter().any(|endpoint| endpoint.path.starts_with(&format!("{mount}/"))),
            "the help of {mount} shows nothing"
        );
    }
    assert!(all.len() > 80, "the help of the mounts shows only {} operations", all.len());
    for (path, expected) in OUTSIDE {
        assert!(!all.iter().any(|endpoint| endpoint.path == *path), "{path} is in the help of a mount");
        assert_eq!(server.call("", "GET", path, None).0, *expected, "{path}");
    }
    let (open, guarded): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|endpoint| endpoint.operation == "open");
    assert_eq!(open.len(), OPEN.len(), "OPEN names what is gone");

    let mut wrong = Vec::new();
    for Endpoint { path, operation } in &guarded {
        let body = if matches!(verb(operation), "PUT" | "PATCH") { Some(json!({})) } else { None };
        let (status, answer) = server.call(powerless, verb(operation), path, body.as_ref());
        if status != 403 {
            wrong.push(format!("{operation} {path}: {status} {answer}"));
        }
    }
    server.stop();
    let audit = std::fs::read_to_string(server.audit_file()).unwrap();
    for (path, _) in OUTSIDE {
        assert!(!audit.contains(&format!("\"path\":\"{path}\"")), "{path} is recorded");
    }
    let refused = refused(&audit);
    for Endpoint { path, operation } in &guarded {
        for kind in ["request", "response"] {
            // What would make something new is recorded as such.
            let place = path.trim_end_matches('/');
            let known = [operation.as_str(), "create"];
            if !known
                .iter()
                .any(|name| refused.contains(&(kind.to_owned(), place.to_owned(), (*name).to_owned())))
            {
                wrong.push(format!("{operation} {path}: no {kind} entry in the audit file"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), guarded.len(), wrong.join("\n"));
}
