//! Calls to a mount as clients make them, and their answers taken apart.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vestal_logical::testing::{SimClock, call};
use vestal_logical::{Body, Call, Clock, Error, Kind, MountPoint, Mounted, Operation, Reply, Timestamp};

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) enum Got {
    Data(Value, Vec<String>),
    Empty,
    Failed(Kind, String),
}

impl Got {
    pub(crate) fn data(self) -> Value {
        match self {
            Self::Data(data, _) => data,
            other => panic!("{other:?}"),
        }
    }

    /// The access token of a credential that was read.
    pub(crate) fn token(self) -> String {
        self.data()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn warnings(self) -> Vec<String> {
        match self {
            Self::Data(_, warnings) => warnings,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::Failed(_, text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// The text of a 400.
    pub(crate) fn invalid(self) -> String {
        match self {
            Self::Failed(Kind::Invalid, text) => text,
            other => panic!("{other:?}"),
        }
    }

    /// The text of a 500.
    pub(crate) fn internal(self) -> String {
        match self {
            Self::Failed(Kind::Internal | Kind::Upstream, text) => text,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn empty(self) {
        assert!(matches!(self, Self::Empty), "{self:?}");
    }
}

impl From<Result<Reply<Value>, Error>> for Got {
    fn from(result: Result<Reply<Value>, Error>) -> Self {
        match result {
            Ok(Reply { body: Body::Empty, .. }) => Self::Empty,
            Ok(reply) => Self::Data(reply.body_json(), reply.warnings),
            Err(error) => Self::Failed(error.kind(), error.text()),
        }
    }
}

/// What a call needs, so that it can be made in a task of its own.
#[derive(Clone)]
pub(crate) struct Door {
    pub(crate) mounted: Mounted,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) mount: Arc<MountPoint>,
}

impl Door {
    pub(crate) async fn call(&self, operation: Operation, path: &str, data: Value) -> Got {
        let now = self.clock.now();
        self.call_until(operation, path, data, now.plus(Duration::from_secs(90))).await
    }

    pub(crate) async fn call_until(
        &self,
        operation: Operation,
        path: &str,
        data: Value,
        deadline: Timestamp,
    ) -> Got {
        let Some(matched) = self.mounted.dispatch.find(path) else {
            return Err(Error::unsupported_path()).into();
        };
        let call = call(&self.mount, operation, path, &matched.captures, &data);
        let call = Call { now: self.clock.now(), deadline, ..call };
        self.mounted.dispatch.run(&matched, &call).await.into()
    }

    pub(crate) async fn read(&self, name: &str) -> Got {
        self.call(Operation::Read, &format!("creds/{name}"), Value::Null).await
    }

    pub(crate) async fn read_min(&self, name: &str, seconds: u64) -> Got {
        let query = json!({ "minimum_seconds": seconds.to_string() });
        self.call(Operation::Read, &format!("creds/{name}"), query).await
    }

    pub(crate) async fn write(&self, path: &str, data: Value) -> Got {
        self.call(Operation::Update, path, data).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Got {
        self.call(Operation::Delete, path, Value::Null).await
    }
}
