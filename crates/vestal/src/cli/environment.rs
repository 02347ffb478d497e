//! The environment variables of the command line, each declared once.
//!
//! Every variable exists under three prefixes; `VESTAL_` wins over `BAO_`, and that over `VAULT_`. An empty
//! variable counts as unset.

use std::collections::BTreeMap;

/// The prefixes, the strongest first.
const PREFIXES: [&str; 3] = ["VESTAL_", "BAO_", "VAULT_"];

/// A variable without its prefix, and what it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
}

macro_rules! variables {
    ($($name:ident: $meaning:literal,)*) => {
        $(pub(crate) const $name: Variable = Variable { name: stringify!($name), meaning: $meaning };)*
        /// All of them, for the help text.
        pub(crate) const ALL: &[Variable] = &[$($name),*];
    };
}

variables! {
    ADDR: "Address of the server, such as https://127.0.0.1:8200",
    TOKEN: "Token to use instead of the one kept by `login`",
    FORMAT: "How output is written: table, json or yaml",
    CACERT: "PEM file of authorities that the server's certificate is checked against",
    CACERT_BYTES: "The same as text instead of a file",
    CAPATH: "Directory of such files",
    CLIENT_CERT: "PEM file of the certificate to show to the server",
    CLIENT_KEY: "PEM file of its private key",
    SKIP_VERIFY: "true: accept any certificate",
    TLS_SERVER_NAME: "Name expected in the server's certificate",
    NAMESPACE: "Namespace to work in",
    WRAP_TTL: "Wrap answers for this long, such as 5m",
    CLIENT_TIMEOUT: "Time limit of one request, such as 60s",
    MAX_RETRIES: "How often a request is repeated that the server could not take; 2 by default",
    DISABLE_REDIRECTS: "true: do not follow the server's redirect",
    MFA: "Second factor, sent with every request",
    PROXY_ADDR: "Proxy for every request, such as http://proxy:3128; HTTP_PROXY of this prefix is the same, and weaker",
    HTTP_PROXY: "See PROXY_ADDR; without both, the system's HTTPS_PROXY, HTTP_PROXY and NO_PROXY are obeyed, but not for loopback",
    LOG_LEVEL: "What `server` logs: trace, debug, info, warn, error or off",
    LOG_FORMAT: "How `server` logs: standard or json",
    DEV_ROOT_TOKEN_ID: "The root token of `server -dev`",
    DEV_LISTEN_ADDRESS: "Where `server -dev` listens",
}

/// The variables as they were when the program started.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The process's own; variables that are not text are left out.
    pub(crate) fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// Made of pairs, for tests.
    #[cfg(test)]
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    /// A variable's value and the full name under which it was found.
    pub(crate) fn found(&self, variable: Variable) -> Option<(String, &str)> {
        PREFIXES.iter().find_map(|prefix| {
            let name = format!("{prefix}{}", variable.name);
            let value = self.plain(&name)?;
            Some((name, value))
        })
    }

    /// A variable's value.
    pub(crate) fn value(&self, variable: Variable) -> Option<&str> {
        self.found(variable).map(|(_, value)| value)
    }

    /// A variable that has one name only, such as `HOME`.
    pub(crate) fn plain(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// The section of the help text.
pub(crate) fn help() -> String {
    let lines = ALL.iter().map(|Variable { name, meaning }| format!("  {name:<18} {meaning}"));
    let title = "Environment (as VESTAL_…, BAO_… or VAULT_…, the first of these that is set):".to_owned();
    std::iter::once(title).chain(lines).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_prefix_wins_and_empty_is_unset() {
        let cases = [
            (["", "", ""], None),
            (["a", "", ""], Some("a")),
            (["a", "b", ""], Some("b")),
            (["a", "b", "c"], Some("c")),
            (["a", "", "c"], Some("c")),
        ];
        for ([vault, bao, vestal], expected) in cases {
            let pairs = [("VAULT_ADDR", vault), ("BAO_ADDR", bao), ("VESTAL_ADDR", vestal)];
            assert_eq!(Environment::of(&pairs).value(ADDR), expected, "{pairs:?}");
        }
    }

    #[test]
    fn the_help_names_every_variable() {
        for variable in ALL {
            assert!(help().contains(variable.name), "{}", variable.name);
        }
    }
}
