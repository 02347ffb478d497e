//! The endpoints that answer in any state, without a token and without audit: `sys/init`, `sys/unseal`,
//! `sys/seal-status`, `sys/health`, `sys/leader`. Their answers have no envelope.

mod health;
mod init;
mod seal_status;

use serde::Serialize;
use std::sync::Arc;
use vestal_logical::params::NoFields;
use vestal_logical::{Call, Endpoints, Error, Reply};

use crate::vault::Vault;

/// All of them.
pub(crate) fn endpoints() -> Endpoints<Vault> {
    Endpoints::new()
        .at("init", "Whether the vault is initialised, and initialising it.", |e| {
            e.unauthenticated()
                .read(init::read, "Tell whether the vault is initialised.")
                .write(init::write, "Make the vault's keys and hand out their shares.")
        })
        .at("seal-status", "The state of the seal.", |e| {
            e.unauthenticated()
                .read(seal_status::read, "Tell whether the vault is sealed, and how far unsealing is.")
        })
        .at("unseal", "Unsealing.", |e| {
            e.unauthenticated().write(seal_status::unseal, "Hand in one key share or the passphrase.")
        })
        .at("health", "Whether the vault serves.", |e| {
            e.unauthenticated()
                .read(health::read, "Tell the state in body and status code.")
                .header(health::read, "Tell the state in the status code.")
        })
        .at("leader", "Who leads.", |e| {
            e.unauthenticated().read(leader, "Tell who leads; alone, nobody has to.")
        })
}

/// What `sys/leader` answers where there is only one node.
#[derive(Serialize)]
struct Leader {
    ha_enabled: bool,
}

async fn leader(_: &Arc<Vault>, _: &Call, _: NoFields) -> Result<Reply<Leader>, Error> {
    Ok(Reply::plain(Leader { ha_enabled: false }))
}
