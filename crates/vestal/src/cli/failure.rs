//! A command that did not work: what happened, what to do next, and the exit code.

use vestal_client::{ApiError, Cause};

/// What a command gives: an exit code, or a failure that has one.
pub(crate) type Outcome = Result<u8, Failure>;

/// Wrong use, or something on this machine.
const LOCAL: u8 = 1;
/// The server refused, could not be reached, or the settings that say how are not usable.
const REMOTE: u8 = 2;

/// What happened and what to do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) text: String,
    pub(crate) next: Option<String>,
}

impl Failure {
    /// Wrong use, or something on this machine: exit code 1.
    pub(crate) fn local(text: impl Into<String>) -> Self {
        Self { code: LOCAL, text: text.into(), next: None }
    }

    /// Something about the server or how it is reached: exit code 2.
    pub(crate) fn remote(text: impl Into<String>) -> Self {
        Self { code: REMOTE, text: text.into(), next: None }
    }

    /// With what to do next, on one line.
    #[must_use]
    pub(crate) fn then(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// With another exit code.
    #[must_use]
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }
}

/// Where the settings of a call came from, to be named in advice.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) address: String,
    pub(crate) address_from: String,
    pub(crate) token_from: Option<String>,
    pub(crate) authorities_named: bool,
    pub(crate) about: About,
}

/// Whose rights a call is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// Those of the token in use.
    OwnToken,
    /// Also those of a token that was given as an argument.
    GivenToken,
    /// Those of somebody who logs in.
    Login,
}

/// What to do about a failed call, where that is known.
pub(crate) fn advice(error: &ApiError, origin: &Origin) -> Option<String> {
    let Origin { address, address_from, token_from, authorities_named, about } = origin;
    if let Some(cause) = error.cause() {
        return match cause {
            Cause::ConnectionRefused if error.to_string().contains("through a proxy") => Some(format!(
                "Nothing listens at {address} ({address_from}), or at the proxy that the environment names"
            )),
            Cause::ConnectionRefused => Some(format!(
                "Nothing listens at {address} ({address_from}): start the server, or name another address with -address or VESTAL_ADDR"
            )),
            Cause::UnknownHost => Some(format!("Check the host name in {address} ({address_from})")),
            Cause::NotTls => Some(format!(
                "The server at {address} speaks plain HTTP: use an address with http:// ({address_from})"
            )),
            Cause::NotHttp => Some(format!(
                "The server at {address} may speak TLS: try an address with https:// ({address_from})"
            )),
            Cause::BadCertificate if *authorities_named => Some(
                "None of the named CA certificates vouches for it, it is for another host, or its time is not now"
                    .to_owned(),
            ),
            Cause::BadCertificate => Some(
                "Name the authority of the server's certificate with -ca-cert or VESTAL_CACERT".to_owned(),
            ),
            Cause::TooSlow => Some("VESTAL_CLIENT_TIMEOUT allows more time".to_owned()),
            Cause::Forbidden | Cause::Other => None,
        };
    }
    let refusal = error.refusal()?;
    match (refusal.answer.status, token_from) {
        (400, _) if address.starts_with("http:") && refusal.answer.text().contains("HTTPS server") => {
            Some(format!("The server at {address} speaks TLS: use an address with https:// ({address_from})"))
        }
        (400 | 403, _) if *about == About::Login => {
            Some("What was given to log in with is not valid, or the server does not know it".to_owned())
        }
        (403, Some(from)) if *about == About::GivenToken => Some(format!(
            "The token in the argument is not valid, or the one in use ({from}) may not do this"
        )),
        (403, None) => Some("No token is set: run `vestal login`, or set VESTAL_TOKEN".to_owned()),
        (403, Some(from)) => Some(format!(
            "The token ({from}) is not valid or its policies do not allow this: see `vestal token lookup` and `vestal token capabilities PATH`"
        )),
        (429, _) => Some("The server limits the rate of requests: wait, then try again".to_owned()),
        (503, _) => Some(
            "If the server is sealed (`vestal status`), unseal it with `vestal operator unseal`".to_owned(),
        ),
        _ => None,
    }
}
