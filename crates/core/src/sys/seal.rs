//! `sys/seal`: authorised and recorded here, carried out by the vault once this has answered.

use std::sync::Arc;

use serde_json::Value;
use vestal_logical::params::NoFields;
use vestal_logical::{Call, Endpoints, Error, Reply};

use crate::active::Active;

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("seal", "Sealing.", |e| e.write(allow, "Forget the keys until the vault is unsealed.").sudo())
}

async fn allow(_: &Arc<Active>, _: &Call, _: NoFields) -> Result<Reply<Value>, Error> {
    Ok(Reply::empty())
}
