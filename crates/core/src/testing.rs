//! An unsealed kernel on a store in memory, with time that moves when told: for the tests of this crate.
//!
//! Keys come from a seed, so the same store can be opened again after a crash. `notes` is an engine to mount: it keeps
//! what is written, below `{*path}`.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use vestal_crypto::entropy::SeededEntropy;
use vestal_crypto::{Keyring, SecretString};
use vestal_logical::params::Fields;
use vestal_logical::testing::SimClock;
use vestal_logical::{
    Answer, Auth, Call, Clock, Endpoints, Engine, EngineKind, Error, HttpTransport, Kind, MountContext,
    Operation, OutboundRequest, OutboundResponse, Reply, Request, Response, Timestamp, TransportError,
    WrapAsk, WrapInfo,
};
use vestal_storage::testing::FaultStore;
use vestal_storage::{Barrier, Changes, Physical, Place, RawBytes, View};

use crate::active::{Active, Parts, Settings};
use crate::tokens::NewToken;

/// When all tests begin.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// A kernel under test.
pub(crate) struct TestVault {
    pub(crate) active: Arc<Active>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) store: Arc<FaultStore>,
    /// A root token.
    pub(crate) root: String,
}

impl TestVault {
    /// A new vault, unsealed.
    pub(crate) async fn active() -> Self {
        Self::on(FaultStore::in_memory(), 1).await.expect("a memory store does not fail")
    }

    /// A vault on this store, which may have been used before with the same keys. `seed` is of everything made from now
    /// on: give another one each time.
    pub(crate) async fn on(store: Arc<FaultStore>, seed: u64) -> Result<Self, Error> {
        Self::with(store, seed, Settings::default()).await
    }

    /// As [`on`](Self::on), with settings.
    pub(crate) async fn with(store: Arc<FaultStore>, seed: u64, settings: Settings) -> Result<Self, Error> {
        let clock = Arc::new(SimClock::at(START));
        let parts = Arc::new(Parts {
            physical: Arc::clone(&store) as Arc<dyn Physical>,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(SeededEntropy::new(seed)),
            http: Arc::new(NoNetwork),
            kinds: vec![EngineKind::new::<Notes>("notes", |_| true)?],
            settings,
        });
        let active = Active::open(Arc::clone(&parts), barrier(&store, seed).await?).await?;
        let root = active.tokens.create(NewToken::root(), START).await?.0.expose().to_owned();
        Ok(Self { active, clock, store, root })
    }

    /// A token with these policies and no others.
    pub(crate) async fn token(&self, policies: &[&str]) -> String {
        let asked = json!({ "policies": policies, "no_default_policy": !policies.contains(&"default") });
        self.write("auth/token/create", asked).as_root().send().await.token()
    }

    /// Writes a policy.
    pub(crate) async fn policy(&self, name: &str, text: &str) {
        let path = format!("sys/policies/acl/{name}");
        self.write(&path, json!({ "policy": text })).as_root().send().await.nothing();
    }

    pub(crate) fn read(&self, path: &str) -> Ask<'_> {
        self.ask(Operation::Read, path, Value::Null)
    }

    pub(crate) fn list(&self, path: &str) -> Ask<'_> {
        self.ask(Operation::List, path, Value::Null)
    }

    pub(crate) fn delete(&self, path: &str) -> Ask<'_> {
        self.ask(Operation::Delete, path, Value::Null)
    }

    pub(crate) fn write(&self, path: &str, data: Value) -> Ask<'_> {
        self.ask(Operation::Update, path, data)
    }

    /// Any request, without a token.
    pub(crate) fn ask(&self, operation: Operation, path: &str, data: Value) -> Ask<'_> {
        let now = self.clock.now();
        let data = match data {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        let request = Request {
            id: "5f0c7d1e-0000-4000-8000-000000000001".to_owned(),
            operation,
            path: path.to_owned(),
            data,
            token: None,
            wrap: None,
            peer: None,
            headers: Vec::new(),
            now,
            deadline: now.plus(Duration::from_secs(90)),
        };
        Ask { vault: self, request }
    }
}

/// A barrier on this store with the keys of all tests.
pub(crate) async fn barrier(store: &Arc<FaultStore>, seed: u64) -> Result<Barrier, Error> {
    let keyring = Keyring::generate(&SeededEntropy::new(0), 0);
    let epoch = store.leadership().acquire().await?;
    let entropy = Arc::new(SeededEntropy::new(seed.wrapping_add(1 << 32)));
    Ok(Barrier::open(Arc::clone(store) as Arc<dyn Physical>, keyring, epoch, entropy))
}

/// A request in the making.
pub(crate) struct Ask<'a> {
    vault: &'a TestVault,
    pub(crate) request: Request,
}

