//! The handle by which a test reads the ledger, asks for faults, and plays the person; in process or over HTTP.
//!
//! Over HTTP only when the options say so, and only as JSON, which a page from elsewhere cannot send unasked:
//! GET `/_control/ledger?after=N` · GET, POST, DELETE `/_control/faults` · DELETE `/_control/faults/N` ·
//! POST `/_control/release` · POST `/_control/families/N/withdraw`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Router, http::header};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::call::{is_type, read_body};
use crate::faults::Rule;
use crate::ledger::{End, Ledger};
use crate::options::{ClientAuth, Rotation};
use crate::reply::Reply;
use crate::state::App;
use crate::tokens::Consent;
use crate::{authorize, clients, device};

/// Power over a provider that runs.
#[derive(Clone)]
pub struct Control {
    app: Arc<App>,
}

/// A fault rule in force, by the number that `inject` gave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    pub number: u64,
    pub rule: Rule,
}

/// What the provider knows of one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    pub serial: u64,
    pub family: u64,
    pub is_refresh_token: bool,
    /// Not expired, not spent, family not revoked.
    pub is_live: bool,
}

impl Control {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { app }
    }

    pub fn ledger(&self) -> Ledger {
        self.ledger_after(0)
    }

    /// Only the entries behind this number; families and totals whole.
    pub fn ledger_after(&self, number: u64) -> Ledger {
        let state = self.app.state();
        state.journal.snapshot(number, state.tokens.families())
    }

    pub fn inspect(&self, token: &str) -> Option<Inspection> {
        let now = self.app.now();
        let state = self.app.state();
        state.tokens.view(now, token).map(|view| Inspection {
            serial: view.serial,
            family: view.family,
            is_refresh_token: view.is_refresh,
            is_live: view.live,
        })
    }

    /// Puts a rule behind those in force, and returns its number.
    pub fn inject(&self, rule: Rule) -> u64 {
        self.app.faults.inject(rule)
    }

    /// False when the rule is used up or was never there.
    pub fn remove_fault(&self, number: u64) -> bool {
        self.app.faults.remove(number)
    }

    pub fn clear_faults(&self) {
        self.app.faults.clear();
    }

    pub fn faults(&self) -> Vec<Stored> {
        self.app.faults.list().into_iter().map(|(number, rule)| Stored { number, rule }).collect()
    }

    /// How many calls a `Hold` keeps right now.
    pub fn held(&self) -> usize {
        self.app.gate.held()
    }

    /// Waits until a `Hold` keeps at least this many calls.
    pub async fn until_held(&self, calls: usize) {
        self.app.gate.until_held(calls).await;
    }

    /// Lets every held call go on.
    pub fn release(&self) {
        self.app.gate.open();
    }

    /// Ends a family as a person does who withdraws consent; false when it is not alive.
    pub fn withdraw(&self, family: u64) -> bool {
        self.app.state().tokens.end(family, End::Withdrawn)
    }

    pub fn withdraw_all(&self) {
        self.app.state().tokens.end_all(End::Withdrawn);
    }

    /// Holds for tokens issued from now on.
    pub fn set_access_life(&self, life: Duration) {
        self.app.state().terms.access_life = life;
    }

    pub fn set_rotation(&self, rotation: Rotation) {
        self.app.state().terms.rotation = rotation;
    }

    pub fn set_client_auth(&self, accepted: ClientAuth) {
        self.app.state().client_auth = accepted;
    }

    pub fn set_auto_approve(&self, approve: bool) {
        self.app.state().auto_approve = approve;
    }

    /// Plays a person who agrees, without a browser: a code bound to no address and no challenge. `None` when no
    /// such client is registered.
    pub fn code(&self, client: &str, scope: Option<&str>) -> Option<String> {
        let client = clients::registered(&self.app, client)?.id.clone();
        let consent = Consent {
            client,
            person: Some(self.app.options.person.clone()),
            scope: scope.map(str::to_owned),
            nonce: None,
            agreed_at: self.app.now(),
        };
        Some(authorize::issue(&self.app, consent, None, None))
    }

    /// Plays the person at a device's page: `Some(name)` agrees, `None` denies. False when no such request waits.
    pub fn answer_device(&self, user_code: &str, agreed: Option<&str>) -> bool {
        device::answer(&self.app, user_code, agreed)
    }
}

type Shared = State<Arc<App>>;

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/_control/ledger", get(read_ledger))
        .route("/_control/faults", get(list_faults).post(add_fault).delete(clear_faults))
        .route("/_control/faults/{number}", delete(remove_fault))
        .route("/_control/release", post(release))
        .route("/_control/families/{number}/withdraw", post(withdraw))
}

async fn read_ledger(State(app): Shared, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default();
    let mut after = 0;
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match value.parse() {
            Ok(number) if name == "after" => after = number,
            _ => return refuse("the only parameter is `after`, a number"),
        }
    }
    json_response(&Control::new(app).ledger_after(after))
}

async fn list_faults(State(app): Shared) -> Response {
    json_response(&Control::new(app).faults())
}

async fn add_fault(State(app): Shared, request: Request) -> Response {
    if !is_type(request.headers(), "application/json") {
        return refuse("content type must be application/json");
    }
    let bytes = match read_body(request.into_body()).await {
        Ok(bytes) => bytes,
        Err(status) => return status.into_response(),
    };
    match serde_json::from_slice::<Rule>(&bytes) {
        Ok(rule) => Reply::json(json!({ "number": Control::new(app).inject(rule) })).into_response(),
        Err(error) => refuse(&format!("not a fault rule: {error}")),
    }
}

async fn clear_faults(State(app): Shared) -> StatusCode {
    Control::new(app).clear_faults();
    StatusCode::NO_CONTENT
}

async fn remove_fault(State(app): Shared, Path(number): Path<u64>) -> StatusCode {
    found(Control::new(app).remove_fault(number))
}

async fn release(State(app): Shared, request: Request) -> Response {
    if !is_type(request.headers(), "application/json") {
        return refuse("content type must be application/json");
    }
    let control = Control::new(app);
    let held = control.held();
    control.release();
    Reply::json(json!({ "released": held })).into_response()
}

async fn withdraw(State(app): Shared, Path(number): Path<u64>, request: Request) -> Response {
    if !is_type(request.headers(), "application/json") {
        return refuse("content type must be application/json");
    }
    found(Control::new(app).withdraw(number)).into_response()
}

fn found(it: bool) -> StatusCode {
    if it { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

fn json_response(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn refuse(problem: &str) -> Response {
    let mut reply = Reply::json(json!({ "error": problem }));
    reply.status = StatusCode::BAD_REQUEST;
    reply.into_response()
}
