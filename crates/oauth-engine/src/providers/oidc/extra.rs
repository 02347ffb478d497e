//! Gathers what an `oidc` server shows beside the token: the ID token, its claims, user info (reference §4.4).
//!
//! Invariants: exactly the fields that the server's option names; what could not be had anew stays as it was. Knows
//! nothing of how an ID token is verified.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use serde_json::{Map, Value};
use url::Url;
use vestal_crypto::SecretString;

use crate::providers::answer::TokenAnswer;
use crate::providers::network::{Network, status_line};
use crate::providers::{Allow, Options};

/// Asking takes no longer than this when nothing else limits it.
const TIME: Duration = Duration::from_secs(30);

/// The option.
const OPTION: &str = "extra_data_fields";

/// Which fields are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ExtraFields {
    pub(crate) id_token: bool,
    pub(crate) claims: bool,
    pub(crate) user_info: bool,
}

/// What one operation brought.
pub(crate) struct Fresh {
    pub(crate) identity: Option<(SecretString, Map<String, Value>)>,
    pub(crate) user_info: Option<Value>,
}

impl ExtraFields {
    /// As the option says, a list with commas; the error is an option error.
    pub(crate) fn of(options: &Options) -> Result<Self, String> {
        let mut fields = Self::default();
        let given = options.get(OPTION).map(String::as_str).unwrap_or_default();
        for name in given.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match name {
                "id_token" => fields.id_token = true,
                "id_token_claims" => fields.claims = true,
                "user_info" => fields.user_info = true,
                _ => return Err(format!("option \"{OPTION}\": unknown extra data field \"{name}\"")),
            }
        }
        Ok(fields)
    }

    /// The extra data after an operation. `previous` is that of before, and absent when there was no before.
    pub(crate) fn merge(
        self,
        previous: Option<Map<String, Value>>,
        fresh: Fresh,
    ) -> Option<Map<String, Value>> {
        let refreshed = previous.is_some();
        let mut previous = previous.unwrap_or_default();
        let (token, claims) = match fresh.identity {
            Some((token, claims)) => {
                (Some(Value::String(token.expose().to_owned())), Some(Value::Object(claims)))
            }
            None => (None, None),
        };
        let mut extra = Map::new();
        let fields = [
            ("id_token", self.id_token, token),
            ("id_token_claims", self.claims, claims),
            ("user_info", self.user_info, fresh.user_info),
        ];
        for (name, wanted, value) in fields {
            // A credential that began with a refresh token shows what it never had as null, user info excepted.
            let absent = if refreshed && name != "user_info" { Some(Value::Null) } else { None };
            if let Some(value) = value.or_else(|| previous.remove(name)).or(absent).filter(|_| wanted) {
                extra.insert(name.to_owned(), value);
            }
        }
        Some(extra).filter(|extra| !extra.is_empty())
    }
}

/// Who the credential speaks for, as far as a verified ID token of now or before tells.
pub(super) fn subject<'a>(
    claims: Option<&'a Map<String, Value>>,
    previous: Option<&'a Map<String, Value>>,
) -> Option<&'a Value> {
    let before = || previous?.get("id_token_claims")?.get("sub");
    claims.and_then(|claims| claims.get("sub")).or_else(before)
}

/// Asks who the access token speaks for. The error is a text.
pub(crate) async fn user_info(
    network: &Network,
    url: Option<&Url>,
    answer: &TokenAnswer,
    subject: Option<&Value>,
    allow: Allow,
) -> Result<Value, String> {
    let failed = |reason: &str| format!("oidc: error fetching user info: {reason}");
    let url = url.ok_or_else(|| failed("oidc: user info endpoint is not supported by this provider"))?;
    let credential = SecretString::new(format!("{} {}", answer.token_type, answer.access_token.expose()));
    let mut value = HeaderValue::from_str(credential.expose())
        .map_err(|_| failed("the access token does not fit a header"))?;
    value.set_sensitive(true);
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value)]);
    let response =
        network.get(url, headers, allow.time.unwrap_or(TIME)).await.map_err(|text| failed(&text))?;
    if response.status != 200 {
        return Err(failed(&status_line(response.status)));
    }
    let found: Map<String, Value> = serde_json::from_slice(response.body.expose())
        .map_err(|_| "oidc: error parsing user info: not a json object".to_owned())?;
    // OpenID Connect Core, section 5.3.2: what speaks of someone else must not be used.
    if subject.is_some() && subject != found.get("sub") {
        return Err("oidc: error parsing user info: its subject is not that of the ID token".to_owned());
    }
    Ok(Value::Object(found))
}
