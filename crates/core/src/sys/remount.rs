//! `sys/remount`: moving a mount. The move is done when it is answered; its status is kept for those who ask.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use vestal_logical::{Call, Endpoints, Error, Reply};

use crate::active::Active;

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("remount", "Moving a mount.", |e| e.write(remount, "Move a mount to another path.").sudo())
        .at("remount/status/{migration_id}", "The status of a move.", |e| {
            e.read(status, "Tell how a move went.")
        })
}

/// From where to where.
#[derive(Deserialize, JsonSchema)]
struct Remount {
    /// Where the mount is.
    #[serde(default)]
    from: String,
    /// Where it is to be.
    #[serde(default)]
    to: String,
}

async fn remount(active: &Arc<Active>, call: &Call, p: Remount) -> Result<Reply<Value>, Error> {
    if [&p.from, &p.to].iter().any(|path| path.trim_matches('/').is_empty()) {
        return Err(Error::invalid("both 'from' and 'to' path must be specified as a string"));
    }
    active.mounts.remount(&p.from, &p.to).await?;
    active.mounts.remember_move(&call.id, &p.from, &p.to);
    Ok(Reply::data(json!({ "migration_id": call.id }))
        .warn("the mount has been moved; policies that name its old path do not follow it"))
}

/// Which move.
#[derive(Deserialize, JsonSchema)]
struct MoveStatus {
    /// The id that `sys/remount` answered.
    migration_id: String,
}

async fn status(active: &Arc<Active>, _: &Call, p: MoveStatus) -> Result<Reply<Value>, Error> {
    let Some((from, to)) = active.mounts.remembered_move(&p.migration_id) else { return Ok(Reply::empty()) };
    Ok(Reply::data(json!({
        "migration_id": p.migration_id,
        "migration_info": { "source_mount": from, "target_mount": to, "status": "success" },
    })))
}
