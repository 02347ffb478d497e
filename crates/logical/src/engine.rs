//! What can be mounted: opened at mount or unseal, dropped at unmount or seal.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use vestal_crypto::Entropy;
use vestal_storage::barrier::View;

use crate::table::Bound;
use crate::{Clock, Dispatch, Endpoints, Error, HttpTransport, MountPoint, Table, Timestamp};

/// Everything an engine may touch.
#[derive(Clone)]
pub struct MountContext {
    /// Its records, and no others.
    pub view: View,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The network.
    pub http: Arc<dyn HttpTransport>,
    /// Where it is mounted.
    pub mount: Arc<MountPoint>,
}

/// Work that goes on in the background while the mount is open. The kernel restarts it with back-off when it panics
/// or ends, and cancels it at seal and unmount.
pub struct Task {
    /// Shown in logs.
    pub name: &'static str,
    /// Starts the work anew.
    pub start: Box<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>,
}

/// Serves secrets below a mount. One value per mount.
pub trait Engine: Send + Sync + Sized + 'static {
    /// All that it serves.
    fn endpoints() -> Endpoints<Self>;

    /// Opens the mount's records and recovers what a crash left behind. Never calls out to the network.
    fn open(mount: MountContext) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Background work.
    fn tasks(self: &Arc<Self>) -> Vec<Task> {
        Vec::new()
    }

    /// Settles what must not be lost, until `deadline`. Called after the last call and after its tasks are cancelled.
    fn close(self: &Arc<Self>, deadline: Timestamp) -> impl Future<Output = ()> + Send {
        let _ = deadline;
        std::future::ready(())
    }
}

/// An engine at its mount, its type erased.
#[derive(Clone)]
pub struct Mounted {
    /// Finds endpoints and runs handlers.
    pub dispatch: Arc<dyn Dispatch>,
    tasks: Arc<dyn Fn() -> Vec<Task> + Send + Sync>,
    close: Arc<dyn Fn(Timestamp) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Mounted {
    fn new<E: Engine>(engine: E, table: Arc<Table<E>>) -> Self {
        let engine = Arc::new(engine);
        let (working, closing) = (Arc::clone(&engine), Arc::clone(&engine));
        Self {
            dispatch: Arc::new(Bound { engine, table }),
            tasks: Arc::new(move || working.tasks()),
            close: Arc::new(move |deadline| {
                let engine = Arc::clone(&closing);
                Box::pin(async move { engine.close(deadline).await })
            }),
        }
    }

    /// The engine's background work.
    #[must_use]
    pub fn tasks(&self) -> Vec<Task> {
        (self.tasks)()
    }

    /// Settles what must not be lost, until `deadline`.
    pub async fn close(&self, deadline: Timestamp) {
        (self.close)(deadline).await;
    }
}

type Open = Arc<dyn Fn(MountContext) -> BoxFuture<'static, Result<Mounted, Error>> + Send + Sync>;

/// A kind of engine that can be mounted: its registered name, which mount options it serves, and how it is opened.
#[derive(Clone)]
pub struct EngineKind {
    /// The registered name: `kv`.
    pub name: &'static str,
    /// Whether it serves a mount with these options (kv v1 and v2 share a name).
    pub serves: fn(&BTreeMap<String, String>) -> bool,
    open: Open,
}

impl EngineKind {
    /// Fails when the engine's endpoints conflict.
    pub fn new<E: Engine>(
        name: &'static str,
        serves: fn(&BTreeMap<String, String>) -> bool,
    ) -> Result<Self, Error> {
        let table = Arc::new(Table::new(E::endpoints())?);
        let open: Open = Arc::new(move |context| {
            let table = Arc::clone(&table);
            Box::pin(async move { Ok(Mounted::new(E::open(context).await?, table)) })
        });
        Ok(Self { name, serves, open })
    }

    /// Opens one mount of this kind.
    pub async fn open(&self, context: MountContext) -> Result<Mounted, Error> {
        (self.open)(context).await
    }
}
