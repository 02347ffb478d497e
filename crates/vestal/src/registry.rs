//! Every kind of engine that this binary can mount.

use vestal_logical::{EngineKind, Error};
use vestal_oauth_engine::OAuthApp;

/// All kinds, by the names under which they are enabled.
pub(crate) fn kinds() -> Result<Vec<EngineKind>, Error> {
    let mut kinds = vestal_builtin::kinds()?;
    kinds.push(EngineKind::new::<OAuthApp>("oauthapp", |_| true)?);
    Ok(kinds)
}
