//! The device grant (RFC 8628): a code for the machine, a short one for the person, and a page to type it into.
//!
//! Confidential clients need not prove themselves here, as with most providers. A device code buys tokens once.

use axum::http::StatusCode;
use serde_json::json;

use crate::call::Call;
use crate::clients::{self, Proof};
use crate::options::Client;
use crate::pages;
use crate::reply::{Refusal, Reply};
use crate::state::{App, Decision, Device, State};
use crate::tokens::{Consent, millis};

/// No vowels, so no words; nothing that looks like something else.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// POST `/device`.
pub(crate) fn begin(app: &App, call: &Call) -> Reply {
    if !call.is_form || call.parameters.any_repeated() {
        return Refusal::new("invalid_request", "body is not a form, or repeats a parameter").into();
    }
    let accepted = app.state().client_auth;
    let client = match clients::authenticate(app, accepted, call, Proof::IfOffered) {
        Ok(client) => client.id.clone(),
        Err(refusal) => return refusal.into(),
    };
    let (device_code, user_code) = (app.mint("demo_dc_"), user_code(app));
    let (now, life) = (app.now(), app.options.device_life);
    let mut state = app.state();
    state.sweep(now);
    let decision = if state.auto_approve {
        Decision::Agreed { person: app.options.person.clone(), at: now }
    } else {
        Decision::Waiting
    };
    let device = Device {
        user_code: user_code.clone(),
        client,
        scope: call.parameters.owned("scope"),
        expires_at: now.saturating_add(millis(life)),
        interval_ms: millis(app.options.device_interval),
        polled_at: None,
        decision,
    };
    state.devices.insert(device_code.clone(), device);
    drop(state);
    let page = format!("{}/device/verify", app.base_url());
    Reply::json(json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={user_code}"),
        "expires_in": life.as_secs(),
        "interval": app.options.device_interval.as_secs(),
    }))
}

/// One poll at the token endpoint: the consent, once the person has given it.
pub(crate) fn poll(state: &mut State, now: u64, call: &Call, client: &Client) -> Result<Consent, Refusal> {
    let sent = call
        .parameters
        .one("device_code")
        .ok_or(Refusal::new("invalid_request", "device_code is missing"))?;
    let device = state
        .devices
        .get_mut(sent)
        .filter(|device| device.client == client.id)
        .ok_or(Refusal::new("invalid_grant", "device code is unknown"))?;
    if now >= device.expires_at {
        return Err(Refusal::new("expired_token", "device code has expired"));
    }
    let too_soon = device.polled_at.is_some_and(|last| now < last.saturating_add(device.interval_ms));
    device.polled_at = Some(now);
    if too_soon {
        device.interval_ms = device.interval_ms.saturating_add(5000);
        return Err(Refusal::new("slow_down", "polled before the interval was over"));
    }
    match std::mem::replace(&mut device.decision, Decision::Used) {
        Decision::Agreed { person, at } => Ok(Consent {
            client: client.id.clone(),
            person: Some(person),
            scope: device.scope.clone(),
            nonce: None,
            agreed_at: at,
        }),
        Decision::Used => Err(Refusal::new("invalid_grant", "device code was used before")),
        undecided => {
            let denied = undecided == Decision::Denied;
            device.decision = undecided;
            Err(if denied {
                Refusal::new("access_denied", "the person said no")
            } else {
                Refusal::new("authorization_pending", "the person has not answered yet")
            })
        }
    }
}

/// GET `/device/verify`.
pub(crate) fn page(app: &App, call: &Call) -> Reply {
    pages::device(call.parameters.one("user_code").unwrap_or_default(), &app.options.person, None)
}

/// POST `/device/verify`.
pub(crate) fn decide(app: &App, call: &Call) -> Reply {
    let typed = call.parameters.one("user_code").unwrap_or_default();
    let name = call.parameters.one("name").map_or("", str::trim);
    let person = if name.is_empty() { &app.options.person } else { name };
    let agreed = match call.parameters.one("decision") {
        Some("allow") => Some(person),
        Some("deny") => None,
        _ => return pages::problem(StatusCode::BAD_REQUEST, "The form was incomplete."),
    };
    if answer(app, typed, agreed) {
        pages::done(agreed.is_some())
    } else {
        pages::device(
            typed,
            person,
            Some("This code is not known, or it has expired. Check it and try again."),
        )
    }
}

/// Records what the person said; false when no request waits under this code.
pub(crate) fn answer(app: &App, user_code: &str, agreed: Option<&str>) -> bool {
    let wanted = plain(user_code);
    let now = app.now();
    let mut state = app.state();
    let waiting = state.devices.values_mut().find(|device| {
        now < device.expires_at && device.decision == Decision::Waiting && plain(&device.user_code) == wanted
    });
    let Some(device) = waiting else {
        return false;
    };
    device.decision = match agreed {
        Some(person) => Decision::Agreed { person: person.to_owned(), at: now },
        None => Decision::Denied,
    };
    true
}

/// What people type: any case, with or without the dash.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

fn user_code(app: &App) -> String {
    let mut random = [0_u8; 8];
    (app.options.entropy)(&mut random);
    let mut code: String = random
        .iter()
        .filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len()))
        .map(|letter| char::from(*letter))
        .collect();
    code.insert(4, '-');
    code
}
