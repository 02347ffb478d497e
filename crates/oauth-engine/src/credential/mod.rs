//! What is stored about a credential, and the states it may be in.
//!
//! Knows nothing of providers' dialects or of when to refresh.

pub(crate) mod intent;
pub(crate) mod record;
pub(crate) mod state;
pub(crate) mod store;
