//! Tells programs where everything is (`OpenID Connect` Discovery 1.0, RFC 8414).

use serde_json::json;

use crate::call::Grant;
use crate::options::ClientAuth;
use crate::reply::Reply;
use crate::state::App;

pub(crate) fn configuration(app: &App) -> Reply {
    let base = app.base_url();
    let at = |path: &str| format!("{base}{path}");
    let methods: &[&str] = match app.state().client_auth {
        ClientAuth::Any => &["client_secret_basic", "client_secret_post", "none"],
        ClientAuth::Header => &["client_secret_basic", "none"],
        ClientAuth::Parameters => &["client_secret_post", "none"],
    };
    Reply::json(json!({
        "issuer": base,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "device_authorization_endpoint": at("/device"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "revocation_endpoint": at("/revoke"),
        "introspection_endpoint": at("/introspect"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported":
            ["authorization_code", "refresh_token", "client_credentials", Grant::DEVICE_CODE],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": methods,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [app.signer.algorithm()],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported":
            ["iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "at_hash", "name", "email"],
        "authorization_response_iss_parameter_supported": true,
    }))
}
