//! Says how the provider is to misbehave: rules, aimed at an endpoint, with a number of calls they last for.
//!
//! Rules are tried in the order of their injection; the first that fits takes the call, so a call meets one rule at
//! most, but a rule may hold several acts. This module only decides; `misbehave` carries out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::call::{Endpoint, Grant};
use crate::tokens::millis;

/// A fault, and the calls it is meant for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub endpoint: Endpoint,
    /// At the token endpoint: only calls for this grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// At the token endpoint: only calls by this client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Let this many fitting calls pass first.
    #[serde(default)]
    pub skip: u64,
    #[serde(default)]
    pub times: Times,
    pub fault: Fault,
}

impl Rule {
    /// For the next `times` calls.
    pub fn next(times: u64, endpoint: Endpoint, fault: Fault) -> Self {
        Self { endpoint, grant: None, client: None, skip: 0, times: Times::Next(times), fault }
    }

    /// Until removed.
    pub fn always(endpoint: Endpoint, fault: Fault) -> Self {
        Self { times: Times::Always, ..Self::next(0, endpoint, fault) }
    }

    #[must_use]
    pub fn only(mut self, grant: Grant) -> Self {
        self.grant = Some(grant);
        self
    }

    #[must_use]
    pub fn for_client(mut self, id: &str) -> Self {
        self.client = Some(id.to_owned());
        self
    }

    #[must_use]
    pub fn skipping(mut self, calls: u64) -> Self {
        self.skip = calls;
        self
    }

    fn fits(&self, endpoint: Endpoint, grant: Grant, client: Option<&str>) -> bool {
        self.endpoint == endpoint
            && self.grant.is_none_or(|wanted| endpoint == Endpoint::Token && wanted == grant)
            && self.client.as_deref().is_none_or(|wanted| Some(wanted) == client)
    }
}

/// For how many calls a rule lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Times {
    Next(u64),
    Always,
}

impl Default for Times {
    fn default() -> Self {
        Self::Next(1)
    }
}

/// What goes wrong: before the call is processed, after it was processed but before it is answered, and in the
/// answer itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    pub before: Vec<Act>,
    pub after: Vec<Act>,
    pub alter: Vec<Alter>,
}

/// Something that happens around the processing of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Wait this many milliseconds.
    DelayMs(u64),
    /// Wait a random number of milliseconds, this at most.
    DelayUpToMs(u64),
    /// Wait until the control handle releases what is held.
    Hold,
    /// Never answer, but keep the connection.
    Hang,
    /// Close the connection without an answer.
    Drop,
    /// Answer this instead.
    Answer(Answer),
    /// 401 `invalid_client` when the client authenticated by the `Authorization` header.
    RejectHeaderAuth,
    /// 401 `invalid_client` when the client's secret came in the body.
    RejectParameterAuth,
}

/// An answer made up by a fault: `text`, then `filler_bytes` more.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    pub status: u16,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub text: String,
    #[serde(default)]
    pub filler_bytes: u64,
}

impl Answer {
    pub fn new(status: u16, content_type: &str, text: &str) -> Self {
        let headers = BTreeMap::from([("content-type".to_owned(), content_type.to_owned())]);
        Self { status, headers, text: text.to_owned(), filler_bytes: 0 }
    }

    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }
}

/// A change to the answer the provider would have given; changes of fields leave error answers alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Alter {
    /// Leave a field out.
    Omit(String),
    /// Give a field any JSON value.
    Set { field: String, value: Value },
    /// Write the fields as a form.
    FormEncoded,
    /// Claim another content type.
    ContentType(String),
    /// End the body early, in a complete HTTP message.
    Truncate { keep_bytes: usize },
    /// Close the connection in the middle of the body.
    CutOff { keep_bytes: usize },
    /// Send the body in pieces with a pause before each.
    Dribble { piece_bytes: usize, every_ms: u64 },
}

impl Fault {
    /// Wait before the call is processed.
    pub fn delay_before(wait: Duration) -> Self {
        Self::before(Act::DelayMs(millis(wait)))
    }

    /// Wait while the answer is on the wire: the token is spent, the caller does not know.
    pub fn delay_after(wait: Duration) -> Self {
        Self::after(Act::DelayMs(millis(wait)))
    }

    /// Close the connection, nothing spent.
    pub fn drop_before() -> Self {
        Self::before(Act::Drop)
    }

    /// Close the connection, token spent, answer lost.
    pub fn drop_after() -> Self {
        Self::after(Act::Drop)
    }

    /// Answer something else, nothing spent.
    pub fn answer(answer: Answer) -> Self {
        Self::before(Act::Answer(answer))
    }

