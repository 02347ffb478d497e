//! What tokens are good for: who am I, is this token alive, forget this token.
//!
//! `/me`, `/userinfo` (Bearer, RFC 6750), `/introspect` (RFC 7662), `/revoke` (RFC 7009).

use axum::http::{StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::call::Call;
use crate::clients::{self, Proof};
use crate::ledger::End;
use crate::reply::{Content, Refusal, Reply};
use crate::state::App;

/// The stable id of a person, made from the name.
pub(crate) fn subject(person: &str) -> String {
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(person));
    format!("person-{}", digest.chars().take(12).collect::<String>())
}

pub(crate) fn email(person: &str) -> String {
    let local: Vec<_> = person
        .split(|c: char| !c.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .map(str::to_lowercase)
        .collect();
    format!("{}@example.com", if local.is_empty() { "person".to_owned() } else { local.join(".") })
}

/// Who the access token speaks for; the client itself where no person agreed.
pub(crate) fn me(app: &App, call: &Call) -> Reply {
    let Some(token) = call.authorization("bearer") else {
        return Reply::new(StatusCode::UNAUTHORIZED, Content::Empty)
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"demo provider\"");
    };
    let now = app.now();
    let state = app.state();
    let known = state.tokens.view(now, token).filter(|view| view.live && !view.is_refresh);
    let Some(view) = known else {
        drop(state);
        let mut reply =
            Reply::json(json!({ "error": "invalid_token", "error_description": "expired or unknown" }));
        reply.status = StatusCode::UNAUTHORIZED;
        return reply
            .header(header::WWW_AUTHENTICATE, "Bearer realm=\"demo provider\", error=\"invalid_token\"");
    };
    let name = view.consent.person.clone().unwrap_or_else(|| view.consent.client.clone());
    let (scope, expires_at) = (view.scope.map(str::to_owned), view.expires_at);
    drop(state);
    let email = email(&name);
    Reply::json(json!({
        "id": subject(&name),
        "sub": subject(&name),
        "name": name,
        "displayName": name,
        "email": email,
        "emails": [email],
        "scope": scope,
        "token_expires_in_ms": expires_at.map(|at| at.saturating_sub(now)),
    }))
}

/// Whether a token is alive, and which one it is.
pub(crate) fn introspect(app: &App, call: &Call) -> Reply {
    let accepted = app.state().client_auth;
    if let Err(refusal) = clients::authenticate(app, accepted, call, Proof::Needed) {
        return refusal.into();
    }
    let Some(token) = call.parameters.one("token") else {
        return Refusal::new("invalid_request", "token is missing").into();
    };
    let now = app.now();
    let state = app.state();
    match state.tokens.view(now, token).filter(|view| view.live) {
        None => Reply::json(json!({ "active": false })),
        Some(view) => Reply::json(json!({
            "active": true,
            "token_type": if view.is_refresh { "refresh_token" } else { "Bearer" },
            "scope": view.scope,
            "client_id": view.consent.client,
            "username": view.consent.person,
            "sub": view.consent.person.as_deref().map(subject),
            "iat": view.issued_at.map(|at| at / 1000),
            "exp": view.expires_at.map(|at| at / 1000),
            "serial": view.serial,
            "family": view.family,
        })),
    }
}

/// Ends a refresh token with its whole family, or one access token. An unknown token is fine too.
pub(crate) fn revoke(app: &App, call: &Call) -> Reply {
    let accepted = app.state().client_auth;
    let client = match clients::authenticate(app, accepted, call, Proof::Needed) {
        Ok(client) => client,
        Err(refusal) => return refusal.into(),
    };
    let Some(token) = call.parameters.one("token") else {
        return Refusal::new("invalid_request", "token is missing").into();
    };
    let mut state = app.state();
    let found = state
        .tokens
        .view(app.now(), token)
        .map(|view| (view.is_refresh, view.family, view.consent.client == client.id));
    match found {
        Some((_, _, false)) => {
            return Refusal::new("unauthorized_client", "token belongs to another client").into();
        }
        Some((true, family, true)) => {
            state.tokens.end(family, End::RevokedByClient);
        }
        Some((false, _, true)) => state.tokens.forget_access(token),
        None => {}
    }
    Reply::new(StatusCode::OK, Content::Empty)
}
