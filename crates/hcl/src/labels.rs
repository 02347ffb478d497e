//! Finds in a tree that came from JSON the blocks that HCL would have written with labels.
//!
//! `{"path": {"a/*": {…}}}` means `path "a/*" {…}`. JSON cannot tell a label from a key, so the rule is by shape, as in
//! every reader of this format: an object of nothing but objects hands its keys down as labels, and a list of nothing
//! but objects is a block repeated.

use crate::{Body, Item, ParseError, Value};

/// How many keys a tree may grow to; each label is repeated for each block below it.
const MAX_KEYS: usize = 1 << 18;

pub(crate) fn join(body: Body) -> Result<Body, ParseError> {
    Joiner { keys: 0 }.body(body)
}

struct Joiner {
    keys: usize,
}

impl Joiner {
    fn body(&mut self, body: Body) -> Result<Body, ParseError> {
        let mut joined = Vec::with_capacity(body.items.len());
        for item in body.items {
            self.item(item, &mut joined)?;
        }
        Ok(Body { items: joined })
    }

    fn item(&mut self, item: Item, joined: &mut Vec<Item>) -> Result<(), ParseError> {
        let Item { keys, value, assigned } = item;
        self.keys += keys.len();
        if let (true, Some(key)) = (self.keys > MAX_KEYS, keys.first()) {
            return Err(ParseError::new(key.at, "too many objects in objects"));
        }
        match value {
            Value::Object(body) if hands_down(&body) => {
                for child in body.items {
                    let mut path = keys.clone();
                    path.extend(child.keys);
                    self.item(Item { keys: path, value: child.value, assigned: false }, joined)?;
                }
            }
            Value::List(list) if repeats(&list) => {
                for value in list {
                    self.item(Item { keys: keys.clone(), value, assigned: false }, joined)?;
                }
            }
            other => joined.push(Item { keys, value: self.value(other)?, assigned }),
        }
        Ok(())
    }

    fn value(&mut self, value: Value) -> Result<Value, ParseError> {
        Ok(match value {
            Value::Object(body) => Value::Object(self.body(body)?),
            Value::List(list) => {
                Value::List(list.into_iter().map(|each| self.value(each)).collect::<Result<_, _>>()?)
            }
            plain => plain,
        })
    }
}

fn hands_down(body: &Body) -> bool {
    !body.items.is_empty() && body.items.iter().all(|item| matches!(item.value, Value::Object(_)))
}

fn repeats(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|value| matches!(value, Value::Object(_)))
}
