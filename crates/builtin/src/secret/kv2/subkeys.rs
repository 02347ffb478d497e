//! `subkeys/`: the shape of a secret without its values.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use vestal_logical::{Call, Endpoints, Error, Outcome, Reply};

use super::Kv2;
use super::data::Found;

pub(super) fn endpoints() -> Endpoints<Kv2> {
    Endpoints::new().at("subkeys/{*path}", "The shape of a secret.", |e| {
        e.read(read, "Show the names within a version, without values.")
    })
}

/// Which version, and how deep.
#[derive(Deserialize, JsonSchema)]
struct Read {
    path: String,
    /// 0, negative or absent: the latest.
    #[serde(default)]
    version: i64,
    /// How many levels; 0 is all.
    #[serde(default)]
    depth: i64,
}

async fn read(kv: &Arc<Kv2>, call: &Call, p: Read) -> Result<Reply<Value>, Error> {
    Ok(match kv.version(&p.path, p.version, call.now).await? {
        Found::Nothing => Reply::empty(),
        Found::Gone(metadata) => {
            Reply::data(json!({ "subkeys": null, "metadata": metadata })).outcome(Outcome::Absent)
        }
        Found::Here(content, metadata) => {
            let shape = shape(&content.unwrap_or_default(), p.depth, 1);
            Reply::data(json!({ "subkeys": shape, "metadata": metadata }))
        }
    })
}

/// Leaves, empty objects and lists are null, and so is what lies deeper than `depth`.
fn shape(content: &Map<String, Value>, depth: i64, level: i64) -> Value {
    let names = content.iter().map(|(name, value)| {
        let below = match value {
            Value::Object(inner) if !inner.is_empty() && (depth == 0 || level < depth) => {
                shape(inner, depth, level + 1)
            }
            _ => Value::Null,
        };
        (name.clone(), below)
    });
    Value::Object(names.collect())
}
