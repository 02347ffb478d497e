//! Small engines that need nothing but their view: kv without and with versions.
//!
//! Each is a folder below `secret/`; authentication methods will stand below `auth/`. The binary registers them by
//! [`kinds`]. Knows nothing of tokens, policies or HTTP.

mod secret;

use vestal_logical::{EngineKind, Error};

/// Every kind of engine of this crate. `kv` without a version is version 1; `generic` is what that was called first.
pub fn kinds() -> Result<Vec<EngineKind>, Error> {
    Ok(vec![
        EngineKind::new::<secret::kv1::Kv1>("kv", |options| {
            matches!(options.get("version").map(String::as_str), None | Some("" | "1"))
        })?,
        EngineKind::new::<secret::kv1::Kv1>("generic", |options| !options.contains_key("version"))?,
        EngineKind::new::<secret::kv2::Kv2>("kv", |options| {
            options.get("version").is_some_and(|version| version == "2")
        })?,
    ])
}

#[cfg(test)]
mod tests;
