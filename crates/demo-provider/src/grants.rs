//! The token endpoint: four grants, each checked, spent and recorded under one lock.
//!
//! RFC 6749 (codes, refresh, client credentials), RFC 7636 (S256 only), RFC 8628 (device). Invariants: every call
//! that reaches this module leaves exactly one ledger entry; a code or token counts as spent before its answer is
//! written. It knows nothing of faults.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::call::{Call, Grant};
use crate::clients::{self, Proof};
use crate::device;
use crate::ledger::{End, Outcome, Presented};
use crate::options::Client;
use crate::reply::{Content, Refusal, Reply};
use crate::signing::IdClaims;
use crate::state::{App, State};
use crate::tokens::{Consent, Fresh, Issued, Presentation, RefreshRefusal};

/// Answers a call to the token endpoint.
pub(crate) fn token(app: &App, call: &Call) -> Reply {
    let grant = call.grant();
    let presented = presented(app, call);
    let fresh = app.fresh_tokens();
    let now = app.now();
    // The tokens are made and the ledger is written under one lock, so their orders agree.
    let mut state = app.state();
    let done = checked_client(app, &state, call, grant)
        .and_then(|client| spend(&mut state, now, call, grant, client, fresh));
    match done {
        Ok(issued) => {
            let family = Some(issued.family);
            let entry = state.journal.record(now, Presented { family, ..presented }, outcome(&issued));
            drop(state);
            answer(app, now, issued).for_entry(entry)
        }
        Err(Failure { refusal, ended }) => {
            let outcome = match ended {
                Some(family) => Outcome::ReuseDetected { revoked_family: family },
                None => {
                    Outcome::Refused { error: refusal.error.to_owned(), reason: refusal.reason.to_owned() }
                }
            };
            let entry = state.journal.record(now, presented, outcome);
            drop(state);
            Reply::from(refusal).for_entry(entry)
        }
    }
}

/// What the ledger shall say of a call before anything is known of its outcome.
pub(crate) fn presented(app: &App, call: &Call) -> Presented {
    let known = call.parameters.one("refresh_token").and_then(|token| app.state().tokens.identify(token));
    Presented {
        grant: call.grant(),
        client: clients::claimed(call).unwrap_or_default(),
        refresh: known.map(|(serial, _)| serial),
        family: known.map(|(_, family)| family),
    }
}

struct Failure {
    refusal: Refusal,
    /// The family that this very call got revoked by presenting a spent refresh token.
    ended: Option<u64>,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, ended: None }
    }
}

fn checked_client<'a>(app: &'a App, state: &State, call: &Call, grant: Grant) -> Result<&'a Client, Failure> {
    if !call.is_form {
        return Err(Refusal::new("invalid_request", "body is not a form").into());
    }
    if call.parameters.any_repeated() {
        return Err(Refusal::new("invalid_request", "a parameter is repeated").into());
    }
    let proof = if grant == Grant::DeviceCode { Proof::IfOffered } else { Proof::Needed };
    Ok(clients::authenticate(app, state.client_auth, call, proof)?)
}

fn spend(
    state: &mut State,
    now: u64,
    call: &Call,
    grant: Grant,
    client: &Client,
    fresh: Fresh,
) -> Result<Issued, Failure> {
    match grant {
        Grant::AuthorizationCode => Ok(spend_code(state, now, call, client, fresh)?),
        Grant::RefreshToken => spend_refresh(state, now, call, client, fresh),
        Grant::ClientCredentials => Ok(client_credentials(state, now, call, client, fresh)?),
        Grant::DeviceCode => {
            let consent = device::poll(state, now, call, client)?;
            Ok(state.tokens.open_family(now, state.terms, grant, consent, fresh, true))
        }
        Grant::Unknown if call.parameters.one("grant_type").is_none() => {
            Err(Refusal::new("invalid_request", "grant_type is missing").into())
        }
        Grant::Unknown => Err(Refusal::new("unsupported_grant_type", "grant_type is not known here").into()),
    }
}

