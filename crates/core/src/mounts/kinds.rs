//! Which engine serves a mount, by registered name and options.

use std::collections::BTreeMap;

use vestal_logical::{EngineKind, Error};

type Options = BTreeMap<String, String>;

/// The engine of that name that serves a mount with these options.
pub(super) fn find<'a>(
    kinds: &'a [EngineKind],
    name: &str,
    options: &Options,
) -> Result<&'a EngineKind, Error> {
    let mut named = kinds.iter().filter(|kind| kind.name == name).peekable();
    if named.peek().is_none() {
        return Err(Error::invalid(format!("plugin not found in the catalog: {name}")));
    }
    named
        .find(|kind| (kind.serves)(options))
        .ok_or_else(|| Error::invalid("the mount option `version` names a version that does not exist"))
}

/// `kv-v1` and `kv-v2` are short for `kv` with a version.
pub(crate) fn kind_and_options(kind: &str, options: Option<Options>) -> (String, Option<Options>) {
    let version = match kind {
        "kv-v1" => "1",
        "kv-v2" => "2",
        _ => return (kind.to_owned(), options),
    };
    let mut options = options.unwrap_or_default();
    options.insert("version".to_owned(), version.to_owned());
    ("kv".to_owned(), Some(options))
}
