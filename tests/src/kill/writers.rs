//! One writer: kv writes, tokens made, tokens revoked, each noted when it was acknowledged.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::Dice;
use super::journal::{Key, body};
use crate::http;

/// What a writer knows at the end of a round.
#[derive(Default)]
pub(super) struct Written {
    pub(super) keys: HashMap<String, Key>,
    pub(super) alive: Vec<String>,
    pub(super) dead: Vec<String>,
    pub(super) either: Vec<String>,
    pub(super) acknowledged: u64,
}

/// Keys of each writer; they are written again and again.
const KEYS: u64 = 40;

/// Writes until told to stop or until the server is gone.
pub(super) fn write_until(
    stop: &AtomicBool,
    address: &str,
    root: &str,
    writer: u32,
    keys: HashMap<String, Key>,
    mut dice: Dice,
) -> Written {
    let mut written = Written { keys, ..Written::default() };
    while !stop.load(Ordering::SeqCst) {
        let goes_on = match dice.below(8) {
            0 => make_token(address, root, &mut written),
            1 => revoke_token(address, root, &mut written),
            _ => write_key(address, root, writer, dice.below(KEYS), &mut written),
        };
        if !goes_on {
            break;
        }
    }
    written
}

fn ask(address: &str, root: &str, path: &str, body: &Value) -> Option<http::Answer> {
    http::ask("POST", &format!("{address}/v1/{path}"), &[("X-Vault-Token", root)], Some(body))
}

fn write_key(address: &str, root: &str, writer: u32, key: u64, written: &mut Written) -> bool {
    let name = format!("w{writer}-{key}");
    let known = written.keys.entry(name.clone()).or_default();
    known.tried += 1;
    let number = known.tried;
    let answer = ask(address, root, &format!("journal/{name}"), &body(number));
    match answer {
        Some((204, _)) => {
            known.acknowledged = number;
            written.acknowledged += 1;
            true
        }
        Some((status, answer)) => panic!("a write was answered {status}: {answer}"),
        None => false,
    }
}

fn make_token(address: &str, root: &str, written: &mut Written) -> bool {
    let Some((status, answer)) = ask(address, root, "auth/token/create", &json!({ "policies": ["default"] }))
    else {
        return false;
    };
    assert_eq!(status, 200, "{answer}");
    let token = answer.pointer("/auth/client_token").and_then(Value::as_str).expect("a token");
    written.alive.push(token.to_owned());
    written.acknowledged += 1;
    true
}

fn revoke_token(address: &str, root: &str, written: &mut Written) -> bool {
    let Some(token) = written.alive.pop() else { return true };
    match ask(address, root, "auth/token/revoke", &json!({ "token": token })) {
        Some((204, _)) => {
            written.dead.push(token);
            written.acknowledged += 1;
            true
        }
        Some((status, answer)) => panic!("a revocation was answered {status}: {answer}"),
        None => {
            written.either.push(token);
            false
        }
    }
}
