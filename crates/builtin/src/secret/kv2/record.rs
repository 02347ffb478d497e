//! What is stored: the mount's settings, a secret's metadata, its versions. And how durations are shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vestal_logical::{Timestamp, json};
use vestal_storage::{Record, StorageError};

/// How many versions are kept when nobody says otherwise.
const USUAL_VERSIONS: u64 = 10;

/// Settings of the mount.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Config {
    /// 0: the usual number.
    pub(super) max_versions: u64,
    pub(super) cas_required: bool,
    #[serde(default)]
    pub(super) metadata_cas_required: bool,
    /// Nanoseconds; 0: never; negative: never, whatever a secret says.
    pub(super) delete_version_after: i64,
}

impl Record for Config {
    const VERSION: u8 = 1;
}

/// One version, without its content.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) created: Timestamp,
    /// From then on it is deleted.
    pub(super) deletion: Option<Timestamp>,
    pub(super) destroyed: bool,
}

impl Version {
    pub(super) fn is_deleted(&self, now: Timestamp) -> bool {
        self.deletion.is_some_and(|at| at <= now)
    }

    /// The block that accompanies data.
    pub(super) fn shown(&self, number: u64, custom: Option<&BTreeMap<String, String>>) -> Value {
        let mut shown = Map::new();
        shown.insert("created_time".to_owned(), self.created.to_string().into());
        shown.insert("custom_metadata".to_owned(), serde_json::json!(custom));
        shown.insert("deletion_time".to_owned(), self.deletion_text().into());
        shown.insert("destroyed".to_owned(), self.destroyed.into());
        shown.insert("version".to_owned(), number.into());
        Value::Object(shown)
    }

    /// Empty when it is not to be deleted.
    pub(super) fn deletion_text(&self) -> String {
        self.deletion.map(|at| at.to_string()).unwrap_or_default()
    }
}

/// All that is known of a secret besides its contents.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Metadata {
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    /// The newest version; 0 before the first.
    pub(super) current: u64,
    /// The oldest that is kept; 0 until one was cut.
    pub(super) oldest: u64,
    /// 0: as the mount says.
    pub(super) max_versions: u64,
    pub(super) cas_required: bool,
    #[serde(default)]
    pub(super) settings_cas_required: bool,
    /// Counts writes of metadata.
    #[serde(default)]
    pub(super) settings_version: u64,
    /// Nanoseconds; 0: as the mount says.
    pub(super) delete_version_after: i64,
    pub(super) custom: Option<BTreeMap<String, String>>,
    pub(super) versions: BTreeMap<u64, Version>,
}

impl Record for Metadata {
    const VERSION: u8 = 1;
}

impl Metadata {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            created: now,
            updated: now,
            current: 0,
            oldest: 0,
            max_versions: 0,
            cas_required: false,
            settings_cas_required: false,
            settings_version: 0,
            delete_version_after: 0,
            custom: None,
            versions: BTreeMap::new(),
        }
    }

    /// Adds the next version and forgets those beyond the limit; returns its number and those forgotten.
    pub(super) fn add_version(&mut self, config: &Config, now: Timestamp) -> (u64, Vec<u64>) {
        self.current += 1;
        self.updated = now;
        let after = match (config.delete_version_after, self.delete_version_after) {
            (negative, _) if negative < 0 => 0,
            (mount, 0) => mount,
            (0, own) => own,
            // Nobody outlives what the mount allows.
            (mount, own) => mount.min(own),
        };
        let deletion =
            u64::try_from(after).ok().filter(|nanos| *nanos > 0).map(std::time::Duration::from_nanos);
        let deletion = deletion.map(|span| now.plus(span));
        self.versions.insert(self.current, Version { created: now, deletion, destroyed: false });
        let keep = [self.max_versions, config.max_versions].into_iter().find(|limit| *limit > 0);
        let keep = keep.unwrap_or(USUAL_VERSIONS);
        let mut forgotten = Vec::new();
        while u64::try_from(self.versions.len()).unwrap_or(u64::MAX) > keep {
            let Some((number, _)) = self.versions.pop_first() else { break };
            forgotten.push(number);
        }
        // Named as soon as there is no more room, not only when something was cut.
        if self.current >= keep {
            self.oldest = self.oldest.max(self.current - keep + 1);
        }
        (self.current, forgotten)
    }
}

/// The content of one version. `null` was written where clients wrote null.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Content(pub(super) Option<Map<String, Value>>);

impl Record for Content {
    const VERSION: u8 = 1;

    fn decode(body: &[u8]) -> Result<Self, StorageError> {
        match json::stored(body)? {
            Value::Null => Ok(Self(None)),
            Value::Object(members) => Ok(Self(Some(members))),
            _ => Err(StorageError::Corrupt("a version is no object".to_owned())),
        }
    }
}

/// As Go prints it: `0s`, `1h0m0s`, `1.5s`.
pub(super) fn duration_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let (whole, fraction) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let fraction = if fraction == 0 {
        String::new()
    } else {
        format!(".{}", format!("{fraction:09}").trim_end_matches('0'))
    };
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}{fraction}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}{fraction}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}{fraction}s"),
    }
}
