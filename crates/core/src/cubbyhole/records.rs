//! The records of all cubbyholes.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use vestal_logical::{Error, json};
use vestal_storage::{Barrier, Changes, Child, Place, Record, StorageError, View};

/// Where a wrapping token holds the answer.
pub(super) const RESPONSE: &str = "response";
/// Records deleted at a time.
const PAGE: usize = 256;

/// A secret, as written.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) Map<String, Value>);

impl Record for Secret {
    const VERSION: u8 = 1;

    fn decode(body: &[u8]) -> Result<Self, StorageError> {
        json::stored_object(body).map(Self)
    }
}

/// A wrapped answer. Its JSON stands in the record as it is: as a text its quotes would need twice the room, and what can
/// be stored could not be wrapped.
#[derive(Serialize, Deserialize)]
struct Wrapped {
    response: Box<RawValue>,
}

impl Record for Wrapped {
    const VERSION: u8 = 1;
}

/// All cubbyholes.
#[derive(Clone)]
pub(crate) struct Cubbyholes {
    view: View,
}

impl Cubbyholes {
    pub(crate) fn new(barrier: &Barrier) -> Self {
        Self { view: barrier.view(&Place::root().plain("sys").plain("cubbyhole")) }
    }

    pub(crate) async fn read(&self, token: &str, path: &str) -> Result<Option<Secret>, StorageError> {
        Ok(self.view.get::<Secret>(&place(token, path)).await?.map(|stored| stored.value))
    }

    /// The JSON of the wrapped answer that a token holds.
    pub(crate) async fn response(&self, token: &str) -> Result<Option<String>, Error> {
        let kept = self.view.get::<Wrapped>(&place(token, RESPONSE)).await?;
        let Some(raw) = kept.map(|stored| stored.value.response) else { return Ok(None) };
        // Older ones are a text.
        if raw.get().starts_with('"') {
            return serde_json::from_str(raw.get()).map(Some).map_err(|_| damaged());
        }
        Ok(Some(raw.get().to_owned()))
    }

    /// Adds the JSON of a wrapped answer to a batch.
    pub(crate) fn put_response(&self, changes: &mut Changes, token: &str, json: String) -> Result<(), Error> {
        let response = RawValue::from_string(json).map_err(|_| damaged())?;
        changes.put(&self.view, &place(token, RESPONSE), &Wrapped { response })?;
        Ok(())
    }

    pub(crate) async fn exists(&self, token: &str, path: &str) -> Result<bool, StorageError> {
        self.view.exists(&place(token, path)).await
    }

    /// Adds a write to a batch.
    pub(crate) fn put(
        &self,
        changes: &mut Changes,
        token: &str,
        path: &str,
        secret: &Secret,
    ) -> Result<(), StorageError> {
        changes.put(&self.view, &place(token, path), secret).map(drop)
    }

    /// Adds a deletion to a batch; nothing there is fine.
    pub(crate) fn delete(&self, changes: &mut Changes, token: &str, path: &str) -> Result<(), StorageError> {
        changes.reserved().delete(&self.view, &place(token, path)).map(drop)
    }

    /// The names in a folder, as they are shown.
    pub(crate) async fn list(&self, token: &str, folder: &str) -> Result<Vec<String>, StorageError> {
        let children = self.view.list(&place(token, folder)).await?;
        Ok(children.iter().map(Child::shown).collect())
    }

    /// The batch that deletes what is left of a token's cubbyhole, after all but a page of it has been deleted. Nobody
    /// writes to it any more.
    pub(crate) async fn removal(&self, token: &str) -> Result<Changes, Error> {
        loop {
            let page = self.view.keys(&place(token, ""), None, PAGE).await?;
            let mut changes = Changes::new();
            for item in &page.items {
                changes.reserved().delete(&self.view, &item.place)?;
            }
            if page.items.len() < PAGE {
                return Ok(changes);
            }
            self.view.commit(changes).await?;
        }
    }
}

fn damaged() -> Error {
    Error::internal("a wrapped answer is no JSON")
}

fn place(token: &str, path: &str) -> Place {
    Place::root().plain(token).path(path)
}
