//! States everything about a provider that its starter may choose.
//!
//! Time, randomness and waiting come in as functions, so that a test can simulate all three; the defaults here are
//! the crate's only contact with the wall clock, the system's randomness and tokio's timer. The signing key of ID
//! tokens is the one thing not drawn from `entropy`: the library that signs brings its own generator.

use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Unix time in milliseconds, by which the life of every token is measured.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Fills a buffer with random bytes.
pub type Entropy = Arc<dyn Fn(&mut [u8]) + Send + Sync>;
/// Waits; used by faults that delay.
pub type Sleep = Arc<dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// How a provider is set up. `Options::default()` suits the demonstration: 20-second access tokens, single-use
/// refresh tokens, one confidential client `demo-client` / `demo-secret` that may return to any loopback address.
#[derive(Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The issuer and base of every URL handed out; by default `http://` and the address listened on.
    pub public_url: Option<String>,
    /// Life of an access token; a part of a second is cut from `expires_in`.
    pub access_life: Duration,
    /// Life of a refresh token, renewed with each rotation; `None` is for ever. When set, answers carry
    /// `refresh_token_expires_in` as Webex does.
    pub refresh_life: Option<Duration>,
    /// Life of an authorization code.
    pub code_life: Duration,
    /// Life of a device code.
    pub device_life: Duration,
    /// Shortest pause between two polls of a device.
    pub device_interval: Duration,
    /// What becomes of a refresh token that was used.
    pub rotation: Rotation,
    /// Who may call.
    pub clients: Vec<Client>,
    /// Which form of client authentication the token endpoint takes.
    pub client_auth: ClientAuth,
    /// The person the login page proposes.
    pub person: String,
    /// Answer authorization and device requests at once, as if the person had agreed.
    pub auto_approve: bool,
    /// Serve `/_control/*` over HTTP.
    pub control: bool,
    /// How ID tokens are signed.
    pub id_token_algorithm: IdTokenAlgorithm,
    /// Keep only this many of the newest ledger entries; counts and families are never capped.
    pub ledger_limit: Option<usize>,
    pub clock: Clock,
    pub entropy: Entropy,
    pub sleep: Sleep,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            access_life: Duration::from_secs(20),
            refresh_life: None,
            code_life: Duration::from_mins(1),
            device_life: Duration::from_mins(5),
            device_interval: Duration::from_secs(5),
            rotation: Rotation::Single,
            clients: vec![Client::demo()],
            client_auth: ClientAuth::Any,
            person: "Jane Doe".to_owned(),
            auto_approve: false,
            control: false,
            id_token_algorithm: IdTokenAlgorithm::Es256,
            ledger_limit: None,
            clock: wall_clock(),
            entropy: system_entropy(),
            sleep: tokio_sleep(),
        }
    }
}

/// What becomes of a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It stays good; every answer repeats it.
    Reusable,
    /// It is replaced, but for this long the last one spent may come again and gets the same successor, as long as
    /// nobody has used that successor. Anything else is reuse, and revokes the family.
    Grace(Duration),
    /// It is replaced, and coming again at all revokes the family (RFC 9700, section 4.14.2).
    Single,
}

/// Which form of client authentication the token endpoint takes; the other one is `invalid_client`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    Any,
    /// Only the `Authorization: Basic` header.
    Header,
    /// Only `client_id` and `client_secret` in the body.
    Parameters,
}

/// How ID tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdTokenAlgorithm {
    Es256,
    Rs256,
}

/// A registered client. Without a secret it is a public one, which must use PKCE (RFC 9700, section 2.1.1).
#[derive(Clone)]
pub struct Client {
    pub id: String,
    /// Any of these is accepted, as during a rotation of secrets; none at all makes the client public.
    pub secrets: Vec<String>,
    pub redirects: Redirects,
}

impl Client {
    /// The client of the demonstration.
    pub fn demo() -> Self {
        Self::confidential("demo-client", "demo-secret")
    }

    pub fn confidential(id: &str, secret: &str) -> Self {
        Self { id: id.to_owned(), secrets: vec![secret.to_owned()], redirects: Redirects::AnyLoopback }
    }

    pub fn public(id: &str) -> Self {
        Self { id: id.to_owned(), secrets: Vec::new(), redirects: Redirects::AnyLoopback }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("secrets", &self.secrets.len())
            .field("redirects", &self.redirects)
            .finish()
    }
}

/// Where a client may have the browser sent back to.
#[derive(Clone, Debug)]
pub enum Redirects {
    /// Any `http` or `https` address on this machine.
    AnyLoopback,
    /// Same origin as one of these, and a path equal to its path or below it.
    Below(Vec<String>),
}

#[expect(clippy::disallowed_methods, reason = "the default for those who bring no clock of their own")]
fn wall_clock() -> Clock {
    Arc::new(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    })
}

#[expect(clippy::disallowed_methods, reason = "the default for those who bring no entropy of their own")]
fn system_entropy() -> Entropy {
    Arc::new(|buffer| {
        if getrandom::fill(buffer).is_err() {
            // A predictable token is worse than no provider.
            std::process::abort();
        }
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "faults delay in real time unless a test brings its own waiting"
)]
fn tokio_sleep() -> Sleep {
    Arc::new(|how_long| Box::pin(tokio::time::sleep(how_long)))
}
