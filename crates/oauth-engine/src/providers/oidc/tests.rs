//! Tests of the `oidc` provider against an issuer that is told what to answer.

mod issuer;
mod tokens;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vestal_crypto::SecretString;
use vestal_logical::{HttpTransport, Timestamp};

use crate::providers::{
    Allow, Grant, Issued, Lesson, Options, Provider, ProviderError, ProviderKind, Settings,
};
use crate::providers::{build, prepare};
use issuer::Idp;

const START: Timestamp = Timestamp::from_seconds(1_700_000_000);
const ISSUER: &str = "https://idp.example";

fn allow(now: Timestamp) -> Allow {
    Allow { now, time: Some(Duration::from_secs(30)) }
}

fn options(pairs: &[(&str, &str)]) -> Options {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The server as it is written and then used.
async fn server(idp: &Arc<Idp>, fields: &str) -> Arc<dyn Provider> {
    let options = options(&[("issuer_url", ISSUER), ("extra_data_fields", fields)]);
    made(idp, &options).await.unwrap()
}

async fn made(idp: &Arc<Idp>, options: &Options) -> Result<Arc<dyn Provider>, String> {
    let http: Arc<dyn HttpTransport> = Arc::clone(idp) as Arc<dyn HttpTransport>;
    let discovered = prepare(ProviderKind::Oidc, options, &http, START).await?;
    let settings = Settings {
        provider: "oidc",
        version: 1,
        client_id: "foo",
        client_secrets: &[SecretString::from("bar")],
        auth_url_params: &BTreeMap::new(),
        options,
        discovered: discovered.as_ref(),
        lesson: Lesson::default(),
    };
    build(&settings, &http)
}

fn code(nonce: Option<&str>) -> Grant {
    let given: Vec<_> = nonce.map(|nonce| ("nonce", nonce)).into_iter().collect();
    Grant::Code { code: "c-1".into(), redirect_url: "https://app/cb".into(), options: options(&given) }
}

fn refresh(previous: Option<Value>) -> Grant {
    let previous_extra = previous.map(|previous| previous.as_object().unwrap().clone());
    Grant::Refresh { refresh_token: "r-1".into(), options: Options::new(), previous_extra }
}

fn extra(issued: &Issued) -> Value {
    json!(issued.tokens.extra)
}

fn unacceptable(result: &Result<Issued, ProviderError>) -> &str {
    match result {
        Err(ProviderError::Unacceptable(text)) => text,
        other => panic!("{other:?}"),
    }
}
