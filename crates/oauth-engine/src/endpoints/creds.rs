//! `creds/<name>`: connects, hands out, lists and forgets credentials (reference §3.3, §3.4).
//!
//! Invariants: handing out a good token costs one read of the store and waits for nobody; checks are made in the order
//! that clients know, and before any call. Knows nothing of how a refresh is done.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vestal_crypto::SecretString;
use vestal_logical::params::{CommaList, KeyValues, NoFields, Seconds};
use vestal_logical::{Call, Endpoints, Error, Reply, Timestamp};
use vestal_storage::{Changes, StorageError};

pub(crate) use super::legal_name;
use super::secret::SecretText;
use crate::OAuthApp;
use crate::credential::record::{Credential, LEAST_DELTA};
use crate::credential::state::{Event, step};
use crate::providers::Options;
use crate::refresh::connect::{Connect, Offer};
use crate::refresh::end::{Effect, Why};
use crate::refresh::flights::Waited;

const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Looks at a credential that changes while it is read are repeated this often.
const LOOKS: u32 = 4;

pub(crate) fn endpoints() -> Endpoints<OAuthApp> {
    Endpoints::new()
        .at("creds/{*name}", "One OAuth credential.", |e| {
            e.read(read, "Return a current access token, refreshed first if it expires too soon.")
                .write(write, "Connect a credential by an authorization code or a refresh token.")
                .delete(delete, "Forget a credential.")
                .only(legal_name)
        })
        .at("creds/", "All credentials.", |e| e.list(list, "List the names of all credentials."))
}

/// The fields of the path. Whichever is sent is converted, also where the operation does not use it.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct CredFields {
    /// Reading: refresh first when fewer than this many seconds remain.
    #[serde(default)]
    minimum_seconds: Seconds,
    /// The server that issues the tokens; without it the configured default.
    #[serde(default)]
    server: Option<String>,
    /// `authorization_code` or `refresh_token`; without it, whichever of the two fits what is sent.
    #[serde(default)]
    grant_type: Option<String>,
    /// Cap on the lifetime of each token, in seconds; 0 is none.
    #[serde(default)]
    maximum_expiry_seconds: Seconds,
    /// Options of the server's provider, kept with the credential.
    #[serde(default)]
    provider_options: KeyValues,
    /// The code that the person brought back.
    #[serde(default)]
    code: Option<SecretText>,
    /// The redirect URL that the code was asked for with.
    #[serde(default)]
    redirect_url: Option<String>,
    /// A refresh token from elsewhere.
    #[serde(default)]
    refresh_token: Option<SecretText>,
    /// Of the device grant, which is not supported yet.
    #[serde(default)]
    #[expect(dead_code, reason = "it is converted, and refused when it does not fit")]
    device_code: Option<SecretText>,
    /// Of the device grant, which is not supported yet.
    #[serde(default)]
    #[expect(dead_code, reason = "it is converted, and refused when it does not fit")]
    scopes: CommaList,
}

/// A credential as readers see it.
#[derive(Serialize)]
pub(crate) struct CredView {
    server: String,
    #[serde(serialize_with = "vestal_crypto::exposed::serialize")]
    access_token: SecretString,
    #[serde(rename = "type")]
    token_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    extra_data: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_expiry_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Options::is_empty")]
    provider_options: Options,
}

impl From<Credential> for CredView {
    fn from(record: Credential) -> Self {
        Self {
            server: record.server,
            access_token: record.tokens.access_token,
            token_type: record.tokens.token_type,
            expire_time: record.expires,
            extra_data: record.tokens.extra.unwrap_or_default(),
            maximum_expiry_seconds: Some(record.cap).filter(|cap| *cap > 0),
            provider_options: record.options,
        }
    }
}

