//! Writes the requests of a token endpoint (reference §7.2), with the crate that knows the protocol; only the escapes
//! are ours.
//!
//! Invariants: the body and the header that carry secrets are secret types; nothing is sent here. Knows nothing of
//! answers.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, header};
use oauth2::basic::BasicClient;
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken, TokenUrl,
};
use url::{Url, form_urlencoded};
use vestal_crypto::{SecretBytes, SecretString};

use super::{AuthStyle, ProviderError, form};

/// What a token endpoint is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ask<'a> {
    Code { code: &'a SecretString, redirect_url: &'a str },
    Refresh(&'a SecretString),
}

impl<'a> Ask<'a> {
    /// What stands before the error of one of several secrets.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Code { .. } => "exchange failed",
            Self::Refresh(_) => "refresh failed",
        }
    }

    /// What is presented, and must not come back in a text.
    pub(crate) fn presented(self) -> &'a SecretString {
        match self {
            Self::Code { code: secret, .. } | Self::Refresh(secret) => secret,
        }
    }
}

/// Headers and body of one request. A client without a secret names itself in the body, whatever the style.
pub(crate) fn request(
    url: &Url,
    client: (&str, Option<&SecretString>),
    style: AuthStyle,
    ask: Ask<'_>,
) -> Result<(HeaderMap, SecretBytes), ProviderError> {
    let (id, secret) = client;
    let mut client = BasicClient::new(ClientId::new(id.to_owned()))
        .set_auth_type(match style {
            AuthStyle::InHeader => AuthType::BasicAuth,
            AuthStyle::InParams => AuthType::RequestBody,
        })
        .set_token_uri(TokenUrl::from_url(url.clone()));
    if let Some(secret) = secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
    }
    let basic = secret.map(|secret| basic(id, secret)).transpose()?;
    // The crate hands a request to whoever sends it; this one only keeps it.
    let kept = RefCell::new(None);
    let keep = |request: HttpRequest| -> Result<HttpResponse, std::fmt::Error> {
        kept.replace(Some(request));
        Err(std::fmt::Error)
    };
    match ask {
        Ask::Code { code, redirect_url } => {
            let mut request = client.exchange_code(AuthorizationCode::new(code.expose().to_owned()));
            if !redirect_url.is_empty() {
                request = request.add_extra_param("redirect_uri", redirect_url);
            }
            drop(request.request(&keep));
        }
        Ask::Refresh(token) => {
            let token = RefreshToken::new(token.expose().to_owned());
            drop(client.exchange_refresh_token(&token).request(&keep));
        }
    }
    let request = kept.into_inner().ok_or_else(unwritten)?;
    let (parts, body) = request.into_parts();
    let mut headers = parts.headers;
    if let (Some(value), Some(basic)) = (headers.get_mut(header::AUTHORIZATION), basic) {
        *value = basic;
    }
    Ok((headers, SecretBytes::new(form::pairs(form_urlencoded::parse(&body)))))
}

/// RFC 6749, section 2.3.1: both halves are escaped before they are joined.
fn basic(id: &str, secret: &SecretString) -> Result<HeaderValue, ProviderError> {
    let joined = SecretString::new(format!("{}:{}", form::encoded(id), form::encoded(secret.expose())));
    let written = SecretString::new(format!("Basic {}", STANDARD.encode(joined.expose())));
    let mut value = HeaderValue::from_str(written.expose()).map_err(|_| unwritten())?;
    value.set_sensitive(true);
    Ok(value)
}

fn unwritten() -> ProviderError {
    ProviderError::Internal("the token request could not be written".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(secret: Option<&str>, style: AuthStyle, ask: Ask<'_>) -> (Option<String>, String) {
        let url = Url::parse("https://idp.example/token").unwrap();
        let secret = secret.map(SecretString::from);
        let (headers, body) = request(&url, ("a b", secret.as_ref()), style, ask).unwrap();
        assert_eq!(headers["content-type"], "application/x-www-form-urlencoded");
        let basic = headers.get("authorization").map(|value| {
            assert!(value.is_sensitive());
            let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
            String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap()
        });
        (basic, String::from_utf8(body.expose().to_vec()).unwrap())
    }

    #[test]
    fn row_055_each_request_carries_its_client_and_its_parameters() {
        let (code, token) = (SecretString::from("c/1"), SecretString::from("r&1"));
        let exchange = Ask::Code { code: &code, redirect_url: "http://x/cb" };
        let bare = Ask::Code { code: &code, redirect_url: "" };
        let header = Some("a+b:s%3A1".to_owned());
        let cases = [
            (
                Some("s:1"),
                AuthStyle::InHeader,
                exchange,
                header.clone(),
                "grant_type=authorization_code&code=c%2F1&redirect_uri=http%3A%2F%2Fx%2Fcb",
            ),
            (
                Some("s:1"),
                AuthStyle::InHeader,
                Ask::Refresh(&token),
                header,
                "grant_type=refresh_token&refresh_token=r%261",
            ),
            (
                Some("s:1"),
                AuthStyle::InParams,
                bare,
                None,
                "grant_type=authorization_code&code=c%2F1&client_id=a+b&client_secret=s%3A1",
            ),
            (
                None,
                AuthStyle::InParams,
                Ask::Refresh(&token),
                None,
                "grant_type=refresh_token&refresh_token=r%261&client_id=a+b",
            ),
            (
                None,
                AuthStyle::InHeader,
                Ask::Refresh(&token),
                None,
                "grant_type=refresh_token&refresh_token=r%261&client_id=a+b",
            ),
        ];
        for (secret, style, ask, basic, body) in cases {
            assert_eq!(written(secret, style, ask), (basic, body.to_owned()), "{style:?}");
        }
    }

    #[test]
    fn values_are_escaped_as_the_reference_does() {
        let (token, secret) = (SecretString::from("r~*"), SecretString::from("s:1~*%+!"));
        let url = Url::parse("https://idp.example/token").unwrap();
        let client = ("a b*~", Some(&secret));
        let (headers, _) = request(&url, client, AuthStyle::InHeader, Ask::Refresh(&token)).unwrap();
        let expected = format!("Basic {}", STANDARD.encode("a+b%2A~:s%3A1~%2A%25%2B%21"));
        assert_eq!(headers["authorization"], expected);
        let (_, body) = request(&url, client, AuthStyle::InParams, Ask::Refresh(&token)).unwrap();
        assert_eq!(
            body.expose(),
            b"grant_type=refresh_token&refresh_token=r~%2A&client_id=a+b%2A~&client_secret=s%3A1~%2A%25%2B%21"
        );
    }

    #[test]
    fn a_redirect_address_that_is_no_url_is_sent_as_it_is() {
        let code = SecretString::from("c");
        let (_, body) =
            written(Some("s"), AuthStyle::InHeader, Ask::Code { code: &code, redirect_url: "not a url" });
        assert!(body.ends_with("&redirect_uri=not+a+url"));
    }
}