    /// A status with a small JSON body that is no OAuth error, nothing spent.
    pub fn status(status: u16) -> Self {
        Self::answer(Answer::new(status, "application/json", r#"{"message":"fault on request"}"#))
    }

    /// 429 with `Retry-After` in seconds.
    pub fn too_many_requests(retry_after: u64) -> Self {
        let answer = Answer::new(429, "application/json", r#"{"message":"fault on request"}"#);
        Self::answer(answer.header("retry-after", &retry_after.to_string()))
    }

    /// 200 with a page for people, as captive portals and gateways send it.
    pub fn html() -> Self {
        let page = "<!doctype html><title>Welcome</title><p>Please accept the terms of this network.</p>";
        Self::answer(Answer::new(200, "text/html; charset=utf-8", page))
    }

    /// 200 and nothing.
    pub fn empty() -> Self {
        Self::answer(Answer { status: 200, ..Answer::default() })
    }

    /// 200 with a JSON text that runs on for this long, in chunks, without saying so beforehand.
    pub fn huge(bytes: u64) -> Self {
        let mut answer = Answer::new(200, "application/json", r#"{"access_token":""#);
        answer.filler_bytes = bytes;
        Self::answer(answer)
    }

    /// 200 with the first part of a JSON object.
    pub fn half_json() -> Self {
        Self::answer(Answer::new(200, "application/json", r#"{"access_token":"demo_at_half","token_ty"#))
    }

    /// 307 to another address, which asks the caller to send its secrets there.
    pub fn redirect_to(url: &str) -> Self {
        Self::answer(Answer { status: 307, ..Answer::default() }.header("location", url))
    }

    /// An OAuth error with status 400 (401 for `invalid_client`), nothing spent.
    pub fn oauth_error(code: &str) -> Self {
        let status = if code == "invalid_client" { 401 } else { 400 };
        let body = serde_json::json!({ "error": code, "error_description": "fault on request" });
        Self::answer(Answer::new(status, "application/json", &body.to_string()))
    }

    pub fn omit(field: &str) -> Self {
        Self::alter(Alter::Omit(field.to_owned()))
    }

    pub fn set(field: &str, value: impl Into<Value>) -> Self {
        Self::alter(Alter::Set { field: field.to_owned(), value: value.into() })
    }

    pub fn form_encoded() -> Self {
        Self::alter(Alter::FormEncoded)
    }

    /// Authenticate with parameters or be refused.
    pub fn reject_header_auth() -> Self {
        Self::before(Act::RejectHeaderAuth)
    }

    /// Slow for ever: the connection stays, the answer never comes, nothing is spent.
    pub fn hang() -> Self {
        Self::before(Act::Hang)
    }

    pub fn before(act: Act) -> Self {
        Self { before: vec![act], ..Self::default() }
    }

    pub fn after(act: Act) -> Self {
        Self { after: vec![act], ..Self::default() }
    }

    pub fn alter(alter: Alter) -> Self {
        Self { alter: vec![alter], ..Self::default() }
    }

    /// Both, this one first.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.before.extend(other.before);
        self.after.extend(other.after);
        self.alter.extend(other.alter);
        self
    }
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Faults {
    rules: Mutex<Rules>,
}

#[derive(Default)]
struct Rules {
    queue: VecDeque<(u64, Rule)>,
    made: u64,
}

impl Faults {
    pub(crate) fn inject(&self, rule: Rule) -> u64 {
        let mut rules = self.lock();
        rules.made += 1;
        let number = rules.made;
        if rule.times != Times::Next(0) {
            rules.queue.push_back((number, rule));
        }
        number
    }

    pub(crate) fn remove(&self, number: u64) -> bool {
        let mut rules = self.lock();
        let before = rules.queue.len();
        rules.queue.retain(|(at, _)| *at != number);
        rules.queue.len() < before
    }

    pub(crate) fn clear(&self) {
        self.lock().queue.clear();
    }

    pub(crate) fn list(&self) -> Vec<(u64, Rule)> {
        self.lock().queue.iter().cloned().collect()
    }

    /// The fault this call meets, which is used up by it.
    pub(crate) fn take(&self, endpoint: Endpoint, grant: Grant, client: Option<&str>) -> Option<Fault> {
        let mut rules = self.lock();
        let mut taken = None;
        for (position, (_, rule)) in rules.queue.iter_mut().enumerate() {
            if !rule.fits(endpoint, grant, client) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            let used_up = match &mut rule.times {
                Times::Always => false,
                Times::Next(left) => {
                    *left = left.saturating_sub(1);
                    *left == 0
                }
            };
            taken = Some((position, used_up, rule.fault.clone()));
            break;
        }
        let (position, used_up, fault) = taken?;
        if used_up {
            rules.queue.remove(position);
        }
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
