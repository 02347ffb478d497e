//! The policy language and what policies allow, against core §3.4 (`docs/references.md`), against what OpenBao answered, and against
//! a second, naive implementation.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this is tests, but clippy exempts only functions that are marked so"
)]

mod language;
mod oracle;
mod parameters;
mod recorded;
mod rules;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use vestal_core::policies::{Acl, AclRequest, Capability, Decision, Policy};

/// The rights of policies `p0`, `p1`, … with these texts.
fn acl<T: AsRef<str>>(texts: &[T]) -> Acl {
    let named = |(index, text): (usize, &T)| {
        let policy = Policy::parse(&format!("p{index}"), text.as_ref());
        Arc::new(policy.unwrap_or_else(|failure| panic!("{failure}\n{}", text.as_ref())))
    };
    Acl::compile(&texts.iter().enumerate().map(named).collect::<Vec<_>>())
}

/// A request as tests write it.
struct Ask<'a> {
    word: &'a str,
    path: &'a str,
    data: Map<String, Value>,
    wrap: Option<u64>,
    needs_sudo: bool,
}

impl<'a> Ask<'a> {
    fn new(word: &'a str, path: &'a str) -> Self {
        Self { word, path, data: Map::new(), wrap: None, needs_sudo: false }
    }

    fn with(self, data: &Value) -> Self {
        Self { data: data.as_object().unwrap().clone(), ..self }
    }

    fn wrapped(self, seconds: u64) -> Self {
        Self { wrap: Some(seconds), ..self }
    }

    fn sudo(self) -> Self {
        Self { needs_sudo: true, ..self }
    }

    fn of(&self, acl: &Acl) -> Decision {
        acl.allow(&AclRequest {
            capability: Capability::from_word(self.word).unwrap(),
            path: self.path,
            data: &self.data,
            wrap_ttl: self.wrap.map(Duration::from_secs),
            needs_sudo: self.needs_sudo,
        })
    }

    fn allowed(&self, acl: &Acl) -> bool {
        self.of(acl).allowed
    }
}

fn may(acl: &Acl, word: &str, path: &str) -> bool {
    Ask::new(word, path).allowed(acl)
}
