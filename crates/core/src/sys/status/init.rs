//! `sys/init`.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use vestal_crypto::SecretString;
use vestal_logical::params::{CommaList, NoFields};
use vestal_logical::{Call, Error, Reply};

use crate::seal::InitAsk;
use crate::vault::{State, Vault};

#[derive(Serialize)]
pub(super) struct Initialized {
    initialized: bool,
}

pub(super) async fn read(vault: &Arc<Vault>, _: &Call, _: NoFields) -> Result<Reply<Initialized>, Error> {
    let initialized = !matches!(vault.state(), State::Uninitialized);
    Ok(Reply::plain(Initialized { initialized }))
}

/// How the keys of a new vault are to be made.
#[derive(Deserialize, JsonSchema)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Init {
    /// How many key shares to make.
    secret_shares: Count,
    /// How many of them open the vault.
    secret_threshold: Count,
    /// The passphrase of a vault with a passphrase seal; without one, one is made.
    passphrase: Option<SecretString>,
    /// Not supported yet.
    pgp_keys: CommaList,
    /// Not supported yet.
    root_token_pgp_key: String,
    /// Only for vaults that unseal themselves, which have no recovery keys here.
    recovery_shares: u64,
    /// See `recovery_shares`.
    recovery_threshold: u64,
    /// See `recovery_shares`.
    recovery_pgp_keys: CommaList,
    /// Accepted for old clients; has no effect.
    stored_shares: u64,
}

/// A number that may be absent or null. A given nought is an answer to a question, and a wrong one: keys are made only once.
#[derive(Default)]
struct Count(Option<u64>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match Value::deserialize(deserializer)? {
            Value::Null => return Ok(Self(None)),
            Value::Number(number) => number.to_string(),
            Value::String(text) => text,
            _ => return Err(D::Error::custom("expected a whole number")),
        };
        let number: i64 = text.parse().map_err(|_| D::Error::custom("expected a whole number"))?;
        // Less than nothing is refused as nothing is.
        Ok(Self(Some(u64::try_from(number).unwrap_or(0))))
    }
}

impl JsonSchema for Count {
    fn schema_name() -> Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        u64::json_schema(generator)
    }
}

#[derive(Serialize)]
pub(super) struct Made {
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    keys: Vec<SecretString>,
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    keys_base64: Vec<SecretString>,
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    root_token: SecretString,
}

pub(super) async fn write(vault: &Arc<Vault>, _: &Call, p: Init) -> Result<Reply<Made>, Error> {
    let unsupported = |field: &str| Err(Error::invalid(format!("`{field}` is not supported yet")));
    if !p.pgp_keys.0.is_empty() {
        return unsupported("pgp_keys");
    }
    if !p.root_token_pgp_key.is_empty() {
        return unsupported("root_token_pgp_key");
    }
    if p.recovery_shares > 0 || p.recovery_threshold > 0 || !p.recovery_pgp_keys.0.is_empty() {
        return unsupported("recovery_shares");
    }
    let _ = p.stored_shares;
    let ask =
        InitAsk { shares: p.secret_shares.0, threshold: p.secret_threshold.0, passphrase: p.passphrase };
    let made = vault.initialize(ask).await?;
    Ok(Reply::plain(Made { keys: made.keys, keys_base64: made.keys_base64, root_token: made.root_token }))
}
