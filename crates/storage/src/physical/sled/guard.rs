//! Every call of sled goes through here: a panic or an error of its becomes a [`Trouble`], never more.
//!
//! Knows nothing of records.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why sled did not do what it was asked.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The operating system refused; sled's files are as good as they were.
    Io(String),
    /// sled panicked, or found its files damaged: it must be rebuilt.
    Broken(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(why) | Self::Broken(why) => f.write_str(why),
        }
    }
}

/// Runs one call of sled.
pub(crate) fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, Trouble> {
    // sled's state after a panic is never used again, so it need not be safe to unwind through.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        // Errors of the system have its number; those sled makes up (a page that is not there) have none.
        Ok(Err(sled::Error::Io(error))) if error.raw_os_error().is_some() => {
            Err(Trouble::Io(error.to_string()))
        }
        Ok(Err(error)) => Err(Trouble::Broken(described(&error))),
        Err(_) => Err(Trouble::Broken("sled panicked".to_owned())),
    }
}

/// sled's own texts may hold names of collections; these do not.
fn described(error: &sled::Error) -> String {
    match error {
        sled::Error::Io(error) => format!("sled: {}", error.kind()),
        sled::Error::Corruption { .. } => "sled found its files damaged".to_owned(),
        sled::Error::Unsupported(_) => "sled does not support what its files ask for".to_owned(),
        sled::Error::ReportableBug(_) => "sled found itself in an impossible state".to_owned(),
        sled::Error::CollectionNotFound(_) => "sled lost a collection".to_owned(),
    }
}
