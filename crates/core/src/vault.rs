//! The public handle: a vault that is not initialised, sealed, or active, swapped whole.
//!
//! Endpoints that answer in any state are served here and are not audited; everything else goes to the active kernel.
//! Changes of state (initialising, unsealing, sealing) happen one at a time. Knows nothing of policies or engines.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex;
use vestal_crypto::{Keyring, RootKey, SealKey, SecretString};
use vestal_logical::{
    Answer, Call, Clock, Error, Kind, Matched, MountPoint, Operation, Reply, Request, Response, Table,
    Timestamp,
};
use vestal_storage::{Barrier, Changes, Epoch, StorageError};

use crate::active::{Active, Parts};
use crate::audit;
use crate::seal::{self, InitAsk, InitOutcome, InitPlan, Progress, StoredSeal, Submitted};
use crate::sys::status;
use crate::tokens::{NewToken, TokenStore};

/// A vault in one of its states.
pub struct Vault {
    parts: Arc<Parts>,
    table: Table<Self>,
    mount: Arc<MountPoint>,
    state: RwLock<State>,
    /// Held through every change of state. It guards the shares that have come in.
    change: Mutex<Progress>,
}

/// What requests meet. `Standby` joins these when a store can be shared by several nodes.
#[derive(Clone)]
pub(crate) enum State {
    Uninitialized,
    Sealed { seal: Arc<StoredSeal>, progress: usize, nonce: String },
    Active { seal: Arc<StoredSeal>, active: Arc<Active> },
}

impl Vault {
    /// Looks what state the store is in. A vault that unseals itself does so in [`unseal_itself`](Self::unseal_itself).
    pub async fn open(parts: Parts) -> Result<Arc<Self>, Error> {
        audit::check_declared(&parts.settings.audit)?;
        let state = match StoredSeal::read(parts.physical.as_ref()).await? {
            None => State::Uninitialized,
            Some(seal) => State::Sealed { seal: Arc::new(seal), progress: 0, nonce: String::new() },
        };
        let mount = MountPoint {
            path: "sys/".to_owned(),
            kind: "system".to_owned(),
            accessor: String::new(),
            uuid: String::new(),
            options: BTreeMap::new(),
            default_lease: Duration::ZERO,
            max_lease: Duration::ZERO,
        };
        Ok(Arc::new(Self {
            parts: Arc::new(parts),
            table: Table::new(status::endpoints())?,
            mount: Arc::new(mount),
            state: RwLock::new(state),
            change: Mutex::default(),
        }))
    }

