//! A network for tests: answers by a script, or by a function, and keeps what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use http::HeaderMap;
use vestal_crypto::SecretBytes;
use vestal_logical::{HttpTransport, OutboundRequest, OutboundResponse, TransportError};

pub(crate) type Scripted = Result<OutboundResponse, TransportError>;

/// Answers in the order of the script; asked more often it fails as a network does that is down.
#[derive(Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Scripted>>,
    asked: Mutex<Vec<OutboundRequest>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Scripted>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() })
    }

    /// The requests themselves.
    pub(crate) fn requests(&self) -> Vec<OutboundRequest> {
        self.asked.lock().unwrap().clone()
    }

    /// Verb, address and form of each request, and whether it came with basic authentication.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().map(Asked::of).collect()
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) url: String,
    pub(crate) body: String,
    pub(crate) authorization: Option<String>,
}

impl Asked {
    fn of(request: &OutboundRequest) -> Self {
        let authorization =
            request.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
        Self {
            url: format!("{} {}", request.method, request.url),
            body: String::from_utf8(request.body.expose().to_vec()).unwrap(),
            authorization,
        }
    }
}

impl HttpTransport for Script {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Scripted> {
        self.asked.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front();
        let down = || Err(TransportError::NotSent("nothing more is in the script".to_owned()));
        Box::pin(std::future::ready(answer.unwrap_or_else(down)))
    }
}

#[expect(clippy::unnecessary_wraps, reason = "scripts hold failures too")]
pub(crate) fn answer(status: u16, body: &str) -> Scripted {
    let headers = HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/json".parse().unwrap())]);
    Ok(OutboundResponse { status, headers, body: SecretBytes::new(body) })
}

pub(crate) fn token(name: &str) -> Scripted {
    answer(200, &format!(r#"{{"access_token":"{name}","expires_in":60,"refresh_token":"r-{name}"}}"#))
}

pub(crate) fn oauth_error(status: u16, code: &str) -> Scripted {
    answer(status, &format!(r#"{{"error":"{code}"}}"#))
}