async fn read(app: &Arc<OAuthApp>, call: &Call, fields: CredFields) -> Result<Reply<CredView>, Error> {
    let asked = Duration::from_secs(fields.minimum_seconds.or(0));
    let name = call.capture("name");
    let Some(found) = app.refresher.store.by_name(name).await? else { return Ok(Reply::empty()) };
    let stored = found.value;
    let id = || app.refresher.store.id(name).ok();
    if let Some(newer) = app.refresher.unsettled.newer(id, &stored) {
        return answer(app, Credential::clone(&newer), asked, call.now, false).await;
    }
    if stored.valid_for(call.now, asked) {
        return answer(app, stored, asked, call.now, true).await;
    }
    let (record, durable) = refreshed(app, name, stored, asked, call.deadline).await?;
    match record {
        Some(record) => answer(app, record, asked, app.context.clock.now(), durable).await,
        None => Ok(Reply::empty()),
    }
}

/// The credential after whatever could be done to make it good for `asked`, and whether that is durable.
async fn refreshed(
    app: &Arc<OAuthApp>,
    name: &str,
    mut record: Credential,
    asked: Duration,
    deadline: Timestamp,
) -> Result<(Option<Credential>, bool), Error> {
    let refresher = &app.refresher;
    let id = refresher.store.id(name)?;
    for _ in 0..LOOKS {
        let now = refresher.clock.now();
        if record.valid_for(now, asked) {
            break;
        }
        if !record.may_refresh() {
            return Ok((refresher.with_server_noted(&id, record).await?, true));
        }
        // What a longer wish alone asks for is rationed; joining what is under way costs nothing.
        let under_way = refresher.flights.has(&(id.clone(), record.generation));
        if !under_way && record.valid_for(now, LEAST_DELTA) && !refresher.guard.take(&id, now) {
            break;
        }
        let why = Why::Read { delta: asked };
        let Some(mut flight) = refresher.refresh(&id, record.generation, why) else {
            return Err(StorageError::Sealed.into());
        };
        let end = match flight.wait(refresher.clock.as_ref(), deadline).await {
            Waited::Landed(end) => end,
            Waited::TooLate | Waited::Lost => break,
        };
        let called = matches!(end.effect, Effect::Issued | Effect::Failed | Effect::Judged);
        match end.record {
            Some(new) if called || end.effect == Effect::NoServer => {
                return Ok((Some(Credential::clone(&new)), end.durable));
            }
            _ if end.effect == Effect::Unstored => {
                return Err(end.failure.map_or_else(unstored, Error::from));
            }
            _ => {}
        }
        // The flight did not call: another one was first, or the credential changed, or must wait.
        match refresher.store.by_id(&id).await? {
            None => return Ok((None, true)),
            Some(new) => {
                let same = (new.generation, new.version) == (record.generation, record.version);
                record = new.value;
                if same && end.effect != Effect::Stale {
                    break;
                }
            }
        }
    }
    Ok((Some(record), true))
}

fn unstored() -> Error {
    StorageError::Unavailable("the refresh could not be recorded, so it was not made".to_owned()).into()
}

/// The token, or why there is none.
async fn answer(
    app: &Arc<OAuthApp>,
    mut record: Credential,
    asked: Duration,
    now: Timestamp,
    durable: bool,
) -> Result<Reply<CredView>, Error> {
    // What keeps all credentials of a server waiting is noted in none of them.
    let wanting = record.due.is_some_and(|due| due <= now) || !record.valid_for(now, asked);
    if wanting && record.may_refresh() {
        app.add_standing(&mut record).await?;
    }
    if !record.valid_for(now, asked) {
        return Err(Error::invalid(record.refusal()));
    }
    let warning = if durable {
        record.warning()
    } else {
        Some(
            "this token could not be stored yet and lives in memory only, storing it is tried again"
                .to_owned(),
        )
    };
    let reply = Reply::data(CredView::from(record));
    Ok(match warning {
        Some(warning) => reply.warn(warning),
        None => reply,
    })
}

