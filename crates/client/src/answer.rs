//! What an API server sends back: a status, bytes, and often Vault's envelope.
//!
//! Field order follows Vault's own client, because it is the order of `-format=json`. Keys of free-form maps
//! sort. Numbers keep their text.

use http::HeaderMap;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use vestal_crypto::SecretBytes;

/// One whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    pub(crate) body: SecretBytes,
}

impl Answer {
    /// The body as JSON; `None` when there is no body or it is not JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.body.expose()).ok()
    }

    /// The body as text, bytes that are not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body.expose()).into_owned()
    }

    /// Whether there is no body.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The strings of `{"errors": […]}`; `None` when the body is something else.
    pub fn errors(&self) -> Option<Vec<String>> {
        #[derive(Deserialize)]
        struct Errors {
            #[serde(default)]
            errors: Option<Vec<String>>,
        }
        self.json::<Errors>().map(|body| body.errors.unwrap_or_default())
    }

    /// The body as an envelope. A plain object becomes the envelope's data; nothing, or only errors, is `None`.
    pub fn secret(&self) -> Option<Secret> {
        let fields: Map<String, Value> = self.json()?;
        let enveloped = fields.contains_key("request_id") || fields.contains_key("lease_id");
        if enveloped {
            return serde_json::from_value(Value::Object(fields)).ok();
        }
        if fields.len() == 1 && fields.contains_key("errors") {
            return None;
        }
        Some(Secret { data: Some(fields), ..Secret::default() })
    }
}

/// Vault's envelope.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Secret {
    /// Names the request in the audit log.
    #[serde(default)]
    pub request_id: String,
    /// The lease, empty when there is none.
    #[serde(default)]
    pub lease_id: String,
    /// Seconds the lease lasts.
    #[serde(default)]
    pub lease_duration: i64,
    /// Whether the lease can be renewed.
    #[serde(default)]
    pub renewable: bool,
    /// The answer proper.
    #[serde(default)]
    pub data: Option<Map<String, Value>>,
    /// What the server wants to be known.
    #[serde(default)]
    pub warnings: Option<Vec<String>>,
    /// A login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Where the wrapped answer is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap_info: Option<WrapInfo>,
}

impl Secret {
    /// A value of the data.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.data.as_ref()?.get(name)
    }

    /// A text of the data.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.field(name)?.as_str()
    }

    /// The names of a list answer.
    pub fn keys(&self) -> Option<Vec<String>> {
        let names = self.field("keys")?.as_array()?;
        Some(names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Whether there is anything but an empty envelope: a 404 with data or warnings is an answer.
    pub(crate) fn says_something(&self) -> bool {
        self.warnings.as_ref().is_some_and(|list| !list.is_empty())
            || self.data.as_ref().is_some_and(|map| !map.is_empty())
    }
}

/// A login, as the envelope carries it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Auth {
    /// The token.
    #[serde(default)]
    pub client_token: String,
    /// Its accessor.
    #[serde(default)]
    pub accessor: String,
    /// All policies.
    #[serde(default)]
    pub policies: Option<Vec<String>>,
    /// Those of the token itself.
    #[serde(default)]
    pub token_policies: Option<Vec<String>>,
    /// Those of its entity.
    #[serde(default)]
    pub identity_policies: Option<Vec<String>>,
    /// What the method noted about the login.
    #[serde(default)]
    pub metadata: Option<Map<String, Value>>,
    /// Whether the token outlives its parent.
    #[serde(default)]
    pub orphan: bool,
    /// The entity.
    #[serde(default)]
    pub entity_id: String,
    /// Seconds the token lasts; 0 is for ever.
    #[serde(default)]
    pub lease_duration: i64,
    /// Whether it can be renewed.
    #[serde(default)]
    pub renewable: bool,
    /// What a second factor would ask for.
    #[serde(default)]
    pub mfa_requirement: Value,
}

/// Where a wrapped answer waits.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WrapInfo {
    /// The wrapping token.
    #[serde(default)]
    pub token: String,
    /// Its accessor.
    #[serde(default)]
    pub accessor: String,
    /// Seconds it lasts.
    #[serde(default)]
    pub ttl: i64,
    /// When it was made, RFC 3339.
    #[serde(default)]
    pub creation_time: String,
    /// The path whose answer is wrapped.
    #[serde(default)]
    pub creation_path: String,
    /// The accessor of a token inside.
    #[serde(default, deserialize_with = "absent_is_empty")]
    pub wrapped_accessor: String,
}

/// `null` and absence alike.
fn absent_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.unwrap_or_default())
}
