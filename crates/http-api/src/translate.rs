//! Turns the head and body of an HTTP request into a [`Request`], or says at once what is wrong with it.
//!
//! Pure: no clock, no randomness, no state, so that it can be fuzzed. Everything that can be refused from the head
//! alone is, before a byte of the body is asked for.
//!
//! Invariants: the path of a request is canonical (see `path`); a list's path ends in a slash, a write's does not;
//! the query of a write is never data, the body of anything else is never read. It knows no mount and no policy.

use std::net::SocketAddr;

use http::request::Parts;
use http::{Method, StatusCode};
use serde_json::{Map, Value};
use vestal_crypto::SecretString;
use vestal_logical::json;
use vestal_logical::{Operation, Request, Timestamp, WrapAsk};

use crate::headers;
use crate::limits::{JsonLimits, Limits};
use crate::path::{self, Found};
use crate::query;
use crate::refusal::Refusal;

/// What the transport knows about a request beside its bytes.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The request's id.
    pub id: String,
    /// The instant at which everything about it happens.
    pub now: Timestamp,
    /// When waiting for the answer ends.
    pub deadline: Timestamp,
    /// Where the connection comes from.
    pub peer: Option<SocketAddr>,
}

/// Translates a whole request. Only the token and JSON bounds of `limits` are looked at.
pub fn translate(parts: &Parts, body: &[u8], arrival: Arrival, limits: &Limits) -> Result<Request, Refusal> {
    let head = Head::read(parts, limits)?;
    head.complete(parts, body, arrival, limits)
}

/// A request whose head is in order.
#[derive(Debug)]
pub(crate) struct Head {
    verb: Verb,
    path: String,
    token: Option<SecretString>,
    wrap: Option<WrapAsk>,
}

/// What is asked for, and where its data comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    /// From the query.
    Ask(Operation),
    /// From the body, which may be a form.
    Write,
    /// From the body, which is JSON.
    Patch,
    /// There is none.
    Help,
}

impl Head {
    /// Reads and checks everything but the body.
    pub(crate) fn read(parts: &Parts, limits: &Limits) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        if query::count(query.as_bytes()) > limits.json.strings {
            return Err(Refusal::invalid("too many query parameters"));
        }
        let mut path = match path::find(parts.uri.path()) {
            Found::Api(path) => path,
            Found::Elsewhere(clean) if clean == "/v1/sys" => return Err(moved(format!("{clean}/"), query)),
            Found::Elsewhere(clean) => return Err(moved(clean, query)),
            Found::Nowhere => return Err(Refusal::plain(StatusCode::NOT_FOUND)),
            Found::Unreadable => return Err(Refusal::blank(StatusCode::BAD_REQUEST)),
        };
        let token = headers::token(&parts.headers, limits.token_bytes)?;
        if headers::namespace(&parts.headers).is_some() && headers::is_root_only(&path) {
            return Err(Refusal::invalid("operation unavailable in namespaces"));
        }
        if is_foreign(&path, parts.method.as_str()) {
            return Err(Refusal::plain(StatusCode::METHOD_NOT_ALLOWED));
        }
        let verb = verb(parts, query)?;
        if path == "sys" && verb != Verb::Help {
            return Err(moved("/v1/sys/".to_owned(), query));
        }
        if path::is_relative(&path) {
            return Err(Refusal::invalid("relative paths not supported"));
        }
        if matches!(verb, Verb::Write | Verb::Patch) && path.ends_with('/') {
            return Err(Refusal::invalid("cannot write to a path ending in '/'"));
        }
        if verb == Verb::Ask(Operation::List) && !path.is_empty() && !path.ends_with('/') {
            path.push('/');
        }
        // A probe whose proxy adds headers is to learn the state of the seal all the same.
        let wrap = if is_of_the_seal(&path) { None } else { headers::wrap(&parts.headers)? };
        if !is_of_the_seal(&path) {
            headers::check_namespace(&parts.headers)?;
        }
        Ok(Self { verb, path, token, wrap })
    }

    /// Whether the body is wanted.
    pub(crate) fn takes_body(&self) -> bool {
        matches!(self.verb, Verb::Write | Verb::Patch)
    }

    /// Whether an operator's hand on the seal depends on it.
    pub(crate) fn is_urgent(&self) -> bool {
        matches!(self.path.as_str(), "sys/seal" | "sys/unseal")
    }

    /// The request, once the body is there.
    pub(crate) fn complete(
        self,
        parts: &Parts,
        body: &[u8],
        arrival: Arrival,
        limits: &Limits,
    ) -> Result<Request, Refusal> {
        let data = match self.verb {
            Verb::Ask(operation) => asked(parts, operation),
            Verb::Write if headers::is_form(&parts.headers) => form(body, &limits.json)?,
            Verb::Write | Verb::Patch => members(body, &limits.json)?,
            Verb::Help => Map::new(),
        };
        let operation = match self.verb {
            Verb::Ask(operation) => operation,
            Verb::Write => Operation::Update,
            Verb::Patch => Operation::Patch,
            Verb::Help => Operation::Help,
        };
        Ok(Request {
            id: arrival.id,
            operation,
            path: self.path,
            data,
            token: self.token,
            wrap: self.wrap,
            peer: arrival.peer,
            headers: headers::passed_on(&parts.headers),
            now: arrival.now,
            deadline: arrival.deadline,
        })
    }
}