async fn write(app: &Arc<OAuthApp>, call: &Call, fields: CredFields) -> Result<Reply<()>, Error> {
    let implied = if fields.refresh_token.is_some() { "refresh_token" } else { "authorization_code" };
    let grant = fields.grant_type.as_deref().unwrap_or(implied);
    match grant {
        "authorization_code" | "refresh_token" => {}
        DEVICE_GRANT => {
            return Err(Error::invalid(format!("grant_type `{DEVICE_GRANT}` is not supported yet")));
        }
        _ => return Err(Error::invalid("unknown grant_type")),
    }
    let server = app.resolve(fields.server.as_deref()).await?;
    let offer = match (grant, fields.code, fields.refresh_token) {
        ("authorization_code", None, _) => return Err(Error::invalid("missing code")),
        ("authorization_code", Some(_), Some(_)) => {
            return Err(Error::invalid("cannot use refresh_token with authorization_code grant type"));
        }
        ("authorization_code", Some(code), None) => {
            Offer::Code { code: code.0, redirect_url: fields.redirect_url.unwrap_or_default() }
        }
        (_, _, None) => return Err(Error::invalid("missing refresh_token")),
        (_, Some(_), Some(_)) => {
            return Err(Error::invalid("cannot use code with refresh_token grant type"));
        }
        (_, None, Some(token)) if token.0.is_empty() => {
            return Err(Error::new(
                vestal_logical::Kind::Internal,
                "oauth2: token expired and refresh token is not set",
            )
            .because("an empty refresh token was handed in")
            .multi());
        }
        (_, None, Some(token)) => Offer::RefreshToken(token.0),
    };
    let cap = fields.maximum_expiry_seconds.or(0);
    let options = fields.provider_options.0;
    let refresher = &app.refresher;
    let mac = request_mac(app, &server.name, &offer, cap, &options)?;
    let id = refresher.store.id(call.capture("name"))?;
    refresher.connect(Connect { id, server, grant: offer, cap, options, mac }, call.deadline).await?;
    Ok(Reply::empty())
}

/// Stands for everything a write says, so that only an equal one is a repetition.
fn request_mac(
    app: &OAuthApp,
    server: &str,
    offer: &Offer,
    cap: u64,
    options: &Options,
) -> Result<String, StorageError> {
    let cap = cap.to_string();
    let mut parts = vec![server, &cap];
    match offer {
        Offer::Code { code, redirect_url } => parts.extend(["code", code.expose(), redirect_url]),
        Offer::RefreshToken(token) => parts.extend(["refresh token", token.expose()]),
    }
    for (name, value) in options {
        parts.extend([name.as_str(), value.as_str()]);
    }
    app.refresher.store.mac("oauthapp grant", &parts)
}

async fn delete(app: &Arc<OAuthApp>, call: &Call, _fields: CredFields) -> Result<Reply<()>, Error> {
    let store = &app.refresher.store;
    let name = call.capture("name");
    let id = store.id(name)?;
    for _ in 0..LOOKS * 4 {
        let Some(old) = store.by_name(name).await? else { return Ok(Reply::empty()) };
        step(old.state.phase(), Event::Deleted).map_err(Error::internal)?;
        let mut changes = Changes::new();
        store.replace(&mut changes, &id, Some(&old), None)?;
        store.drop_intent(&mut changes, &id, old.generation)?;
        changes.reserved();
        match store.commit(changes).await {
            Ok(_) => return Ok(Reply::empty()),
            // It was refreshed meanwhile; deleting does not wait for that, it goes on.
            Err(StorageError::Conflict) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Err(StorageError::Conflict.into())
}

async fn list(app: &Arc<OAuthApp>, _call: &Call, _fields: NoFields) -> Result<Reply<Value>, Error> {
    let names = app.refresher.store.names().await?;
    if names.is_empty() {
        return Ok(Reply::empty());
    }
    Ok(Reply::data(serde_json::json!({ "keys": names })))
}
