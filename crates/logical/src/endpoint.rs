//! One declaration per endpoint, beside its handler; everything else is derived from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::decode::decode_as;
use crate::{Call, Dialect, Error, FieldError, Operation, Reply};

/// An asynchronous function that serves one action: `async fn(&Arc<E>, &Call, P) -> Result<Reply<T>, X>`.
pub trait Handler<'a, E: 'a, P, T, X>: Send + Sync + 'static {
    /// The future it returns.
    type Answer: Future<Output = Result<Reply<T>, X>> + Send + 'a;
    /// Serves one call.
    fn serve(&self, engine: &'a Arc<E>, call: &'a Call, params: P) -> Self::Answer;
}

impl<'a, E: 'a, P, T, X, F, A> Handler<'a, E, P, T, X> for F
where
    F: Fn(&'a Arc<E>, &'a Call, P) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Reply<T>, X>> + Send + 'a,
{
    type Answer = A;

    fn serve(&self, engine: &'a Arc<E>, call: &'a Call, params: P) -> A {
        self(engine, call, params)
    }
}

/// An asynchronous function that tells whether the thing that a write names is there.
pub trait Probe<'a, E: 'a, X>: Send + Sync + 'static {
    /// The future it returns.
    type Answer: Future<Output = Result<bool, X>> + Send + 'a;
    /// Looks.
    fn look(&self, engine: &'a Arc<E>, call: &'a Call) -> Self::Answer;
}

impl<'a, E: 'a, X, F, A> Probe<'a, E, X> for F
where
    F: Fn(&'a Arc<E>, &'a Call) -> A + Send + Sync + 'static,
    A: Future<Output = Result<bool, X>> + Send + 'a,
{
    type Answer = A;

    fn look(&self, engine: &'a Arc<E>, call: &'a Call) -> A {
        self(engine, call)
    }
}

type Run<E> = Box<
    dyn for<'a> Fn(
            &'a Arc<E>,
            &'a Call,
            Map<String, Value>,
            Dialect,
        ) -> BoxFuture<'a, Result<Reply<Value>, RunFault>>
        + Send
        + Sync,
>;
type Check = fn(Map<String, Value>, Dialect) -> Result<(), FieldError>;
type Exists<E> =
    Box<dyn for<'a> Fn(&'a Arc<E>, &'a Call) -> BoxFuture<'a, Result<bool, Error>> + Send + Sync>;

/// Why an action gave no answer.
pub(crate) enum RunFault {
    /// The handler was not asked.
    Input(FieldError),
    /// The handler said so.
    Handler(Error),
}

impl From<Error> for RunFault {
    fn from(error: Error) -> Self {
        Self::Handler(error)
    }
}

/// What is known about one endpoint without its engine.
#[derive(Debug, Clone)]
pub struct Declaration {
    /// The path below the mount, with captures: `creds/{*name}`. A trailing slash belongs to it.
    pub template: &'static str,
    /// What it is, in one sentence.
    pub synopsis: &'static str,
    /// What each operation does, in one sentence.
    pub actions: BTreeMap<Operation, &'static str>,
    /// JSON schemas of the fields that any action of the endpoint takes.
    pub fields: BTreeMap<String, Value>,
    /// Whether the fields are the user's own, so that none is unknown.
    pub open: bool,
    /// Whether it is served without a token.
    pub unauthenticated: bool,
    /// The operations that need `sudo` besides their own capability.
    pub sudo: Vec<Operation>,
}

/// One endpoint of an engine: what is known about it, and the handlers.
pub struct Endpoint<E> {
    pub(crate) declaration: Declaration,
    pub(crate) actions: BTreeMap<Operation, Run<E>>,
    pub(crate) exists: Option<Exists<E>>,
    pub(crate) checks: Vec<Check>,
    pub(crate) legal: Option<fn(&str) -> bool>,
}

/// A method for each operation, all of one shape.
macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident => $operation:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name<P, T, X, H>(self, handler: H, does: &'static str) -> Self
        where
            P: DeserializeOwned + JsonSchema + Send + 'static,
            T: Serialize + 'static,
            X: Into<Error> + 'static,
            H: for<'a> Handler<'a, E, P, T, X>,
        {
            self.on(Operation::$operation, handler, does)
        }
    )*};
}

