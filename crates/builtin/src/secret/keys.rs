//! Lists of names, as clients see them.

use serde::Serialize;
use serde_json::Value;
use vestal_logical::{Error, Reply};
use vestal_storage::{Place, View};

/// The answer of a list.
#[derive(Serialize)]
pub(super) struct Keys {
    pub(super) keys: Vec<String>,
}

/// The names below a folder, folders with their slash, sorted by bytes.
pub(super) async fn names_below(view: &View, folder: &Place) -> Result<Vec<String>, Error> {
    Ok(view.list(folder).await?.iter().map(vestal_storage::Child::shown).collect())
}

/// A list, or nothing when it is empty: clients expect a 404 then.
pub(super) fn listed(keys: Vec<String>) -> Result<Reply<Value>, Error> {
    if keys.is_empty() {
        return Ok(Reply::empty());
    }
    Reply::data(Keys { keys }).into_json().map_err(Error::internal)
}
