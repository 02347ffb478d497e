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

/// Bytes of JSON that stand in one record. As a text JSON needs twice the room at most, which a record has too.
const PART: usize = 480 << 10;

/// A wrapped answer. Its JSON stands in the record as it is: as a text its quotes would need twice the room. What is
/// longer, for an answer is larger than the record it shows, is cut into texts of several records.
#[derive(Serialize, Deserialize)]
struct Wrapped {
    response: Box<RawValue>,
    /// How many records it takes, in the first of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<usize>,
}

impl Wrapped {
    /// A text: a part of several, or the whole of an older record.
    fn text(&self) -> Result<String, Error> {
        serde_json::from_str(self.response.get()).map_err(|_| damaged())
    }
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
        let Some(first) = kept.map(|stored| stored.value) else { return Ok(None) };
        if !first.response.get().starts_with('"') {
            return Ok(Some(first.response.get().to_owned()));
        }
        let mut json = first.text()?;
        for number in 1..first.parts.unwrap_or(1) {
            // Whoever takes it meanwhile takes all of it.
            let Some(next) = self.view.get::<Wrapped>(&part_place(token, number)).await? else {
                return Ok(None);
            };
            json.push_str(&next.value.text()?);
        }
        Ok(Some(json))
    }

    /// Adds the JSON of a wrapped answer to a batch.
    pub(crate) fn put_response(&self, changes: &mut Changes, token: &str, json: String) -> Result<(), Error> {
        if json.len() <= PART {
            let response = RawValue::from_string(json).map_err(|_| damaged())?;
            changes.put(&self.view, &place(token, RESPONSE), &Wrapped { response, parts: None })?;
            return Ok(());
        }
        let texts = parts(&json);
        for (number, text) in texts.iter().enumerate() {
            let response = serde_json::value::to_raw_value(text).map_err(|_| damaged())?;
            let parts = (number == 0).then_some(texts.len());
            changes.put(&self.view, &part_place(token, number), &Wrapped { response, parts })?;
        }
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

fn part_place(token: &str, number: usize) -> Place {
    if number == 0 { place(token, RESPONSE) } else { place(token, &format!("{RESPONSE}/{number}")) }
}

fn parts(json: &str) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), json);
    while rest.len() > PART {
        let (part, after) = rest.split_at(rest.floor_char_boundary(PART));
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

fn damaged() -> Error {
    Error::internal("a wrapped answer is no JSON")
}

fn place(token: &str, path: &str) -> Place {
    Place::root().plain(token).path(path)
}
