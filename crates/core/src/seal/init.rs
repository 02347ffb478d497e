//! Makes the keys of a new vault and hands out their shares, once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vestal_crypto::{Entropy, Keyring, PasswordParams, RootKey, SealKey, SecretBytes, SecretString};
use vestal_logical::{Clock, Error};
use vestal_storage::{Batch, Expect, Op, StampRule};

use super::SealSettings;
use super::key_file;
use super::stored::{StoredKind, StoredSeal, keyring_key, seal_key};

/// About half a second of work for whoever guesses at a passphrase.
const PASSPHRASE_MILLIS: u64 = 500;

/// What a new vault is to be.
#[derive(Debug, Clone)]
pub struct InitAsk {
    /// How many shares; when neither number is given, the default of the kind.
    pub shares: Option<u64>,
    /// How many of them open the vault.
    pub threshold: Option<u64>,
    /// The passphrase of a passphrase seal; without one, one is made.
    pub passphrase: Option<SecretString>,
}

/// What is shown once, at initialisation.
#[derive(Debug, Clone)]
pub struct InitOutcome {
    /// The shares in hex (or the passphrase that was made). Empty when the vault unseals itself.
    pub keys: Vec<SecretString>,
    /// The same in base64.
    pub keys_base64: Vec<SecretString>,
    /// A token that may do everything.
    pub root_token: SecretString,
}

/// The keys of a new vault before its root token is made.
pub(crate) struct InitPlan {
    pub(crate) seal: StoredSeal,
    pub(crate) keyring: Keyring,
    pub(crate) keys: Vec<SecretString>,
    pub(crate) keys_base64: Vec<SecretString>,
    root: RootKey,
}

/// Numbers that make sense, with the reference's texts.
fn quorum(ask: &InitAsk) -> Result<(u8, u8), Error> {
    let (shares, threshold) = match (ask.shares, ask.threshold) {
        (None, None) => (5, 3),
        (shares, threshold) => (shares.unwrap_or(0), threshold.unwrap_or(0)),
    };
    if shares == 0 {
        return Err(Error::invalid("invalid seal configuration: shares must be at least one"));
    }
    if threshold == 0 {
        return Err(Error::invalid("invalid seal configuration: threshold must be at least one"));
    }
    if shares > 1 && threshold == 1 {
        return Err(Error::invalid(
            "invalid seal configuration: threshold must be greater than one for multiple shares",
        ));
    }
    if shares > 255 {
        return Err(Error::invalid("invalid seal configuration: shares must be less than 256"));
    }
    if threshold > shares {
        return Err(Error::invalid("invalid seal configuration: threshold cannot be larger than shares"));
    }
    Ok((u8::try_from(shares).unwrap_or(u8::MAX), u8::try_from(threshold).unwrap_or(u8::MAX)))
}

/// A seal key, how it is to be found again, and what people are given.
struct Keyed {
    key: SealKey,
    kind: StoredKind,
    handed_out: Vec<SecretBytes>,
    /// Texts instead of bytes: a passphrase that was made.
    text: Option<SecretString>,
}

fn make_key(
    settings: &SealSettings,
    ask: &InitAsk,
    entropy: &dyn Entropy,
    clock: &dyn Clock,
) -> Result<Keyed, Error> {
    match settings {
        SealSettings::Shamir => {
            if ask.passphrase.is_some() {
                return Err(Error::invalid("`passphrase` is only for a vault with a passphrase seal"));
            }
            let (shares, threshold) = quorum(ask)?;
            let key = SealKey::generate(entropy);
            let handed_out = key.split(shares, threshold, entropy).map_err(Error::internal)?;
            Ok(Keyed { key, kind: StoredKind::Shamir { shares, threshold }, handed_out, text: None })
        }
        SealSettings::Passphrase => {
            let (passphrase, text) = match &ask.passphrase {
                Some(given) if given.expose().chars().count() < 8 => {
                    return Err(Error::invalid("`passphrase` must have at least 8 characters"));
                }
                Some(given) => (given.clone(), None),
                None => {
                    let made = SecretString::from(hex::encode(vestal_crypto::entropy::array::<16>(entropy)));
                    (made.clone(), Some(made))
                }
            };
            let params = PasswordParams::calibrate(entropy, PASSPHRASE_MILLIS, |work| {
                let begun = clock.now();
                work();
                u64::try_from(clock.now().since(begun).as_millis()).unwrap_or(u64::MAX)
            })
            .map_err(Error::internal)?;
            let key = params.derive(&passphrase).map_err(Error::internal)?;
            Ok(Keyed { key, kind: StoredKind::Passphrase { params }, handed_out: Vec::new(), text })
        }
        SealSettings::File { path } => Ok(Keyed {
            key: key_file::read_or_make(path, entropy)?,
            kind: StoredKind::File,
            handed_out: Vec::new(),
            text: None,
        }),
    }
}

impl InitPlan {
    /// Makes all keys; nothing is stored yet.
    pub(crate) fn make(
        settings: &SealSettings,
        ask: &InitAsk,
        entropy: &dyn Entropy,
        clock: &dyn Clock,
    ) -> Result<Self, Error> {
        let keyed = make_key(settings, ask, entropy, clock)?;
        let root = RootKey::generate(entropy);
        let wrapped = root.wrap(&keyed.key, entropy);
        let bytes = vestal_crypto::entropy::array(entropy);
        let cluster_id = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
        let keyring = Keyring::generate(entropy, u64::try_from(clock.now().millis()).unwrap_or(0));
        let in_hex = keyed.handed_out.iter().map(|share| SecretString::from(hex::encode(share.expose())));
        let in_base64 =
            keyed.handed_out.iter().map(|share| SecretString::from(STANDARD.encode(share.expose())));
        Ok(Self {
            seal: StoredSeal::new(keyed.kind, &wrapped, cluster_id),
            keyring,
            keys: in_hex.chain(keyed.text.clone()).collect(),
            keys_base64: in_base64.chain(keyed.text).collect(),
            root,
        })
    }

    /// Seal configuration and keyring as they are stored, unless someone else was first.
    pub(crate) fn records(&self, entropy: &dyn Entropy) -> Result<Batch, Error> {
        let put = |key, sealed| Op::Put { key, sealed, stamp: StampRule::New };
        Ok(Batch {
            ops: vec![
                put(seal_key(), self.seal.to_sealed()?),
                put(keyring_key(), self.keyring.wrap(&self.root, entropy)),
            ],
            expect: vec![(seal_key(), Expect::Absent)],
            ..Batch::default()
        })
    }
}

/// The key of a vault that unseals itself.
pub(crate) fn own_key(settings: &SealSettings) -> Option<Result<SealKey, Error>> {
    match settings {
        SealSettings::File { path } => Some(key_file::read(path)),
        SealSettings::Shamir | SealSettings::Passphrase => None,
    }
}
