//! Objects whose fields keep an order, because programs may compare `-format=json` as text.

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map, Value};

/// Fields in the order they are written.
pub(crate) struct Ordered(Vec<(String, Node)>);

enum Node {
    Leaf(Value),
    Inner(Ordered),
}

impl Ordered {
    /// The fields named in `order` first, and then the others as they sort. A field that is missing is written
    /// with its default when it has one.
    pub(crate) fn of(fields: &Map<String, Value>, order: &[(&str, Option<Value>)]) -> Self {
        let known = |key: &str| order.iter().any(|(name, _)| *name == key);
        let first = order.iter().filter_map(|(name, default)| {
            let value = fields.get(*name).or(default.as_ref())?;
            Some(((*name).to_owned(), Node::Leaf(value.clone())))
        });
        let rest = fields.iter().filter(|(key, _)| !known(key));
        Self(first.chain(rest.map(|(key, value)| (key.clone(), Node::Leaf(value.clone())))).collect())
    }

    /// Objects under their own names, in the order given.
    pub(crate) fn map(entries: impl IntoIterator<Item = (String, Ordered)>) -> Self {
        Self(entries.into_iter().map(|(key, inner)| (key, Node::Inner(inner))).collect())
    }

    /// Orders the fields of an object inside.
    #[must_use]
    pub(crate) fn nested(mut self, name: &str, order: &[(&str, Option<Value>)]) -> Self {
        for (key, node) in &mut self.0 {
            if let (true, Node::Leaf(Value::Object(fields))) = (key == name, &*node) {
                *node = Node::Inner(Self::of(fields, order));
            }
        }
        self
    }

    /// Adds a field at the end.
    pub(crate) fn push(&mut self, key: &str, value: Value) {
        self.0.push((key.to_owned(), Node::Leaf(value)));
    }
}

impl Serialize for Ordered {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, node) in &self.0 {
            match node {
                Node::Leaf(value) => map.serialize_entry(key, value)?,
                Node::Inner(inner) => map.serialize_entry(key, inner)?,
            }
        }
        map.end()
    }
}
