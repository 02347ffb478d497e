//! `storage "sled" { path = … }`.

use std::path::PathBuf;

use anyhow::bail;
use vestal_hcl::Item;

use super::keys;
use super::reader::only_labelled;

/// Where sealed bytes lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In memory, gone when the process ends; for tests and development.
    Memory,
    /// In a directory.
    Sled {
        /// The directory; made when it is missing.
        path: PathBuf,
        /// Bytes of cache; the store's own default when absent.
        cache: Option<u64>,
        /// Free bytes below which new writes are refused; the store's own default when absent.
        soft_limit: Option<u64>,
    },
}

impl Storage {
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Memory => "inmem (nothing survives the process)".to_owned(),
            Self::Sled { path, .. } => format!("sled at {}", path.display()),
        }
    }
}

/// Reads the stanza; `backend` is its old name.
pub(super) fn read(item: &Item, notes: &mut Vec<String>) -> anyhow::Result<Storage> {
    let (kind, body) = only_labelled(item)?;
    match kind.as_str() {
        "inmem" => {
            notes.extend(body.items.iter().map(keys::unknown));
            Ok(Storage::Memory)
        }
        "sled" => {
            notes.extend(body.unknown(&["path", "cache_bytes", "soft_limit_bytes"]).map(keys::unknown));
            let Some(path) = body.last("path") else {
                bail!("`storage \"sled\"` on line {} needs `path`", item.at().line);
            };
            let bytes = |key: &str| -> anyhow::Result<Option<u64>> {
                let Some(item) = body.last(key) else { return Ok(None) };
                let bytes = u64::try_from(item.integer()?);
                bytes.map(Some).map_err(|_| item.mismatch("a number of bytes").into())
            };
            Ok(Storage::Sled {
                path: path.text()?.into(),
                cache: bytes("cache_bytes")?,
                soft_limit: bytes("soft_limit_bytes")?,
            })
        }
        _ => bail!(
            "`storage` on line {} must be `sled` (durable) or `inmem` (volatile); other kinds of storage do not exist here",
            item.at().line
        ),
    }
}
