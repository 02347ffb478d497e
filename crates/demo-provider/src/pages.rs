//! The pages a person sees: sign in, enter a device's code, done, something is wrong.
//!
//! Self-contained HTML: one style sheet and one script of a few lines, both named by hash in the content security
//! policy. Every page works without the script. Everything from outside is escaped by `text`.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use url::Url;

use crate::reply::Reply;
use crate::state::Login;

const STYLE: &str = include_str!("pages/style.css");
const SCRIPT: &str = include_str!("pages/name.js");

/// Asks the person to sign in and agree.
pub(crate) fn login(login: &Login, ticket: &str, person: &str) -> Reply {
    let client = text(&login.client);
    let wants = match login.scope.as_deref() {
        None => format!("<p class=\"lead\"><b>{client}</b> wants to act on your behalf.</p>"),
        Some(scope) => {
            let mut items = String::new();
            for one in scope.split(' ').filter(|one| !one.is_empty()) {
                items.push_str("<li><code>");
                items.push_str(&text(one));
                items.push_str("</code></li>");
            }
            format!("<p class=\"lead\"><b>{client}</b> asks for:</p><ul class=\"scopes\">{items}</ul>")
        }
    };
    let destination = text(&place(&login.redirect));
    let body = format!(
        "<h1>Sign in</h1>{wants}\
         <form method=\"post\" action=\"/authorize/decide\">\
         <input type=\"hidden\" name=\"ticket\" value=\"{}\">{}{}\
         <p class=\"fine\">You will be sent back to <span class=\"place\">{destination}</span></p></form>",
        text(ticket),
        name_field(person),
        buttons(person),
    );
    Reply::page(StatusCode::OK, page("Sign in", &body), &policy(Some(&login.redirect)))
}

/// Asks for the code that a device shows.
pub(crate) fn device(user_code: &str, person: &str, problem: Option<&str>) -> Reply {
    let (status, alert, described) = match problem {
        Some(problem) => (
            StatusCode::BAD_REQUEST,
            format!("<p class=\"alert\" id=\"problem\" role=\"alert\">{}</p>", text(problem)),
            " aria-describedby=\"problem\" aria-invalid=\"true\"",
        ),
        None => (StatusCode::OK, String::new(), ""),
    };
    let body = format!(
        "<h1>Connect a device</h1>\
         <p class=\"lead\">Enter the code it shows. Go on only if it is in front of you.</p>{alert}\
         <form method=\"post\" action=\"/device/verify\">\
         <label for=\"code\">Code</label>\
         <input class=\"code\" id=\"code\" name=\"user_code\" value=\"{}\" required maxlength=\"16\" \
         autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\"{described}>{}{}</form>",
        text(user_code),
        name_field(person),
        buttons(person),
    );
    Reply::page(status, page("Connect a device", &body), &policy(None))
}

/// Says that the device was answered.
pub(crate) fn done(agreed: bool) -> Reply {
    let (title, sentence) = if agreed {
        ("Connected", "The device is connected. You can close this page.")
    } else {
        ("Denied", "The device was refused. You can close this page.")
    };
    let body = format!("<h1>{title}</h1><p class=\"lead\">{sentence}</p>");
    Reply::page(StatusCode::OK, page(title, &body), &policy(None))
}

/// Says what is wrong, to a person who cannot be sent back anywhere.
pub(crate) fn problem(status: StatusCode, sentence: &str) -> Reply {
    let body = format!(
        "<h1>This request cannot go on</h1><p class=\"alert\" role=\"alert\">{}</p>\
         <p class=\"lead\">Nothing was granted. Go back to the application and try again.</p>",
        text(sentence)
    );
    Reply::page(status, page("This request cannot go on", &body), &policy(None))
}

fn name_field(person: &str) -> String {
    format!(
        "<label for=\"name\">Name</label>\
         <input id=\"name\" name=\"name\" value=\"{}\" maxlength=\"80\" autocomplete=\"off\" spellcheck=\"false\">",
        text(person)
    )
}

fn buttons(person: &str) -> String {
    format!(
        "<button id=\"allow\" name=\"decision\" value=\"allow\">Sign in as <span id=\"who\">{}</span></button>\
         <button id=\"deny\" class=\"quiet\" name=\"decision\" value=\"deny\" formnovalidate>Deny</button>",
        text(person)
    )
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <title>{title} · Demo provider</title><style>{STYLE}</style></head>\
         <body><main><p class=\"brand\"><span aria-hidden=\"true\" class=\"mark\"></span>Demo provider</p>{body}\
         </main><footer>A provider for demonstrations and tests. No password, no real account.</footer>\
         <script>{SCRIPT}</script></body></html>"
    )
}

/// Nothing may be loaded; a form may lead here and to where the client wants the person sent back.
fn policy(redirect: Option<&Url>) -> String {
    let hash = |inline: &str| STANDARD.encode(Sha256::digest(inline));
    let leads_to = redirect.map(|url| format!(" {}", place_in_policy(url))).unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; form-action 'self'{leads_to}; \
         base-uri 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// Browsers apply `form-action` to the redirect that answers a form. Hosts in brackets and origins of other schemes
/// cannot be written there, so for those the scheme stands.
fn place_in_policy(url: &Url) -> String {
    match url.host() {
        Some(url::Host::Domain(_) | url::Host::Ipv4(_)) if url.origin().is_tuple() => {
            url.origin().ascii_serialization()
        }
        _ => format!("{}:", url.scheme()),
    }
}

fn place(url: &Url) -> String {
    if url.origin().is_tuple() { url.origin().ascii_serialization() } else { format!("{}:", url.scheme()) }
}

fn text(raw: &str) -> String {
    let mut safe = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}
