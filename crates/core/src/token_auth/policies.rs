//! Which policies a new token gets (core §3.1).
//!
//! Names are made canonical once, before anything is decided about them, so that no spelling of `root` slips by. Only
//! root makes root; nobody hands out more than he has without `sudo`.

use vestal_logical::Error;

use crate::policies::canonical_name;
use crate::tokens::TokenEntry;

const ROOT: &str = "root";
const DEFAULT: &str = "default";
const RESPONSE_WRAPPING: &str = "response-wrapping";

/// What the caller may do with policies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    pub(super) root: bool,
    pub(super) sudo: bool,
}

/// The policies of a child, sorted.
pub(super) fn assigned(
    asked: &[String],
    no_default: bool,
    parent: &TokenEntry,
    rights: Rights,
) -> Result<Vec<String>, Error> {
    if asked.is_empty() {
        let inherited = parent.policies.iter().filter(|name| !(no_default && *name == DEFAULT));
        return Ok(inherited.cloned().collect());
    }
    let mut names: Vec<String> =
        asked.iter().map(|name| canonical_name(name)).filter(|name| !name.is_empty()).collect();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let free = rights.root || rights.sudo;
    if has(RESPONSE_WRAPPING) && free {
        return Err(Error::invalid(format!("cannot assign policy \"{RESPONSE_WRAPPING}\"")));
    }
    if has(ROOT) && rights.root {
        return Ok(vec![ROOT.to_owned()]);
    }
    if has(ROOT) && rights.sudo {
        return Err(Error::invalid("root tokens may not be created without parent token being root"));
    }
    if no_default {
        names.retain(|name| name != DEFAULT);
    } else if free || parent.policies.iter().any(|name| name == DEFAULT) {
        names.push(DEFAULT.to_owned());
    }
    if !free && !names.iter().all(|name| parent.policies.contains(name)) {
        return Err(Error::invalid("child policies must be subset of parent"));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
