//! `sys/`: one file per endpoint family; the engine type of their tables is the kernel itself.

mod audit;
mod capabilities;
pub(crate) mod internal_ui;
mod mounts;
mod policy;
mod remount;
mod seal;
pub(crate) mod status;
pub(crate) mod wrapping;

use vestal_logical::Endpoints;

use crate::active::Active;

/// All of `sys/` that needs an unsealed vault.
pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .and(mounts::endpoints())
        .and(remount::endpoints())
        .and(internal_ui::endpoints())
        .and(policy::endpoints())
        .and(capabilities::endpoints())
        .and(audit::endpoints())
        .and(wrapping::endpoints())
        .and(seal::endpoints())
}
