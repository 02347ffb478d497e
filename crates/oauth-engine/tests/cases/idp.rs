//! Authorization servers that live in memory, one per host name, and keep account of all that is presented to them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderMap;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use vestal_crypto::SecretBytes;
use vestal_logical::testing::SimClock;
use vestal_logical::{Clock, HttpTransport, OutboundRequest, OutboundResponse, Timestamp, TransportError};

/// What happens to refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// They stay.
    Reusable,
    /// A new one each time, and the old one is forgiven that long; later its use kills the family.
    Rotating(Duration),
    /// No refresh token is handed out.
    None,
}

/// What happens to one call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    /// This answer, and nothing is carried out.
    Answer(u16, Value, &'static [(&'static str, &'static str)]),
    /// The request never leaves.
    NotSent,
    /// It is carried out and the connection breaks.
    AnswerLost,
    /// The connection breaks before it is carried out.
    RequestLost,
    /// It waits until let go, or its time limit; carried out only when let go.
    Hang,
    /// As `Answer`, but not before it is let go.
    Late(u16, Value),
    /// A success that cannot be read; carried out.
    Garbage,
}

/// One presentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presented {
    pub(crate) host: String,
    /// `authorization_code` or `refresh_token`.
    pub(crate) grant: String,
    pub(crate) token: String,
    pub(crate) at: Timestamp,
    /// Whether an intent was durable at that moment.
    pub(crate) intended: bool,
    /// What became of it: `issued`, an error code, `answered` and a status, or `not carried out`.
    pub(crate) fate: String,
}

/// One authorization server.
pub(crate) struct Realm {
    /// `expires_in` of one answer after the other; the last one stays.
    pub(crate) lives: VecDeque<Value>,
    pub(crate) turn: Turn,
    /// Precedes the number of the token.
    pub(crate) prefix: String,
    pub(crate) script: VecDeque<Act>,
    /// What happens when the script is at its end.
    pub(crate) always: Option<Act>,
    /// Members added to each answer.
    pub(crate) extra: Map<String, Value>,
    issued: u64,
    live: HashMap<String, u64>,
    spent: HashMap<String, (Timestamp, u64)>,
    codes: HashMap<String, u64>,
}

impl Default for Realm {
    fn default() -> Self {
        Self {
            lives: VecDeque::from([json!(3600)]),
            turn: Turn::Rotating(Duration::ZERO),
            prefix: "token".to_owned(),
            script: VecDeque::new(),
            always: None,
            extra: Map::new(),
            issued: 0,
            live: HashMap::new(),
            spent: HashMap::new(),
            codes: HashMap::new(),
        }
    }
}

type Observer = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// All of them.
pub(crate) struct Idp {
    clock: Arc<SimClock>,
    realms: Mutex<BTreeMap<String, Realm>>,
    ledger: Mutex<Vec<Presented>>,
    observer: Mutex<Option<Observer>>,
    gate: watch::Sender<u64>,
}

impl Idp {
    pub(crate) fn new(clock: &Arc<SimClock>) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            realms: Mutex::default(),
            ledger: Mutex::default(),
            observer: Mutex::default(),
            gate: watch::Sender::new(0),
        })
    }

    /// Changes the server at `https://<host>`.
    pub(crate) fn with<T>(&self, host: &str, change: impl FnOnce(&mut Realm) -> T) -> T {
        change(self.realms().entry(host.to_owned()).or_default())
    }

    /// Lifetimes of the tokens to come.
    pub(crate) fn lives<const N: usize>(&self, host: &str, lives: [Value; N]) {
        self.with(host, |realm| realm.lives = lives.into());
    }

    /// What happens to the next calls.
    pub(crate) fn script<const N: usize>(&self, host: &str, acts: [Act; N]) {
        self.with(host, |realm| realm.script = acts.into());
    }

    /// All that was presented.
    pub(crate) fn ledger(&self) -> Vec<Presented> {
        self.ledger.lock().unwrap().clone()
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.ledger.lock().unwrap().len()
    }

    /// Lets all go that hang.
    pub(crate) fn let_go(&self) {
        self.gate.send_modify(|gate| *gate += 1);
    }

    /// Asked at each presentation whether an intent is durable.
    pub(crate) fn observe(&self, observer: Observer) {
        *self.observer.lock().unwrap() = Some(observer);
    }

    fn realms(&self) -> MutexGuard<'_, BTreeMap<String, Realm>> {
        self.realms.lock().unwrap()
    }

    fn carry_out(&self, host: &str, form: &HashMap<String, String>, mark: usize) -> OutboundResponse {
        let now = self.clock.now();
        let (status, body, fate) = self.with(host, |realm| realm.grant(form, now));
        self.ledger.lock().unwrap()[mark].fate = fate;
        answer(status, &body, &[])
    }
}