    /// The clock that requests are stamped with.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// A fresh id for a request: a UUID from the kernel's own randomness.
    #[must_use]
    pub fn request_id(&self) -> String {
        let bytes = vestal_crypto::entropy::array(self.parts.entropy.as_ref());
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(crate) fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn become_state(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Answers one request, whatever the state.
    pub async fn handle(self: &Arc<Self>, request: Request) -> Response {
        let status_path = request.path.strip_prefix("sys/").and_then(|path| self.table.find(path));
        let vault = Arc::clone(self);
        if let Some(matched) = status_path {
            return survive(&request.clone(), async move { vault.answer_status(request, &matched).await })
                .await;
        }
        let State::Active { active, .. } = self.state() else { return self.refuse_sealed(&request) };
        if request.path == "sys/seal" && request.operation.is_write() {
            return survive(&request.clone(), async move { vault.serve_and_seal(&active, request).await })
                .await;
        }
        active.serve(request).await
    }

    async fn answer_status(self: &Arc<Self>, request: Request, matched: &Matched) -> Response {
        let (id, path, operation) = (request.id.clone(), request.path.clone(), request.operation);
        if operation == Operation::Help {
            let result = self.table.declaration(matched).map(|declaration| {
                let text = declaration.help(&path, &self.mount.path);
                let help = serde_json::json!({ "help": text, "see_also": null, "openapi": null });
                Answer::Open(Box::new(Reply::plain(help)))
            });
            return Response { request_id: id, path, operation, result };
        }
        let call = self.status_call(request, matched.captures.clone());
        let reply = self.table.run(self, matched, &call).await.map_err(without_frame);
        Response { request_id: id, path, operation, result: reply.map(|reply| Answer::Open(Box::new(reply))) }
    }

    /// The kernel authorises and records the wish, the vault carries it out, then the caller hears of it.
    async fn serve_and_seal(&self, active: &Arc<Active>, request: Request) -> Response {
        let response = active.serve(request).await;
        if response.result.is_ok() {
            self.seal().await;
        }
        response
    }

    /// Sealing what is sealed is done already; everything else has to wait for unsealing.
    fn refuse_sealed(&self, request: &Request) -> Response {
        let done = request.path == "sys/seal" && request.operation.is_write();
        let sealed = matches!(self.state(), State::Sealed { .. });
        Response {
            request_id: request.id.clone(),
            path: request.path.clone(),
            operation: request.operation,
            result: if done && sealed {
                Ok(Answer::Open(Box::new(Reply::empty())))
            } else {
                Err(Error::new(Kind::Sealed, "Vault is sealed"))
            },
        }
    }

    fn status_call(&self, request: Request, captures: Vec<(&'static str, String)>) -> Call {
        Call {
            id: request.id,
            operation: request.operation,
            mount: Arc::clone(&self.mount),
            path: request.path.trim_start_matches("sys/").to_owned(),
            captures,
            data: request.data,
            caller: None,
            credential: None,
            wrap: None,
            peer: request.peer,
            now: request.now,
            deadline: request.deadline,
        }
    }

    /// Makes a new vault: keys, shares and a first root token, shown once. The vault is sealed afterwards.
    pub async fn initialize(self: &Arc<Self>, ask: InitAsk) -> Result<InitOutcome, Error> {
        let progress = self.change.lock().await;
        if !matches!(self.state(), State::Uninitialized) {
            return Err(Error::invalid("Vault is already initialized"));
        }
        let parts = Arc::clone(&self.parts);
        let plan = tokio::task::spawn_blocking(move || {
            InitPlan::make(&parts.settings.seal, &ask, parts.entropy.as_ref(), parts.clock.as_ref())
        });
        let plan = plan.await.map_err(Error::internal)??;
        let epoch = self.parts.physical.leadership().acquire().await?;
        let root_token = match self.found(&plan, epoch).await {
            Ok(token) => token,
            Err(error) => {
                // Another process made the vault between our look and our write; or the store failed.
                if let Some(seal) = StoredSeal::read(self.parts.physical.as_ref()).await? {
                    let seal = Arc::new(seal);
                    self.become_state(State::Sealed { seal, progress: 0, nonce: String::new() });
                }
                return Err(error);
            }
        };
        let InitPlan { seal, keys, keys_base64, .. } = plan;
        self.become_state(State::Sealed { seal: Arc::new(seal), progress: 0, nonce: String::new() });
        drop(progress);
        // The keys and the token are told only once, so nothing from here on may keep them from the caller.
        if let Err(error) = self.unseal_itself().await {
            tracing::error!(%error, "the new vault stays sealed");
        }
        Ok(InitOutcome { keys, keys_base64, root_token })
    }

    /// Stores seal, keyring and first root token in one batch: a vault is there whole or not at all.
    async fn found(&self, plan: &InitPlan, epoch: Epoch) -> Result<SecretString, Error> {
        let (physical, entropy) = (&self.parts.physical, &self.parts.entropy);
        let barrier = Barrier::open(Arc::clone(physical), plan.keyring.clone(), epoch, Arc::clone(entropy));
        let tokens = TokenStore::open(&barrier, Arc::clone(&self.parts.clock), Arc::clone(entropy)).await?;
        let mut changes = Changes::new();
        let (token, _) = tokens.draft(&mut changes, NewToken::root(), self.parts.clock.now())?;
        changes.beside(plan.records(entropy.as_ref())?);
        let committed = barrier.commit(changes).await;
        barrier.empty();
        match committed {
            Ok(_) => Ok(token),
            Err(StorageError::Conflict) => Err(Error::invalid("Vault is already initialized")),
            Err(StorageError::Undetermined(lost)) => {
                let stored = StoredSeal::read(physical.as_ref()).await?;
                let ours = stored.is_some_and(|stored| stored.cluster_id == plan.seal.cluster_id);
                if ours { Ok(token) } else { Err(StorageError::Undetermined(lost).into()) }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a sealed vault whose key lies in a file; does nothing for a vault that people unseal. A vault and a
    /// configuration that do not fit each other are told, for whoever counts on restarts that nobody attends.
    pub async fn unseal_itself(self: &Arc<Self>) -> Result<(), Error> {
        let State::Sealed { seal, .. } = self.state() else { return Ok(()) };
        let unfit = |text: &str| Err(Error::new(Kind::Unavailable, text));
        match (&seal.kind, seal::own_key(&self.parts.settings.seal)) {
            (seal::StoredKind::File, Some(key)) => self.unseal_with_key(&key?).await,
            (seal::StoredKind::File, None) => unfit(
                "this vault is opened by a key file and the configuration names none; add `seal \"file\" { path = … }`",
            ),
            (_, Some(_)) => unfit(
                "this vault is not opened by a key file; unseal it by hand and take `seal \"file\"` out of the configuration",
            ),
            (_, None) => Ok(()),
        }
    }

    async fn unseal_with_key(self: &Arc<Self>, key: &SealKey) -> Result<(), Error> {
        let _change = self.change.lock().await;
        let State::Sealed { seal, .. } = self.state() else { return Ok(()) };
        let root = seal.unwrap_root(key).ok_or_else(|| {
            Error::new(
                Kind::Unavailable,
                "the key in the seal file does not open this vault; put the right file there and start again",
            )
        })?;
        self.activate(seal, &root).await
    }

    /// Takes one key share or passphrase; at the threshold the vault becomes active before this returns.
    pub async fn unseal(self: &Arc<Self>, key: SecretString) -> Result<(), Error> {
        let mut progress = self.change.lock().await;
        let State::Sealed { seal, .. } = self.state() else {
            return match self.state() {
                State::Active { seal, .. } => seal::refuse_unreadable(&seal, &key),
                _ => Err(Error::invalid("Vault is not initialized")),
            };
        };
        let (mut taken, asked) = (std::mem::take(&mut *progress), Arc::clone(&seal));
        let nonce = self.request_id();
        let work = tokio::task::spawn_blocking(move || {
            let submitted = taken.submit(&asked, &key, nonce);
            (taken, submitted)
        });
        let (returned, submitted) = work.await.map_err(Error::internal)?;
        *progress = returned;
        let (count, nonce) = (progress.count(), progress.nonce.clone());
        self.become_state(State::Sealed { seal: Arc::clone(&seal), progress: count, nonce });
        match submitted? {
            Submitted::Waiting => Ok(()),
            Submitted::Open(root) => self.activate(seal, &root).await,
        }
    }

    /// Forgets the shares that have come in.
    pub async fn reset_unseal(&self) -> Result<(), Error> {
        let mut progress = self.change.lock().await;
        match self.state() {
            State::Sealed { seal, .. } => {
                *progress = Progress::default();
                self.become_state(State::Sealed { seal, progress: 0, nonce: String::new() });
                Ok(())
            }
            State::Active { .. } => Err(Error::invalid("vault is unsealed")),
            State::Uninitialized => Err(Error::invalid("Vault is not initialized")),
        }
    }

    /// Builds the kernel; nothing serves until the swap at its end.
    async fn activate(self: &Arc<Self>, seal: Arc<StoredSeal>, root: &RootKey) -> Result<(), Error> {
        let epoch = self.parts.physical.leadership().acquire().await?;
        let stored = self.parts.physical.get(&seal::keyring_key()).await?;
        let damaged = || StorageError::Corrupt("the keyring".to_owned());
        let keyring = Keyring::unwrap(root, &stored.ok_or_else(damaged)?.sealed).map_err(|_| damaged())?;
        let barrier =
            Barrier::open(Arc::clone(&self.parts.physical), keyring, epoch, Arc::clone(&self.parts.entropy));
        match Active::open(Arc::clone(&self.parts), barrier.clone()).await {
            Ok(active) => {
                self.become_state(State::Active { seal, active });
                tracing::info!("vault is unsealed");
                Ok(())
            }
            Err(error) => {
                barrier.empty();
                Err(error)
            }
        }
    }

    /// Seals: refuses new calls, lets those under way finish, settles refreshes, forgets the keys.
    pub async fn seal(&self) {
        let mut progress = self.change.lock().await;
        let State::Active { seal, active } = self.state() else { return };
        self.become_state(State::Sealed { seal, progress: 0, nonce: String::new() });
        *progress = Progress::default();
        active.close(self.drain_deadline()).await;
        if let Err(error) = self.parts.physical.leadership().release().await {
            tracing::warn!(%error, "leadership could not be given back");
        }
        tracing::info!("vault is sealed");
    }

    fn drain_deadline(&self) -> Timestamp {
        self.parts.clock.now().plus(self.parts.settings.drain)
    }

    /// Seals and lets go of the store.
    pub async fn shutdown(&self) -> Result<(), Error> {
        self.seal().await;
        self.parts.physical.close().await.map_err(Error::from)
    }

    /// Opens audit files anew, for whoever rotated them.
    pub async fn reopen(&self) {
        if let State::Active { active, .. } = self.state() {
            active.audit.reopen().await;
        }
    }
}

/// Runs a change of state to its end, though the client may leave.
async fn survive(request: &Request, work: impl Future<Output = Response> + Send + 'static) -> Response {
    tokio::spawn(work).await.unwrap_or_else(|failure| Response {
        request_id: request.id.clone(),
        path: request.path.clone(),
        operation: request.operation,
        result: Err(Error::internal(failure)),
    })
}

/// These endpoints answer plainly: their "unsupported operation" has no text.
fn without_frame(error: Error) -> Error {
    if error.kind() == Kind::Unsupported { Error::silent(Kind::Unsupported) } else { error }
}
