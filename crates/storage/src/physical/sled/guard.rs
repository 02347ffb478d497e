//! Every call of sled goes through here: a panic or an error of its becomes a [`Trouble`], never more.
//!
//! Knows nothing of records.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Why sled did not do what it was asked.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// The operating system refused; sled's files are as good as they were.
    Io(String),
    /// sled remembers that the system refused a write, and does nothing any more until it is opened anew. Its files are
    /// as good as they were.
    Stuck(String),
    /// Somebody else has sled's files open.
    Held,
    /// sled panicked, or found its files damaged: it must be rebuilt.
    Broken(String),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(why) | Self::Stuck(why) | Self::Broken(why) => f.write_str(why),
            Self::Held => f.write_str("sled's files are in use"),
        }
    }
}

/// Runs one call of sled.
pub(crate) fn guarded<T>(work: impl FnOnce() -> sled::Result<T>) -> Result<T, Trouble> {
    // sled's state after a panic is never used again, so it need not be safe to unwind through.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(sled::Error::Io(error))) if error.raw_os_error().is_some() => {
            Err(Trouble::Io(error.to_string()))
        }
        Ok(Err(sled::Error::Io(error))) if is_kept(&error) => Err(Trouble::Stuck(error.to_string())),
        Ok(Err(error)) => Err(Trouble::Broken(described(&error))),
        Err(_) => Err(Trouble::Broken("sled panicked".to_owned())),
    }
}

/// Errors of the system have its number; those sled makes up (a page that is not there) have none. It keeps a copy of
/// the first failed write, without the number.
fn is_kept(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_and_errors_come_out_as_trouble_without_names() {
        let system = || Err(sled::Error::Io(std::io::Error::from_raw_os_error(28)));
        assert!(matches!(guarded::<()>(system), Err(Trouble::Io(_))), "the disk is full, sled is as it was");
        let kept = || Err(sled::Error::Io(std::io::Error::new(std::io::ErrorKind::StorageFull, "kept")));
        assert!(matches!(guarded::<()>(kept), Err(Trouble::Stuck(_))), "as sled remembers it");
        let made_up = || Err(sled::Error::Io(std::io::Error::from(std::io::ErrorKind::UnexpectedEof)));
        let lost = || Err(sled::Error::CollectionNotFound(b"secret".into()));
        let bug = || Err(sled::Error::ReportableBug("secret".to_owned()));
        let cases: [(&str, Result<(), Trouble>); 4] = [
            ("a page that is not there", guarded(made_up)),
            ("a panic", guarded(|| panic!("secret"))),
            ("a lost collection", guarded(lost)),
            ("a bug", guarded(bug)),
        ];
        for (what, outcome) in cases {
            let trouble = outcome.unwrap_err();
            assert!(matches!(trouble, Trouble::Broken(_)), "{what}");
            assert!(!trouble.to_string().contains("secret"), "{what}: {trouble}");
        }
        assert_eq!(guarded(|| Ok(3)).unwrap(), 3);
    }
}