impl Realm {
    fn grant(&mut self, form: &HashMap<String, String>, now: Timestamp) -> (u16, Value, String) {
        let text = |name: &str| form.get(name).cloned().unwrap_or_default();
        let family = match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => {
                let code = text("code");
                if !code.starts_with("code") || self.codes.contains_key(&code) && !code.starts_with("code*") {
                    return refused("invalid_grant");
                }
                self.codes.insert(code, self.issued);
                self.issued
            }
            Some("refresh_token") => match self.take(&text("refresh_token"), now) {
                Some(family) => family,
                None => return refused("invalid_grant"),
            },
            _ => return refused("unsupported_grant_type"),
        };
        self.issued += 1;
        let mut body =
            json!({ "access_token": format!("{}_{}", self.prefix, self.issued), "token_type": "bearer" });
        let life = if self.lives.len() > 1 { self.lives.pop_front() } else { self.lives.front().cloned() };
        body["expires_in"] = life.unwrap_or(Value::Null);
        let token = match (self.turn, form.get("refresh_token")) {
            (Turn::None, _) | (Turn::Reusable, Some(_)) => None,
            (Turn::Reusable | Turn::Rotating(_), _) => Some(format!("refresh_{}", self.issued)),
        };
        if let Some(token) = token {
            self.live.insert(token.clone(), family);
            body["refresh_token"] = json!(token);
        }
        body.as_object_mut().unwrap().extend(self.extra.clone());
        (200, body, "issued".to_owned())
    }

    /// The family of a refresh token that is good, spending it as the rule says.
    fn take(&mut self, token: &str, now: Timestamp) -> Option<u64> {
        if token.starts_with("handed") && !self.live.contains_key(token) && !self.spent.contains_key(token) {
            self.live.insert(token.to_owned(), 1_000_000);
        }
        if let Some(family) = self.live.get(token).copied() {
            if let Turn::Rotating(_) = self.turn {
                self.live.remove(token);
                self.spent.insert(token.to_owned(), (now, family));
            }
            return Some(family);
        }
        let (at, family) = self.spent.get(token).copied()?;
        match self.turn {
            Turn::Rotating(grace) if now < at.plus(grace) => Some(family),
            _ => {
                self.live.retain(|_, of| *of != family);
                None
            }
        }
    }
}

fn refused(code: &str) -> (u16, Value, String) {
    (400, json!({ "error": code }), code.to_owned())
}

fn answer(status: u16, body: &Value, headers: &[(&'static str, &'static str)]) -> OutboundResponse {
    let mut map = HeaderMap::new();
    map.insert("content-type", "application/json".parse().unwrap());
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    OutboundResponse { status, headers: map, body: SecretBytes::new(body.to_string()) }
}

/// The transport of a world.
pub(crate) struct Wire(pub(crate) Arc<Idp>);

impl HttpTransport for Wire {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        let idp = Arc::clone(&self.0);
        Box::pin(async move { send(&idp, &request).await })
    }
}

async fn send(idp: &Idp, request: &OutboundRequest) -> Result<OutboundResponse, TransportError> {
    let host = request.url.host_str().unwrap().to_owned();
    let form: HashMap<String, String> =
        url::form_urlencoded::parse(request.body.expose()).into_owned().collect();
    let act = idp.with(&host, |realm| realm.script.pop_front().or_else(|| realm.always.clone()));
    if act == Some(Act::NotSent) {
        return Err(TransportError::NotSent("connection refused".to_owned()));
    }
    let looking = idp.observer.lock().unwrap().as_ref().map(|observer| observer());
    let intended = match looking {
        Some(looking) => looking.await,
        None => false,
    };
    let grant = form.get("grant_type").cloned().unwrap_or_default();
    let token = form.get("refresh_token").or_else(|| form.get("code")).cloned().unwrap_or_default();
    let mark = {
        let mut ledger = idp.ledger.lock().unwrap();
        let (at, fate) = (idp.clock.now(), "not carried out".to_owned());
        ledger.push(Presented { host: host.clone(), grant, token, at, intended, fate });
        ledger.len() - 1
    };
    match act {
        None | Some(Act::NotSent) => Ok(idp.carry_out(&host, &form, mark)),
        Some(Act::Answer(status, body, headers)) => {
            idp.ledger.lock().unwrap()[mark].fate = format!("answered {status}");
            Ok(answer(status, &body, headers))
        }
        Some(Act::RequestLost) => Err(TransportError::Reset("connection reset".to_owned())),
        Some(Act::AnswerLost) => {
            idp.carry_out(&host, &form, mark);
            Err(TransportError::Reset("connection reset".to_owned()))
        }
        Some(Act::Garbage) => {
            idp.carry_out(&host, &form, mark);
            Ok(answer(200, &json!("no object"), &[]))
        }
        Some(Act::Late(status, body)) => {
            idp.gate.subscribe().changed().await.unwrap();
            idp.ledger.lock().unwrap()[mark].fate = format!("answered {status}");
            Ok(answer(status, &body, &[]))
        }
        Some(Act::Hang) => {
            let mut gate = idp.gate.subscribe();
            let limit = request.timeout.map_or(Timestamp::MAX, |timeout| idp.clock.now().plus(timeout));
            tokio::select! {
                () = idp.clock.sleep_until(limit) => Err(TransportError::TimedOut("no answer".to_owned())),
                changed = gate.changed() => {
                    changed.unwrap();
                    Ok(idp.carry_out(&host, &form, mark))
                }
            }
        }
    }
}
