//! Every command, compared with what OpenBao 2.7.2's own command line did: the same requests, the same output,
//! the same exit code.
//!
//! The recordings were made with `bao` through a proxy. They are compared as they are, but for the product's
//! name and for the differences listed in [`DELIBERATE`].

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use vestal_logical::{OutboundRequest, TransportError};

use super::{Server, run_in};

#[derive(Deserialize)]
struct Recording {
    args: Vec<String>,
    token: Option<String>,
    stdin: String,
    env: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    exchanges: Vec<Exchange>,
    stdout: String,
    stderr: String,
    code: u8,
    token_file: Option<String>,
}

#[derive(Deserialize)]
struct Exchange {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: String,
    status: u16,
    answer: String,
}

/// What a run may do otherwise than the recording.
#[derive(Clone, Copy, PartialEq)]
enum Differs {
    /// Not compared at all; the reason stands beside it.
    All,
    /// Same requests, output and exit code; other words on stderr.
    Words,
    /// Same requests and exit code.
    Output,
}

/// The differences we want, by the command as it was typed.
const DELIBERATE: &[(&str, Differs, &str)] = &[
    ("audit list -detailed", Differs::Output, "options in the order of their names, not in any order"),
    ("operator init", Differs::Output, "told in our own words"),
    ("operator unseal", Differs::Output, "nothing is asked where there is no terminal"),
    ("operator unseal -", Differs::All, "- is standard input, as in every other command"),
    ("nosuch", Differs::Words, "told in our own words"),
    ("login root", Differs::Words, "told in our own words"),
    ("login", Differs::Words, "told in our own words"),
    ("login -no-store root", Differs::Output, "does not say that the token was kept"),
    (
        "login -no-store -method=userpass -path=userpass/ username=bob password=pw",
        Differs::Output,
        "does not say that the token was kept",
    ),
    ("kv get kv2", Differs::All, "an answer that is only a warning is no value"),
    ("kv patch -cas=9 -method=rw kv2/a v=1", Differs::All, "-cas is obeyed with every method"),
    ("kv delete -versions=1 kv1/a/b", Differs::All, "-versions is refused where there are none, not ignored"),
    ("kv patch kv2/none a=b", Differs::Words, "the server's empty list of errors is shown as such"),
    ("kv metadata patch -max-versions=1 kv2/none", Differs::Words, "likewise"),
    ("token renew -accessor", Differs::All, "a missing accessor is told, not replaced by the own token"),
    ("policy write my none.hcl", Differs::Words, "told in our own words"),
    ("read kv1/a -format=json", Differs::All, "flags may stand behind arguments"),
    ("read sys/seal-status -field=type", Differs::All, "flags may stand behind arguments"),
    ("write -header=x-vault-foo=bar kv1/a x=1", Differs::All, "refused, as the help text says"),
    ("write kv1/k x=\\-lit e=", Differs::All, "see pairs.rs"),
    ("read -output-curl-string kv1/a x=1", Differs::Output, "header names in lower case"),
    ("write -output-curl-string kv1/a x=1", Differs::Output, "header names in lower case"),
    ("-output-curl-string write kv1/a x=1", Differs::Output, "told in our own words"),
    ("version", Differs::Output, "our version"),
    ("-version", Differs::Output, "our version"),
    ("version-history", Differs::All, "no such command here"),
    ("secrets nosuch", Differs::Output, "told in our own words"),
];

fn compare(name: &str, recordings: &str) {
    let recordings: Vec<Recording> = serde_json::from_str(recordings).unwrap();
    let mut problems = Vec::new();
    for recording in &recordings {
        if let Err(problem) = replay(recording) {
            problems.push(format!("vestal {}\n{problem}", recording.args.join(" ")));
        }
    }
    assert!(
        problems.is_empty(),
        "{name}: {} of {} differ\n\n{}",
        problems.len(),
        recordings.len(),
        problems.join("\n\n")
    );
}