/// The life of the seal is served outside the kernel's table, and knows only its own methods.
fn is_foreign(path: &str, method: &str) -> bool {
    match path {
        "sys/seal" => !matches!(method, "PUT" | "POST" | "HELP"),
        _ => is_of_the_seal(path) && matches!(method, "LIST" | "PATCH" | "OPTIONS" | "SCAN"),
    }
}

/// What answers in any state, to anybody, and is never wrapped.
fn is_of_the_seal(path: &str) -> bool {
    matches!(path, "sys/init" | "sys/seal-status" | "sys/unseal" | "sys/health" | "sys/leader")
}

fn verb(parts: &Parts, query: &str) -> Result<Verb, Refusal> {
    let word = parts.method.as_str();
    if word == "HELP" || first(query, "help").is_some_and(|help| !help.is_empty()) {
        return Ok(Verb::Help);
    }
    match word {
        "GET" => get(query),
        "LIST" => Ok(Verb::Ask(Operation::List)),
        "HEAD" => Ok(Verb::Ask(Operation::Header)),
        "DELETE" => Ok(Verb::Ask(Operation::Delete)),
        "POST" | "PUT" => Ok(Verb::Write),
        "PATCH" => headers::check_merge_patch(&parts.headers).map(|()| Verb::Patch),
        "SCAN" => Err(no_scan()),
        "OPTIONS" => Err(Refusal::invalid("cannot handle internal-only request operation")),
        _ => Err(Refusal::plain(StatusCode::METHOD_NOT_ALLOWED)),
    }
}

/// A GET is a list, too, when it says so.
fn get(query: &str) -> Result<Verb, Refusal> {
    let flag = |name| match first(query, name).as_deref() {
        None | Some("") => Ok(false),
        Some(word) => parse_bool(word).ok_or_else(|| Refusal::plain(StatusCode::BAD_REQUEST)),
    };
    match (flag("list")?, flag("scan")?) {
        (true, true) => Err(Refusal::plain(StatusCode::BAD_REQUEST)),
        (false, true) => Err(no_scan()),
        (true, false) => Ok(Verb::Ask(Operation::List)),
        (false, false) => Ok(Verb::Ask(Operation::Read)),
    }
}

/// Recursive lists are not built.
fn no_scan() -> Refusal {
    Refusal::text(StatusCode::METHOD_NOT_ALLOWED, "1 error occurred:\n\t* unsupported operation\n\n")
}

/// The words of Go's `ParseBool`.
fn parse_bool(word: &str) -> Option<bool> {
    match word {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

fn first(query: &str, name: &str) -> Option<String> {
    if query.is_empty() {
        return None;
    }
    query::pairs(query).find(|(found, _)| found == name).map(|(_, value)| value)
}

/// The query as data, without what said that it is a list.
fn asked(parts: &Parts, operation: Operation) -> Map<String, Value> {
    let Some(query) = parts.uri.query().filter(|query| !query.is_empty()) else { return Map::new() };
    let by_query = operation == Operation::List && parts.method == Method::GET;
    let mut data = query::data(query::pairs(query));
    data.remove("help");
    if by_query {
        data.remove("list");
    }
    data
}

fn members(body: &[u8], limits: &JsonLimits) -> Result<Map<String, Value>, Refusal> {
    json::object(body, limits).map_err(|fault| Refusal::invalid(fault.to_string()))
}

/// A form, unless it looks like JSON.
fn form(body: &[u8], limits: &JsonLimits) -> Result<Map<String, Value>, Refusal> {
    if matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) {
        return members(body, limits);
    }
    if query::count(body).saturating_mul(2) > limits.strings {
        return Err(Refusal::invalid(
            "refused form input due to high complexity: exceeded maximum number of strings",
        ));
    }
    query::form(body).ok_or_else(|| Refusal::invalid("error parsing form data"))
}

fn moved(mut location: String, query: &str) -> Refusal {
    if !query.is_empty() {
        location.push('?');
        location.push_str(query);
    }
    Refusal::moved(path::escape_for_header(&location))
}

#[cfg(test)]
mod tests;
