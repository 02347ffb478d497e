//! One mount on a simulated clock, with a network of the test's choice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use vestal_crypto::{Keyring, SeededEntropy};
use vestal_logical::testing::{SimClock, call};
use vestal_logical::{
    Body, Call, Clock, EngineKind, Error, HttpTransport, Kind, MountContext, MountPoint, Mounted, Operation,
    OutboundRequest, OutboundResponse, Timestamp, TransportError,
};
use vestal_oauth_engine::OAuthApp;
use vestal_storage::{Barrier, MemoryStore, Physical, Place};

pub(crate) const START: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// A network that is not there, and counts who tries.
#[derive(Default)]
pub(crate) struct Nowhere(AtomicUsize);

impl Nowhere {
    pub(crate) fn tries(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl HttpTransport for Nowhere {
    fn send(&self, _: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(Err(TransportError::NotSent("network is unreachable".to_owned()))))
    }
}

pub(crate) struct Mount {
    pub(crate) clock: Arc<SimClock>,
    mounted: Mounted,
    point: Arc<MountPoint>,
    context: MountContext,
}

/// An answer as `http-api` would send it: status, data or errors, warnings.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) data: Value,
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn data(self) -> Value {
        assert_eq!((self.status, self.errors), (200, Vec::new()));
        self.data
    }

    #[track_caller]
    pub(crate) fn done(self) {
        assert_eq!((self.status, self.errors), (204, Vec::new()));
    }

    /// The only error of an answer with this status.
    #[track_caller]
    pub(crate) fn refused(self, status: u16) -> String {
        assert_eq!((self.status, self.errors.len()), (status, 1), "{:?}", self.errors);
        self.errors[0].clone()
    }

    #[track_caller]
    pub(crate) fn absent(self) {
        assert_eq!((self.status, self.errors), (404, Vec::new()));
    }
}

impl Mount {
    pub(crate) async fn new(http: Arc<dyn HttpTransport>) -> Self {
        Self::at(Arc::new(SimClock::at(START)), http).await
    }

    pub(crate) async fn at(clock: Arc<SimClock>, http: Arc<dyn HttpTransport>) -> Self {
        let entropy = Arc::new(SeededEntropy::new(3));
        let store: Arc<dyn Physical> = Arc::new(MemoryStore::new());
        let epoch = store.leadership().acquire().await.unwrap();
        let keyring = Keyring::generate(entropy.as_ref(), 0);
        let barrier = Barrier::open(store, keyring, epoch, Arc::<SeededEntropy>::clone(&entropy));
        let point = Arc::new(MountPoint {
            path: "oauth2/".to_owned(),
            kind: "oauthapp".to_owned(),
            accessor: "oauthapp_1".to_owned(),
            uuid: "u-1".to_owned(),
            options: BTreeMap::new(),
            default_lease: Duration::from_hours(768),
            max_lease: Duration::from_hours(768),
        });
        let context = MountContext {
            view: barrier.view(&Place::root().plain("logical").plain("u-1")),
            clock: Arc::<SimClock>::clone(&clock),
            entropy,
            http,
            mount: Arc::clone(&point),
        };
        let kind = EngineKind::new::<OAuthApp>("oauthapp", |_| true).unwrap();
        let mounted = kind.open(context.clone()).await.unwrap();
        Self { clock, mounted, point, context }
    }

    /// The mount opened again on the same records.
    pub(crate) async fn reopened(self) -> Self {
        let kind = EngineKind::new::<OAuthApp>("oauthapp", |_| true).unwrap();
        let mounted = kind.open(self.context.clone()).await.unwrap();
        Self { mounted, ..self }
    }

    pub(crate) async fn call(&self, operation: Operation, path: &str, data: Value) -> Answer {
        let outcome = self.try_call(operation, path, data).await;
        let reads = matches!(operation, Operation::Read | Operation::List);
        match outcome {
            Ok((Some(data), warnings)) => Answer { status: 200, data, errors: Vec::new(), warnings },
            Ok((None, warnings)) => {
                let status = if reads { 404 } else { 204 };
                Answer { status, data: Value::Null, errors: Vec::new(), warnings }
            }
            Err(error) => Answer {
                status: status(error.kind()),
                data: Value::Null,
                errors: vec![error.text()],
                warnings: Vec::new(),
            },
        }
    }

    async fn try_call(
        &self,
        operation: Operation,
        path: &str,
        data: Value,
    ) -> Result<(Option<Value>, Vec<String>), Error> {
        let mut path = path.to_owned();
        if operation == Operation::List && !path.ends_with('/') {
            path.push('/');
        }
        let matched = self.mounted.dispatch.find(&path).ok_or_else(Error::unsupported_path)?;
        let now = self.clock.now();
        let call = call(&self.point, operation, &path, &matched.captures, &data);
        let call = Call { now, deadline: now.plus(Duration::from_secs(90)), ..call };
        let reply = self.mounted.dispatch.run(&matched, &call).await?;
        let data = (reply.body != Body::Empty).then(|| reply.body_json());
        Ok((data, reply.warnings))
    }

    pub(crate) async fn write(&self, path: &str, data: Value) -> Answer {
        self.call(Operation::Update, path, data).await
    }

    pub(crate) async fn read(&self, path: &str) -> Answer {
        self.call(Operation::Read, path, Value::Null).await
    }

    pub(crate) async fn list(&self, path: &str) -> Answer {
        self.call(Operation::List, path, Value::Null).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Operation::Delete, path, Value::Null).await
    }
}

fn status(kind: Kind) -> u16 {
    match kind {
        Kind::Invalid => 400,
        Kind::NotFound | Kind::UnsupportedPath => 404,
        Kind::Unsupported => 405,
        Kind::Internal | Kind::Upstream => 500,
        other => panic!("{other:?} has no place here"),
    }
}