fn spend_code(
    state: &mut State,
    now: u64,
    call: &Call,
    client: &Client,
    fresh: Fresh,
) -> Result<Issued, Refusal> {
    let sent = call.parameters.one("code").ok_or(Refusal::new("invalid_request", "code is missing"))?;
    let refused = |reason| Err(Refusal::new("invalid_grant", reason));
    let Some(code) = state.codes.get_mut(sent) else {
        return refused("code is unknown");
    };
    if code.consent.client != client.id {
        return refused("code belongs to another client");
    }
    if let Some(family) = code.spent_on {
        // Somebody else may have the tokens (RFC 6749, section 4.1.2).
        state.tokens.end(family, End::CodeReused);
        return refused("code was used before");
    }
    if now >= code.expires_at {
        return refused("code has expired");
    }
    if code.redirect.as_deref() != call.parameters.one("redirect_uri") && code.redirect.is_some() {
        return refused("redirect_uri is not that of the authorization request");
    }
    match (&code.challenge, call.parameters.one("code_verifier")) {
        (None, None) => {}
        (Some(challenge), Some(verifier)) if *challenge == challenge_of(verifier) => {}
        (Some(_), Some(_)) => return refused("code_verifier does not match"),
        (Some(_), None) => return refused("code_verifier is missing"),
        // Otherwise an attacker could strip PKCE from the request (RFC 9700, section 4.8.2).
        (None, Some(_)) => return refused("code_verifier came, but no code_challenge before it"),
    }
    let consent = code.consent.clone();
    let issued = state.tokens.open_family(now, state.terms, Grant::AuthorizationCode, consent, fresh, true);
    code.spent_on = Some(issued.family);
    Ok(issued)
}

fn spend_refresh(
    state: &mut State,
    now: u64,
    call: &Call,
    client: &Client,
    fresh: Fresh,
) -> Result<Issued, Failure> {
    let missing = Refusal::new("invalid_request", "refresh_token is missing");
    let token = call.parameters.one("refresh_token").ok_or(missing)?;
    let presentation = Presentation { token, client: &client.id, scope: call.parameters.one("scope") };
    state.tokens.refresh(now, state.terms, presentation, fresh).map_err(|why| {
        let refusal = match why {
            RefreshRefusal::Unknown => Refusal::new("invalid_grant", "refresh token is unknown"),
            RefreshRefusal::OtherClient => {
                Refusal::new("invalid_grant", "refresh token belongs to another client")
            }
            RefreshRefusal::FamilyEnded => Refusal::new("invalid_grant", "refresh token was revoked"),
            RefreshRefusal::Expired => Refusal::new("invalid_grant", "refresh token has expired"),
            RefreshRefusal::ScopeTooWide => {
                Refusal::new("invalid_scope", "scope is wider than what was granted")
            }
            RefreshRefusal::Reused => Refusal::new("invalid_grant", "refresh token was used before"),
        };
        let ended = (why == RefreshRefusal::Reused)
            .then(|| state.tokens.identify(token).map(|(_, family)| family))
            .flatten();
        Failure { refusal, ended }
    })
}

fn client_credentials(
    state: &mut State,
    now: u64,
    call: &Call,
    client: &Client,
    fresh: Fresh,
) -> Result<Issued, Refusal> {
    if client.secrets.is_empty() {
        return Err(Refusal::new("unauthorized_client", "a public client has no credentials"));
    }
    let consent = Consent {
        client: client.id.clone(),
        person: None,
        scope: call.parameters.owned("scope"),
        nonce: None,
        agreed_at: now,
    };
    Ok(state.tokens.open_family(now, state.terms, Grant::ClientCredentials, consent, fresh, false))
}

fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn outcome(issued: &Issued) -> Outcome {
    let refresh = issued.refresh.as_ref().map(|(_, serial)| *serial);
    match refresh {
        Some(refresh) if issued.replayed => {
            Outcome::ReplayedInGrace { access: issued.access_serial, refresh }
        }
        _ => Outcome::Issued { access: issued.access_serial, refresh },
    }
}

fn answer(app: &App, now: u64, issued: Issued) -> Reply {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("token_type", "Bearer".into());
    put("expires_in", issued.terms.access_life.as_secs().into());
    if let Some(scope) = &issued.scope {
        put("scope", scope.as_str().into());
    }
    if let Some((refresh, _)) = issued.refresh {
        put("refresh_token", refresh.into());
        if let Some(life) = issued.terms.refresh_life {
            put("refresh_token_expires_in", life.as_secs().into());
        }
    }
    let asks_identity =
        issued.scope.as_deref().is_some_and(|scope| scope.split(' ').any(|one| one == "openid"));
    if let Some(person) = issued.consent.person.as_deref().filter(|_| asks_identity) {
        let claims = IdClaims {
            issuer: app.base_url(),
            person,
            client: &issued.consent.client,
            nonce: issued.consent.nonce.as_deref(),
            access_token: &issued.access,
            now,
            agreed_at: issued.consent.agreed_at,
            life: issued.terms.access_life,
        };
        match app.signer.id_token(&claims) {
            Some(signed) => put("id_token", signed.into()),
            None => return Reply::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, Content::Empty),
        };
    }
    put("access_token", issued.access.into());
    Reply::new(axum::http::StatusCode::OK, Content::Fields(fields))
        .header(axum::http::header::PRAGMA, "no-cache")
}
