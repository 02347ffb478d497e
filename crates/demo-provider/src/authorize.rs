//! The authorization endpoint: shows the login page, and sends the browser back with a code or an error.
//!
//! RFC 6749, section 4.1; RFC 7636 (S256 only); RFC 9207 (`iss`). Invariant: nothing is sent to a redirect address
//! before the client and the address were found to belong together. A login is answered once.

use axum::http::StatusCode;
use url::Url;

use crate::call::Call;
use crate::clients;
use crate::options::Client;
use crate::pages;
use crate::reply::{Refusal, Reply};
use crate::state::{App, Code, Login};
use crate::tokens::{Consent, millis};

const LOGIN_LIFE_MS: u64 = 600_000;

/// GET `/authorize`.
pub(crate) fn ask(app: &App, call: &Call) -> Reply {
    let (client, redirect) = match destination(app, call) {
        Ok(found) => found,
        Err(reason) => return pages::problem(StatusCode::BAD_REQUEST, reason),
    };
    let state = call.parameters.owned("state");
    if let Err(refusal) = check(call, client) {
        return back(
            app,
            redirect,
            state.as_deref(),
            &[("error", refusal.error), ("error_description", refusal.reason)],
        );
    }
    let now = app.now();
    let login = Login {
        client: client.id.clone(),
        redirect,
        redirect_as_sent: call.parameters.owned("redirect_uri"),
        scope: call.parameters.owned("scope"),
        state,
        nonce: call.parameters.owned("nonce"),
        challenge: call.parameters.owned("code_challenge"),
        expires_at: now.saturating_add(LOGIN_LIFE_MS),
    };
    if app.state().auto_approve {
        return agree(app, login, &app.options.person);
    }
    if call.parameters.one("prompt") == Some("none") {
        let error = [("error", "login_required"), ("error_description", "nobody is signed in")];
        return back(app, login.redirect, login.state.as_deref(), &error);
    }
    let ticket = app.mint("demo_login_");
    let page = pages::login(&login, &ticket, &app.options.person);
    let mut state = app.state();
    state.sweep(now);
    state.logins.insert(ticket, login);
    page
}

/// POST `/authorize/decide`.
pub(crate) fn decide(app: &App, call: &Call) -> Reply {
    let now = app.now();
    let taken = call.parameters.one("ticket").and_then(|ticket| app.state().logins.remove(ticket));
    let Some(login) = taken.filter(|login| now < login.expires_at) else {
        return pages::problem(StatusCode::BAD_REQUEST, "This sign-in has expired or was already answered.");
    };
    match call.parameters.one("decision") {
        Some("allow") => {
            let person = call.parameters.one("name").map_or("", str::trim);
            agree(app, login, if person.is_empty() { &app.options.person } else { person })
        }
        Some("deny") => {
            let error = [("error", "access_denied"), ("error_description", "the person said no")];
            back(app, login.redirect, login.state.as_deref(), &error)
        }
        _ => pages::problem(StatusCode::BAD_REQUEST, "The form was incomplete."),
    }
}

/// The client and where its browser may be sent; otherwise a sentence for the person, who must not be sent anywhere.
fn destination<'a>(app: &'a App, call: &Call) -> Result<(&'a Client, Url), &'static str> {
    if call.parameters.any_repeated() {
        return Err("The application repeated a parameter of its request.");
    }
    let id = call.parameters.one("client_id").ok_or("The application did not say who it is.")?;
    let client = clients::registered(app, id).ok_or("No application is registered under this client id.")?;
    let redirect = match call.parameters.one("redirect_uri") {
        Some(asked) => clients::redirect(client, asked)
            .ok_or("The application wants you sent to an address that is not registered for it.")?,
        None => {
            clients::sole_redirect(client).ok_or("The application did not say where to send you back to.")?
        }
    };
    Ok((client, redirect))
}

fn check(call: &Call, client: &Client) -> Result<(), Refusal> {
    match call.parameters.one("response_type") {
        Some("code") => {}
        Some(_) => return Err(Refusal::new("unsupported_response_type", "only code is known here")),
        None => return Err(Refusal::new("invalid_request", "response_type is missing")),
    }
    if call.parameters.one("response_mode").is_some_and(|mode| mode != "query") {
        return Err(Refusal::new("invalid_request", "only response_mode query is known here"));
    }
    let method = call.parameters.one("code_challenge_method");
    match (call.parameters.one("code_challenge"), method) {
        (Some(challenge), Some("S256")) if challenge.len() == 43 => Ok(()),
        (Some(_), Some("S256")) => Err(Refusal::new("invalid_request", "code_challenge is not a SHA-256")),
        (Some(_), _) => Err(Refusal::new("invalid_request", "code_challenge_method must be S256")),
        (None, Some(_)) => Err(Refusal::new("invalid_request", "code_challenge is missing")),
        (None, None) if client.secrets.is_empty() => {
            Err(Refusal::new("invalid_request", "a public client must send a code_challenge"))
        }
        (None, None) => Ok(()),
    }
}

fn agree(app: &App, login: Login, person: &str) -> Reply {
    let consent = Consent {
        client: login.client,
        person: Some(person.to_owned()),
        scope: login.scope,
        nonce: login.nonce,
        agreed_at: app.now(),
    };
    let code = issue(app, consent, login.redirect_as_sent, login.challenge);
    back(app, login.redirect, login.state.as_deref(), &[("code", &code)])
}

/// A code for what the person agreed to, bound to the address and the challenge of the request, if it had them.
pub(crate) fn issue(
    app: &App,
    consent: Consent,
    redirect: Option<String>,
    challenge: Option<String>,
) -> String {
    let code = app.mint("demo_code_");
    let now = consent.agreed_at;
    let expires_at = now.saturating_add(millis(app.options.code_life));
    let mut state = app.state();
    state.sweep(now);
    state.codes.insert(code.clone(), Code { consent, redirect, challenge, expires_at, spent_on: None });
    code
}

fn back(app: &App, mut redirect: Url, state: Option<&str>, answer: &[(&str, &str)]) -> Reply {
    {
        let mut query = redirect.query_pairs_mut();
        query.extend_pairs(answer);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", app.base_url());
    }
    Reply::see_other(redirect.as_str())
}
