//! Holds what changes while the provider runs, behind one lock with short critical sections.
//!
//! Invariants: nothing waits, signs or draws randomness while the lock is held; what is spent and what the ledger
//! says of it change under the same lock. It knows nothing of HTTP.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tokio::sync::watch;

use crate::faults::Faults;
use crate::ledger::Journal;
use crate::options::{ClientAuth, Options};
use crate::signing::Signer;
use crate::tokens::{Consent, Fresh, Terms, Tokens};

/// Everything the endpoints share.
pub(crate) struct App {
    pub(crate) options: Options,
    pub(crate) signer: Signer,
    pub(crate) faults: Faults,
    pub(crate) gate: Gate,
    base_url: OnceLock<String>,
    state: Mutex<State>,
}

/// What changes.
pub(crate) struct State {
    pub(crate) terms: Terms,
    pub(crate) client_auth: ClientAuth,
    pub(crate) auto_approve: bool,
    pub(crate) tokens: Tokens,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) logins: HashMap<String, Login>,
    pub(crate) devices: HashMap<String, Device>,
    pub(crate) journal: Journal,
}

/// An authorization code handed out.
pub(crate) struct Code {
    pub(crate) consent: Consent,
    /// As the authorization request said it; absent when it relied on the registered one.
    pub(crate) redirect: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) expires_at: u64,
    /// The family it was exchanged for.
    pub(crate) spent_on: Option<u64>,
}

/// An authorization request that waits for the person.
#[derive(Clone)]
pub(crate) struct Login {
    pub(crate) client: String,
    pub(crate) redirect: url::Url,
    pub(crate) redirect_as_sent: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: Option<String>,
    pub(crate) expires_at: u64,
}

/// A device authorization request, by device code.
pub(crate) struct Device {
    pub(crate) user_code: String,
    pub(crate) client: String,
    pub(crate) scope: Option<String>,
    pub(crate) expires_at: u64,
    pub(crate) interval_ms: u64,
    pub(crate) polled_at: Option<u64>,
    pub(crate) decision: Decision,
}

/// What the person said to a device's request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    Waiting,
    Agreed {
        person: String,
        at: u64,
    },
    Denied,
    /// Tokens were fetched; the device code is dead.
    Used,
}

impl App {
    pub(crate) fn new(options: Options) -> std::io::Result<Arc<Self>> {
        let state = State {
            terms: Terms {
                rotation: options.rotation,
                access_life: options.access_life,
                refresh_life: options.refresh_life,
            },
            client_auth: options.client_auth,
            auto_approve: options.auto_approve,
            tokens: Tokens::default(),
            codes: HashMap::new(),
            logins: HashMap::new(),
            devices: HashMap::new(),
            journal: Journal::new(options.ledger_limit),
        };
        let signer = Signer::generate(options.id_token_algorithm)?;
        let base_url = match &options.public_url {
            Some(url) => OnceLock::from(url.trim_end_matches('/').to_owned()),
            None => OnceLock::new(),
        };
        let (faults, gate) = (Faults::default(), Gate::default());
        Ok(Arc::new(Self { options, signer, faults, gate, base_url, state: Mutex::new(state) }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> u64 {
        (self.options.clock)()
    }

    /// The issuer: fixed by the first listener, or by the options.
    pub(crate) fn base_url(&self) -> &str {
        self.base_url.get_or_init(|| format!("http://{}", self.options.listen))
    }

    pub(crate) fn bound_to(&self, address: std::net::SocketAddr) {
        // A later listener keeps the name the first one made known.
        let _kept = self.base_url.set(format!("http://{address}"));
    }

    /// A new unguessable string that shows what it is by its beginning.
    pub(crate) fn mint(&self, prefix: &str) -> String {
        let mut bytes = [0_u8; 24];
        (self.options.entropy)(&mut bytes);
        format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    pub(crate) fn fresh_tokens(&self) -> Fresh {
        Fresh { access: self.mint("demo_at_"), refresh: self.mint("demo_rt_") }
    }
}

impl State {
    /// Drops requests nobody came back for. Spent codes stay until they would have expired, so that reuse is seen.
    pub(crate) fn sweep(&mut self, now: u64) {
        self.codes.retain(|_, code| now < code.expires_at);
        self.logins.retain(|_, login| now < login.expires_at);
        // Kept for as long again, so that a device that polls late hears `expired_token`.
        self.devices.retain(|_, device| now < device.expires_at.saturating_add(600_000));
    }
}

/// Where a fault holds calls until a test lets them go.
pub(crate) struct Gate {
    held: watch::Sender<usize>,
    opened: watch::Sender<u64>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { held: watch::Sender::new(0), opened: watch::Sender::new(0) }
    }
}

impl Gate {
    pub(crate) async fn hold(&self) {
        let mut opened = self.opened.subscribe();
        opened.mark_unchanged();
        self.held.send_modify(|held| *held += 1);
        // The sender lives as long as `self`, so this ends only by an opening.
        let _opened = opened.changed().await;
        self.held.send_modify(|held| *held = held.saturating_sub(1));
    }

    pub(crate) fn open(&self) {
        self.opened.send_modify(|times| *times += 1);
    }

    pub(crate) fn held(&self) -> usize {
        *self.held.borrow()
    }

    pub(crate) async fn until_held(&self, count: usize) {
        let mut held = self.held.subscribe();
        // The sender lives as long as `self`, so this ends only by reaching the count.
        let _reached = held.wait_for(|held| *held >= count).await;
    }
}
