//! Finds the endpoint of a path and runs its handler.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde_json::{Map, Value};

use crate::endpoint::RunFault;
use crate::{Body, Call, Declaration, Dialect, Endpoint, Endpoints, Error, FieldError, Operation, Reply};

/// The endpoint that a path matched, and what its template captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched {
    index: usize,
    /// Name and text of each capture.
    pub captures: Vec<(&'static str, String)>,
}

/// The endpoints of one kind of engine, ready to be matched.
pub struct Table<E> {
    router: matchit::Router<usize>,
    endpoints: Vec<Endpoint<E>>,
    dialect: Dialect,
}

impl<E: Send + Sync + 'static> Table<E> {
    /// Fails when two templates conflict, or a template is malformed: found by the unit test that builds each table.
    pub fn new(endpoints: Endpoints<E>) -> Result<Self, Error> {
        let mut router = matchit::Router::new();
        for (index, endpoint) in endpoints.list.iter().enumerate() {
            router.insert(format!("/{}", endpoint.declaration.template), index).map_err(Error::internal)?;
        }
        Ok(Self { router, endpoints: endpoints.list, dialect: endpoints.dialect })
    }

    /// The endpoint of this path below the mount.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<Matched> {
        let full = format!("/{path}");
        let found = self.router.at(&full).ok()?;
        let endpoint = self.endpoints.get(*found.value)?;
        let names = capture_names(endpoint.declaration.template);
        let captures: Vec<_> = names.zip(found.params.iter().map(|(_, text)| text.to_owned())).collect();
        let legal = endpoint.legal.is_none_or(|legal| captures.iter().all(|(_, text)| legal(text)));
        legal.then_some(Matched { index: *found.value, captures })
    }

    /// What is known about a matched endpoint.
    pub fn declaration(&self, matched: &Matched) -> Result<&Declaration, Error> {
        self.endpoint(matched).map(|endpoint| &endpoint.declaration)
    }

    /// All endpoints, in the order of their declaration.
    pub fn all(&self) -> impl Iterator<Item = &Declaration> {
        self.endpoints.iter().map(|endpoint| &endpoint.declaration)
    }

    /// Whether the thing that a write names is there; `None` when the endpoint does not tell.
    pub async fn exists(
        &self,
        engine: &Arc<E>,
        matched: &Matched,
        call: &Call,
    ) -> Result<Option<bool>, Error> {
        match &self.endpoint(matched)?.exists {
            Some(probe) => probe(engine, call).await.map(Some),
            None => Ok(None),
        }
    }

    /// Parses the input and runs the handler of the call's operation.
    pub async fn run(&self, engine: &Arc<E>, matched: &Matched, call: &Call) -> Result<Reply<Value>, Error> {
        let endpoint = self.endpoint(matched)?;
        let action = match (call.operation, endpoint.actions.get(&call.operation.declared())) {
            (Operation::Help, _) | (_, None) => return Err(Error::unsupported_operation()),
            (_, Some(action)) => action,
        };
        let Input { fields, unknown, replaced } = Input::of(&endpoint.declaration, call);
        for check in &endpoint.checks {
            check(fields.clone(), self.dialect)?;
        }
        let mut reply = action(engine, call, fields, self.dialect).await.map_err(|fault| match fault {
            RunFault::Handler(error) => error,
            RunFault::Input(failure) => refused_input(endpoint, call, failure),
        })?;
        let says_something = match reply.body {
            Body::Plain(_) => false,
            // An empty list that something is to be said of is an answer, and so is a warning.
            Body::Empty => {
                reply.auth.is_some() || !reply.warnings.is_empty() || call.operation == Operation::List
            }
            Body::Data(_) => true,
        };
        if says_something {
            if !unknown.is_empty() {
                reply = reply
                    .warn(format!("Endpoint ignored these unrecognized parameters: [{}]", unknown.join(" ")));
            }
            if !replaced.is_empty() {
                reply = reply.warn(format!(
                    "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [{}]",
                    replaced.join(" ")
                ));
            }
        }
        Ok(reply)
    }

    fn endpoint(&self, matched: &Matched) -> Result<&Endpoint<E>, Error> {
        self.endpoints.get(matched.index).ok_or_else(Error::unsupported_path)
    }
}

/// Where the reference asks first whether the thing is there, it converts the input for that, and says so differently.
fn refused_input<E>(endpoint: &Endpoint<E>, call: &Call, failure: FieldError) -> Error {
    if !call.operation.is_write() && call.operation != Operation::Patch {
        return failure.of_a_query().into();
    }
    let early = endpoint.exists.is_some() && call.operation.declared() == Operation::Update;
    match failure.conversion().filter(|_| early) {
        Some(text) => Error::invalid(text),
        None => failure.into(),
    }
}

/// The names in a template, in order.
fn capture_names(template: &'static str) -> impl Iterator<Item = &'static str> {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.trim_start_matches('*')))
}

/// The input of an action, and what a client should hear about it.
struct Input<'a> {
    fields: Map<String, Value>,
    unknown: Vec<&'a str>,
    replaced: Vec<&'a str>,
}

impl<'a> Input<'a> {
    fn of(declaration: &Declaration, call: &'a Call) -> Self {
        let mut fields = call.data.clone();
        if declaration.open {
            return Self { fields, unknown: Vec::new(), replaced: Vec::new() };
        }
        let captured = |name: &str| call.captures.iter().any(|(known, _)| *known == name);
        let mut unknown: Vec<&str> = Vec::new();
        let mut replaced: Vec<&str> = Vec::new();
        for name in call.data.keys() {
            if captured(name) {
                replaced.push(name);
            } else if !declaration.fields.contains_key(name) {
                unknown.push(name);
            }
        }
        unknown.sort_unstable();
        replaced.sort_unstable();
        for (name, text) in &call.captures {
            fields.insert((*name).to_owned(), Value::String(text.clone()));
        }
        Self { fields, unknown, replaced }
    }
}

/// An engine with its table, its type erased.
pub trait Dispatch: Send + Sync {
    /// See [`Table::find`].
    fn find(&self, path: &str) -> Option<Matched>;
    /// See [`Table::declaration`].
    fn declaration(&self, matched: &Matched) -> Result<&Declaration, Error>;
    /// See [`Table::all`].
    fn all(&self) -> Vec<&Declaration>;
    /// See [`Table::exists`].
    fn exists<'a>(
        &'a self,
        matched: &'a Matched,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>>;
    /// See [`Table::run`].
    fn run<'a>(&'a self, matched: &'a Matched, call: &'a Call) -> BoxFuture<'a, Result<Reply<Value>, Error>>;
}

/// Binds an engine to the table of its kind.
pub(crate) struct Bound<E> {
    pub(crate) engine: Arc<E>,
    pub(crate) table: Arc<Table<E>>,
}

impl<E: Send + Sync + 'static> Dispatch for Bound<E> {
    fn find(&self, path: &str) -> Option<Matched> {
        self.table.find(path)
    }

    fn declaration(&self, matched: &Matched) -> Result<&Declaration, Error> {
        self.table.declaration(matched)
    }

    fn all(&self) -> Vec<&Declaration> {
        self.table.all().collect()
    }

    fn exists<'a>(
        &'a self,
        matched: &'a Matched,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Option<bool>, Error>> {
        Box::pin(self.table.exists(&self.engine, matched, call))
    }

    fn run<'a>(&'a self, matched: &'a Matched, call: &'a Call) -> BoxFuture<'a, Result<Reply<Value>, Error>> {
        Box::pin(self.table.run(&self.engine, matched, call))
    }
}
