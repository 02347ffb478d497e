//! One field of an answer, for `-field`.

use serde_json::{Map, Value, json};
use vestal_client::Secret;

use super::{Format, shown, structured};

/// The value that `-field` names in an envelope; `None` when there is none.
pub(crate) fn of_secret(secret: &Secret, name: &str) -> Option<Value> {
    let special = match (&secret.auth, &secret.wrap_info) {
        (Some(auth), _) => match name {
            "token" => Some(json!(auth.client_token)),
            "token_accessor" => Some(json!(auth.accessor)),
            "token_duration" => Some(json!(auth.lease_duration)),
            "token_renewable" => Some(json!(auth.renewable)),
            "token_policies" => Some(json!(auth.token_policies)),
            "identity_policies" => Some(json!(auth.identity_policies)),
            "policies" => Some(json!(auth.policies)),
            _ => None,
        },
        (None, Some(wrapped)) => match name {
            "wrapping_token" => Some(json!(wrapped.token)),
            "wrapping_accessor" => Some(json!(wrapped.accessor)),
            "wrapping_token_ttl" => Some(json!(wrapped.ttl)),
            "wrapping_token_creation_time" => Some(json!(wrapped.creation_time)),
            "wrapping_token_creation_path" => Some(json!(wrapped.creation_path)),
            "wrapped_accessor" => Some(json!(wrapped.wrapped_accessor)),
            _ => None,
        },
        (None, None) => match name {
            "refresh_interval" => Some(json!(secret.lease_duration)),
            "data" if secret.field("data").is_none() => Some(json!(secret.data)),
            _ => None,
        },
    };
    special.or_else(|| secret.field(name).cloned()).filter(|value| !value.is_null())
}

/// A field of a plain object, written in a format; without a final newline unless the format wants one.
pub(crate) fn named(data: &Map<String, Value>, name: &str, format: Format) -> Option<String> {
    data.get(name).filter(|value| !value.is_null()).map(|value| written(value, format))
}

/// A value alone.
pub(crate) fn written(value: &Value, format: Format) -> String {
    match format {
        Format::Table | Format::Raw => shown(value),
        Format::Json => structured(format, value),
        Format::Yaml => structured(format, value) + "\n",
    }
}
