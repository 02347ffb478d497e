//! One request to an API server, before it is addressed.

use http::Method;
use serde_json::Value;

/// A verb, a path below `/v1/`, and what goes with them.
#[derive(Debug, Clone)]
pub struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) wrapped: bool,
    pub(crate) root_namespace: bool,
    pub(crate) anonymous: bool,
}

impl Ask {
    /// A request without query and body.
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            query: Vec::new(),
            body: None,
            wrapped: false,
            root_namespace: false,
            anonymous: false,
        }
    }

    /// `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// `GET ?list=true`, as Vault's own client lists.
    pub fn list(path: impl Into<String>) -> Self {
        Self::get(path).query("list", "true")
    }

    /// `PUT` with a body.
    pub fn put(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::PUT, path).body(body)
    }

    /// `POST` with a body.
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path).body(body)
    }

    /// `PATCH` with a JSON merge patch.
    pub fn patch(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::PATCH, path).body(body)
    }

    /// `DELETE`.
    pub fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds query parameters.
    #[must_use]
    pub fn queries(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.query.extend(pairs);
        self
    }

    /// Sets the JSON body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// Asks for the answer to be wrapped if the client is set to wrap.
    #[must_use]
    pub fn wrapped(mut self) -> Self {
        self.wrapped = true;
        self
    }

    /// Leaves the namespace out: endpoints that exist only at the root refuse the header.
    #[must_use]
    pub fn at_root(mut self) -> Self {
        self.root_namespace = true;
        self
    }

    /// Leaves the token out: for logins.
    #[must_use]
    pub fn without_token(mut self) -> Self {
        self.anonymous = true;
        self
    }
}