impl Ask<'_> {
    pub(crate) fn by(mut self, token: &str) -> Self {
        self.request.token = Some(SecretString::from(token));
        self
    }

    #[expect(clippy::wrong_self_convention, reason = "a request in the making is consumed at each step")]
    pub(crate) fn as_root(self) -> Self {
        let root = self.vault.root.clone();
        self.by(&root)
    }

    pub(crate) fn wrapped(mut self, seconds: u64) -> Self {
        self.request.wrap = Some(WrapAsk { ttl: Duration::from_secs(seconds) });
        self
    }

    pub(crate) async fn send(self) -> Told {
        Told(self.vault.active.serve(self.request).await)
    }
}

/// An answer, read by whoever expects it to be of one sort.
#[derive(Debug)]
pub(crate) struct Told(pub(crate) Response);

impl Told {
    fn reply(&self) -> &Reply<Value> {
        match &self.0.result {
            Ok(Answer::Open(reply)) => reply,
            other => panic!("not an open answer: {other:?}"),
        }
    }

    /// `data`.
    pub(crate) fn data(&self) -> Value {
        self.reply().body_json()
    }

    /// Asserts that the answer has no content.
    pub(crate) fn nothing(&self) {
        assert!(self.data().is_null() && self.reply().auth.is_none(), "there is content: {:?}", self.0);
    }

    pub(crate) fn auth(&self) -> &Auth {
        self.reply().auth.as_ref().expect("the answer hands out a token")
    }

    /// The token that was handed out, wrapping or not.
    pub(crate) fn token(&self) -> String {
        match &self.0.result {
            Ok(Answer::Wrapped(info)) => info.token.expose().to_owned(),
            _ => self.auth().client_token.expose().to_owned(),
        }
    }

    pub(crate) fn wrap_info(&self) -> &WrapInfo {
        match &self.0.result {
            Ok(Answer::Wrapped(info)) => info,
            other => panic!("not wrapped: {other:?}"),
        }
    }

    pub(crate) fn unwrapped(&self) -> &Value {
        match &self.0.result {
            Ok(Answer::Unwrapped(envelope)) => envelope,
            other => panic!("not unwrapped: {other:?}"),
        }
    }

    pub(crate) fn warnings(&self) -> &[String] {
        &self.reply().warnings
    }

    pub(crate) fn is_ok(&self) -> bool {
        self.0.result.is_ok()
    }

    /// Kind and texts of the failure.
    pub(crate) fn failure(&self) -> (Kind, String) {
        let error = self.0.result.as_ref().expect_err("the request fails");
        (error.kind(), error.public().concat())
    }
}

/// Nothing is ever sent.
pub(crate) struct NoNetwork;

impl HttpTransport for NoNetwork {
    fn send(&self, _: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        Box::pin(std::future::pending())
    }
}

/// An engine that keeps what is written.
struct Notes(View);

impl Engine for Notes {
    fn endpoints() -> Endpoints<Self> {
        Endpoints::new().at("{*path}", "A note.", |e| {
            e.read(Self::show, "Show a note.")
                .write(Self::keep, "Keep a note.")
                .delete(Self::forget, "Forget a note.")
                .exists(Self::exists)
        })
    }

    /// With the option `careful` opening reads, so that it can fail.
    async fn open(mount: MountContext) -> Result<Self, Error> {
        if mount.mount.options.contains_key("careful") {
            mount.view.exists(&Place::root().plain("care")).await?;
        }
        Ok(Self(mount.view))
    }
}

impl Notes {
    fn place(call: &Call) -> Place {
        Place::root().path(call.capture("path"))
    }

    async fn exists(notes: &Arc<Self>, call: &Call) -> Result<bool, Error> {
        Ok(notes.0.exists(&Self::place(call)).await?)
    }

    async fn show(notes: &Arc<Self>, call: &Call, _: Fields) -> Result<Reply<Value>, Error> {
        let note = notes.0.get::<RawBytes>(&Self::place(call)).await?;
        Ok(note.map_or_else(Reply::empty, |note| {
            Reply::data(serde_json::from_slice(note.as_bytes()).expect("a note is JSON"))
        }))
    }

    async fn keep(notes: &Arc<Self>, call: &Call, p: Fields) -> Result<Reply<Value>, Error> {
        let mut changes = Changes::new();
        let note = serde_json::to_vec(&p.0).map_err(Error::internal)?;
        changes.put(&notes.0, &Self::place(call), &RawBytes::new(note))?;
        notes.0.commit(changes).await?;
        Ok(Reply::empty())
    }

    async fn forget(notes: &Arc<Self>, call: &Call, _: Fields) -> Result<Reply<Value>, Error> {
        let mut changes = Changes::new();
        changes.delete(&notes.0, &Self::place(call))?;
        notes.0.commit(changes).await?;
        Ok(Reply::empty())
    }
}
