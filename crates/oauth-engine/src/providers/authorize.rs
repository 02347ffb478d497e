//! Builds the address to which a person is sent to agree (reference §3.2).
//!
//! Invariants: a request cannot replace what the protocol needs, only the server's own settings can; equal input gives
//! equal addresses. Knows nothing of what comes back.

use std::collections::BTreeMap;

use super::{Authorize, ProviderError, form};

/// What requests may not set as extra parameters: it has a field of its own or belongs to the server.
const STANDARD: [&str; 5] = ["client_id", "redirect_uri", "response_type", "scope", "state"];

/// The address. `first` are scopes that come before those asked for; the server's `params` win over all.
pub(crate) fn url(
    endpoint: Option<&str>,
    client_id: &str,
    first: &[&str],
    ask: &Authorize,
    params: &BTreeMap<String, String>,
) -> Result<String, ProviderError> {
    let refuse = ProviderError::Unacceptable;
    let endpoint = endpoint.ok_or_else(|| refuse("authorization code URL not available".to_owned()))?;
    if let Some(name) = STANDARD.iter().find(|name| ask.params.contains_key(**name)) {
        return Err(refuse(format!("auth_url_params must not contain the standard parameter \"{name}\"")));
    }
    let scopes: Vec<&str> = first.iter().copied().chain(ask.scopes.iter().map(String::as_str)).collect();
    let scope = scopes.join(" ");
    let mut query = BTreeMap::from([("client_id", client_id), ("response_type", "code")]);
    for (name, value) in [("redirect_uri", &ask.redirect_url), ("scope", &scope), ("state", &ask.state)] {
        if !value.is_empty() {
            query.insert(name, value);
        }
    }
    for (name, value) in ask.params.iter().chain(params) {
        query.insert(name, value);
    }
    let query = form::pairs(query);
    let joint = if endpoint.contains('?') { '&' } else { '?' };
    Ok(format!("{endpoint}{joint}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn ask() -> Authorize {
        Authorize {
            state: "qwerty".into(),
            scopes: vec!["read".into(), "write".into()],
            redirect_url: "http://example.com/redirect".into(),
            params: pairs(&[("foo", "bar"), ("baz", "quux")]),
            ..Authorize::default()
        }
    }

    #[test]
    fn row_002_the_server_s_parameters_win_and_all_are_sorted() {
        let found = url(Some("https://idp/a"), "abc", &[], &ask(), &pairs(&[("foo", "geoff")])).unwrap();
        assert_eq!(
            found,
            "https://idp/a?baz=quux&client_id=abc&foo=geoff&redirect_uri=http%3A%2F%2Fexample.com%2Fredirect\
             &response_type=code&scope=read+write&state=qwerty"
        );
    }

    #[test]
    fn values_are_escaped_as_the_reference_does() {
        let asked = Authorize { state: "~!*()'-_. +%/".into(), ..Authorize::default() };
        let found = url(Some("https://idp/a"), "a~*", &[], &asked, &BTreeMap::new()).unwrap();
        let expected = "https://idp/a?client_id=a~%2A&response_type=code&state=~%21%2A%28%29%27-_.+%2B%25%2F";
        assert_eq!(found, expected);
    }

    #[test]
    fn an_endpoint_with_a_query_keeps_it_and_empty_things_are_left_out() {
        let bare = Authorize::default();
        let found = url(Some("https://idp/a?x=1"), "abc", &[], &bare, &BTreeMap::new()).unwrap();
        assert_eq!(found, "https://idp/a?x=1&client_id=abc&response_type=code");
        let found = url(Some("https://idp/a"), "abc", &["openid"], &ask(), &BTreeMap::new()).unwrap();
        assert!(found.contains("&scope=openid+read+write&"));
    }

    #[test]
    fn a_request_cannot_replace_what_the_protocol_needs_but_the_server_can() {
        for name in STANDARD {
            let asked = Authorize { params: pairs(&[(name, "evil")]), ..ask() };
            let error =
                url(Some("https://idp/a"), "abc", &[], &asked, &BTreeMap::new()).unwrap_err().to_string();
            assert_eq!(error, format!("auth_url_params must not contain the standard parameter \"{name}\""));
            let found = url(Some("https://idp/a"), "abc", &[], &ask(), &pairs(&[(name, "own")])).unwrap();
            assert!(found.contains(&format!("{name}=own")), "{found}");
            assert_eq!(found.matches(&format!("{name}=")).count(), 1);
        }
    }

    #[test]
    fn x05_without_an_endpoint_there_is_no_address() {
        let error = url(None, "abc", &[], &ask(), &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "authorization code URL not available");
    }
}