impl<E: Send + Sync + 'static> Endpoint<E> {
    fn new(template: &'static str, synopsis: &'static str) -> Self {
        Self {
            declaration: Declaration {
                template,
                synopsis,
                actions: BTreeMap::new(),
                fields: BTreeMap::new(),
                open: false,
                unauthenticated: false,
                sudo: Vec::new(),
            },
            actions: BTreeMap::new(),
            exists: None,
            checks: Vec::new(),
            legal: None,
        }
    }

    fn learn<P: JsonSchema>(&mut self) {
        let schema = schemars::schema_for!(P);
        if schema.get("additionalProperties") == Some(&Value::Bool(true)) {
            self.declaration.open = true;
        }
        if let Some(Value::Object(properties)) = schema.get("properties") {
            for (name, field) in properties {
                self.declaration.fields.entry(name.clone()).or_insert_with(|| field.clone());
            }
        }
    }

    fn on<P, T, X, H>(mut self, operation: Operation, handler: H, does: &'static str) -> Self
    where
        P: DeserializeOwned + JsonSchema + Send + 'static,
        T: Serialize + 'static,
        X: Into<Error> + 'static,
        H: for<'a> Handler<'a, E, P, T, X>,
    {
        self.learn::<P>();
        self.declaration.actions.insert(operation, does);
        let run: Run<E> =
            Box::new(move |engine, call, input, dialect| match decode_as::<P>(input, dialect) {
                Ok(params) => {
                    let answer = handler.serve(engine, call, params);
                    Box::pin(async move {
                        Ok(answer.await.map_err(Into::into)?.into_json().map_err(Error::internal)?)
                    })
                }
                Err(failure) => Box::pin(std::future::ready(Err(RunFault::Input(failure)))),
            });
        self.actions.insert(operation, run);
        self
    }

    verbs! {
        /// Serves GET.
        read => Read;
        /// Serves LIST. Lists are asked for with a trailing slash, so the template ends in one (or is empty).
        list => List;
        /// Serves POST and PUT.
        write => Update;
        /// Serves PATCH.
        patch => Patch;
        /// Serves DELETE.
        delete => Delete;
        /// Serves HEAD.
        header => Header;
    }

    /// Tells creating from updating; without it every write is an update.
    #[must_use]
    pub fn exists<X, H>(mut self, probe: H) -> Self
    where
        X: Into<Error> + 'static,
        H: for<'a> Probe<'a, E, X>,
    {
        self.exists = Some(Box::new(move |engine, call| {
            let answer = probe.look(engine, call);
            Box::pin(async move { answer.await.map_err(Into::into) })
        }));
        self
    }

    /// Fields that the path declares for all its operations: whichever is sent is converted, and refused when it does
    /// not fit, even where the operation does not use it. `P` must take every field as absent.
    #[must_use]
    pub fn declares<P: DeserializeOwned + JsonSchema + 'static>(mut self) -> Self {
        self.learn::<P>();
        self.checks.push(|input, dialect| decode_as::<P>(input, dialect).map(drop));
        self
    }

    /// Which texts the (only) capture may have; for others the endpoint does not match.
    #[must_use]
    pub fn only(mut self, legal: fn(&str) -> bool) -> Self {
        self.legal = Some(legal);
        self
    }

    /// Served without a token.
    #[must_use]
    pub fn unauthenticated(mut self) -> Self {
        self.declaration.unauthenticated = true;
        self
    }

    /// All its operations need `sudo` besides their own capability.
    #[must_use]
    pub fn sudo(mut self) -> Self {
        self.declaration.sudo = self.declaration.actions.keys().copied().collect();
        self
    }

    /// One of its operations needs `sudo` besides its own capability.
    #[must_use]
    pub fn sudo_for(mut self, operation: Operation) -> Self {
        self.declaration.sudo.push(operation);
        self
    }
}

/// All endpoints of an engine.
pub struct Endpoints<E> {
    pub(crate) list: Vec<Endpoint<E>>,
    pub(crate) dialect: Dialect,
}

impl<E: Send + Sync + 'static> Endpoints<E> {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { list: Vec::new(), dialect: Dialect::default() }
    }

    /// Input is converted as for what the reference loads, not as for what is built into it.
    #[must_use]
    pub fn loaded(mut self) -> Self {
        self.dialect = Dialect::Loaded;
        self
    }

    /// One more: its path below the mount, what it is, and its actions.
    #[must_use]
    pub fn at(
        mut self,
        template: &'static str,
        synopsis: &'static str,
        declare: impl FnOnce(Endpoint<E>) -> Endpoint<E>,
    ) -> Self {
        self.list.push(declare(Endpoint::new(template, synopsis)));
        self
    }

    /// Those of another family.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.list.extend(others.list);
        self
    }
}

impl<E: Send + Sync + 'static> Default for Endpoints<E> {
    fn default() -> Self {
        Self::new()
    }
}
