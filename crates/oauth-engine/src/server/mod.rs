//! Keeps the OAuth servers that a mount knows, and hands them out ready to use.
//!
//! Invariants: handing out a server reads storage at most once after it was written, and never the network; what was
//! built from a record that has changed since is not kept. Knows nothing of credentials.

mod record;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vestal_crypto::SecretString;
use vestal_logical::{Error, Kind, MountContext, Timestamp};
use vestal_storage::{Changes, Child, Place, Stamped, StorageError};

use crate::config::Config;
pub(crate) use crate::providers::Lesson;
use crate::providers::{Options, Provider, ProviderKind, build, prepare};
pub(crate) use record::ServerRecord;

/// Servers that are kept ready at a time.
const READY: usize = 1024;

/// A server, ready to use.
pub(crate) struct Server {
    /// As the user named it.
    pub(crate) name: String,
    /// Its sealed name in hex: what stands in the due index.
    pub(crate) id: String,
    /// Another one after each write by a client (also after deleting and writing anew), the same after what was learned
    /// is stored.
    pub(crate) revision: u64,
    /// Whether these very settings have served so that something was learned of them.
    pub(crate) proven: bool,
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

/// What a client writes.
pub(crate) struct Draft {
    pub(crate) client_id: String,
    pub(crate) client_secrets: Vec<SecretString>,
    pub(crate) auth_url_params: Option<BTreeMap<String, String>>,
    pub(crate) kind: ProviderKind,
    pub(crate) provider: String,
    pub(crate) provider_options: Options,
}

/// The servers of one mount.
pub(crate) struct Servers {
    context: MountContext,
    ready: Mutex<Ready>,
}

#[derive(Default)]
struct Ready {
    /// Counts changes, so that what was read before one is not kept after it.
    changes: u64,
    servers: HashMap<String, Arc<Server>>,
}

impl Servers {
    pub(crate) async fn open(context: &MountContext) -> Result<Self, Error> {
        Ok(Self { context: context.clone(), ready: Mutex::default() })
    }

    /// The server of that name.
    pub(crate) async fn get(&self, name: &str) -> Result<Arc<Server>, ServerProblem> {
        let seen = {
            let ready = self.ready();
            if let Some(server) = ready.servers.get(name) {
                return Ok(Arc::clone(server));
            }
            ready.changes
        };
        let record = self.read(name).await.map_err(ServerProblem::Storage)?.ok_or(ServerProblem::Missing)?;
        let provider =
            build(&record.settings(&BTreeMap::new()), &self.context.http).map_err(ServerProblem::Unusable)?;
        let id = self.id(name).map_err(ServerProblem::Storage)?;
        let proven = record.lesson != Lesson::default();
        let server =
            Arc::new(Server { name: name.to_owned(), id, revision: record.revision, proven, provider });
        let mut ready = self.ready();
        if ready.changes == seen {
            if ready.servers.len() >= READY {
                ready.servers.clear();
            }
            ready.servers.insert(name.to_owned(), Arc::clone(&server));
        }
        Ok(server)
    }

    /// The server that a request means: the one it names, else the default one (§3.0).
    pub(crate) async fn resolve(&self, asked: Option<&str>, config: &Config) -> Result<Arc<Server>, Error> {
        let asked = asked.filter(|name| !name.is_empty()).unwrap_or(&config.default_server);
        if asked.is_empty() {
            return Err(Error::invalid("missing server (consider configuring a default server)"));
        }
        self.get(asked).await.map_err(|problem| problem.into_error(asked))
    }

    /// Its sealed name in hex, whether it exists or not.
    pub(crate) fn id(&self, name: &str) -> Result<String, StorageError> {
        self.context.view.id(&place(name)).map(|id| id.to_string())
    }

    /// Keeps what was learned, if it is new and the server is still of that revision. Failing is no matter.
    pub(crate) async fn learn(&self, server: &Server, lesson: Lesson) {
        if let Err(failure) = self.try_learn(server, lesson).await {
            tracing::debug!(%failure, "what was learned of a server could not be kept");
        }
    }

    async fn try_learn(&self, server: &Server, lesson: Lesson) -> Result<(), StorageError> {
        let Some(found) = self.read(&server.name).await? else { return Ok(()) };
        let mut record = found.value;
        let learned = lesson.and(record.lesson);
        if record.revision != server.revision || record.lesson == learned {
            return Ok(());
        }
        record.lesson = learned;
        let (view, place) = (&self.context.view, place(&server.name));
        let mut changes = Changes::new();
        changes.put(view, &place, &record)?.expect(view, &place, found.stamp)?;
        view.commit(changes).await?;
        self.forget(&server.name);
        Ok(())
    }

    /// The record of that name, as it is stored.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<Stamped<ServerRecord>>, StorageError> {
        self.context.view.get(&place(name)).await
    }

    /// All names, sorted by bytes.
    pub(crate) async fn names(&self) -> Result<Vec<String>, StorageError> {
        let children = self.context.view.list(&Place::root().plain("server")).await?;
        Ok(children.iter().map(Child::shown).collect())
    }

    /// Writes a server, in the place of the one of that name. Its provider is asked and built first: what could not be
    /// used is refused with the text that says why.
    pub(crate) async fn write(&self, name: &str, draft: Draft, now: Timestamp) -> Result<(), Error> {
        let http = &self.context.http;
        let discovered =
            prepare(draft.kind, &draft.provider_options, http, now).await.map_err(Error::invalid)?;
        let record = ServerRecord {
            revision: u64::from_be_bytes(vestal_crypto::entropy::array(self.context.entropy.as_ref())),
            client_id: draft.client_id,
            client_secrets: draft.client_secrets,
            auth_url_params: draft.auth_url_params,
            provider: draft.provider,
            provider_version: draft.kind.version(),
            provider_options: draft.provider_options,
            discovered,
            lesson: Lesson::default(),
        };
        build(&record.settings(&BTreeMap::new()), http).map_err(Error::invalid)?;
        let mut changes = Changes::new();
        changes.put(&self.context.view, &place(name), &record)?;
        self.commit(name, changes).await
    }

    /// Deletes a server; none of that name is fine.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        let mut changes = Changes::new();
        changes.delete(&self.context.view, &place(name))?.reserved();
        self.commit(name, changes).await
    }

    async fn commit(&self, name: &str, changes: Changes) -> Result<(), Error> {
        let outcome = self.context.view.commit(changes).await;
        // Also after a failure: it may be unknown whether the change took place.
        self.forget(name);
        outcome?;
        Ok(())
    }

    fn forget(&self, name: &str) {
        let mut ready = self.ready();
        ready.changes += 1;
        ready.servers.remove(name);
    }

    fn ready(&self) -> MutexGuard<'_, Ready> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(name: &str) -> Place {
    Place::root().plain("server").leaf(name)
}