fn replay(recording: &Recording) -> Result<(), String> {
    let typed = recording.args.join(" ");
    let differs = DELIBERATE.iter().find(|(command, ..)| *command == typed).map(|(_, how, _)| *how);
    if differs == Some(Differs::All) {
        return Ok(());
    }
    let home = tempfile::tempdir().unwrap();
    for (file, text) in &recording.files {
        std::fs::write(home.path().join(file), text).unwrap();
    }
    // Some recordings are of servers that are not there.
    let absent = recording.env.contains_key("VAULT_ADDR");
    let answers = recording.exchanges.iter().map(|x| Ok((x.status, x.answer.clone())));
    let refused = absent.then(|| Err(TransportError::NotSent("connection refused (127.0.0.1)".to_owned())));
    let server = Server::answering(answers.chain(refused));
    let mut environment: Vec<(&str, &str)> =
        recording.env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    environment.extend(recording.token.as_deref().map(|token| ("VAULT_TOKEN", token)));
    let arguments: Vec<&str> = recording.args.iter().map(String::as_str).collect();
    let ran = run_in(home.path().to_owned(), &environment, &recording.stdin, &server, &arguments);

    same("exit code", &ran.code.to_string(), &recording.code.to_string())?;
    if absent {
        return same("stdout", &ran.stdout, &recording.stdout);
    }
    let sent = server.requests();
    same("number of requests", &sent.len().to_string(), &recording.exchanges.len().to_string())?;
    for (request, expected) in sent.iter().zip(&recording.exchanges) {
        same_request(request, expected)?;
    }
    if differs == Some(Differs::Output) {
        return Ok(());
    }
    if ran.stdout != recording.stdout {
        same("stdout", &ran.stdout, &renamed(&recording.stdout))?;
    }
    // Wrong use is told in the words of our own parser, and advice may follow.
    if differs.is_none() && recording.code != 1 {
        let expected = renamed(&recording.stderr);
        let starts = ran.stderr.starts_with(&expected);
        same("stderr", if starts { &expected } else { &ran.stderr }, &expected)?;
    }
    let kept = std::fs::read_to_string(home.path().join(".vault-token")).ok();
    if recording.token_file.is_some() {
        same("token file", &format!("{kept:?}"), &format!("{:?}", recording.token_file))?;
    }
    Ok(())
}

fn same(what: &str, ours: &str, theirs: &str) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("--- {what}, ours:\n{ours}\n--- theirs:\n{theirs}")) }
}

fn same_request(ours: &OutboundRequest, theirs: &Exchange) -> Result<(), String> {
    let target = &ours.url[url::Position::BeforePath..];
    same("request", &format!("{} {target}", ours.method), &format!("{} {}", theirs.method, theirs.target))?;
    let headers: BTreeMap<String, String> = ours
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let told = |headers: &BTreeMap<String, String>| {
        let kept = headers.iter().filter(|(name, _)| name.starts_with("x-") || *name == "content-type");
        format!("{:?}", kept.collect::<Vec<_>>())
    };
    same("headers", &told(&headers), &told(&theirs.headers))?;
    let json = |text: &str| {
        serde_json::from_str::<Value>(text).unwrap_or(Value::String(text.to_owned())).to_string()
    };
    same("body", &json(std::str::from_utf8(ours.body.expose()).unwrap()), &json(&theirs.body))
}

/// The same output under our name.
fn renamed(text: &str) -> String {
    text.replace("returned from OpenBao", "returned from the server")
        .replace("\"bao login\"", "\"vestal login\"")
        .replace("OpenBao", "Vestal")
        .replace("Vault is sealed.", "Vestal is sealed.")
        .replace("Vault is initialized", "Vestal is initialized")
        .replace("Vault is not initialized", "Vestal is not initialized")
}

macro_rules! groups {
    ($($test:ident: $file:literal,)*) => {
        $(
            #[test]
            fn $test() {
                compare($file, include_str!(concat!("recordings/", $file, ".json")));
            }
        )*
    };
}

groups! {
    reading_and_writing_go_as_recorded: "basic",
    secrets_commands_go_as_recorded: "secrets",
    kv_commands_go_as_recorded: "kv",
    token_commands_go_as_recorded: "token",
    policy_commands_go_as_recorded: "policy",
    lease_commands_go_as_recorded: "lease",
    login_goes_as_recorded: "login",
    unwrap_goes_as_recorded: "unwrap",
    audit_commands_go_as_recorded: "audit",
    operator_commands_go_as_recorded: "operator",
    init_goes_as_recorded: "init",
    other_commands_go_as_recorded: "other",
}
