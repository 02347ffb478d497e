//! The token that `login` keeps for the next command, in the file that Vault's and OpenBao's tools use too.
//!
//! Invariant: the file is never readable by others, not even while it is being written.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use vestal_crypto::SecretString;

/// Where the file is, below this home directory.
pub(crate) fn location(home: &Path) -> PathBuf {
    home.join(".vault-token")
}

/// Keeps a token in the home directory of the process's user.
pub(crate) fn store(token: &SecretString) -> io::Result<()> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "HOME is not set, so there is no place to keep the token")
    })?;
    write(&location(Path::new(&home)), token)
}

/// The token kept; `None` when there is none.
pub(crate) fn read(file: &Path) -> io::Result<Option<SecretString>> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(SecretString::from(text.trim())).filter(|token| !token.is_empty())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Keeps a token: written beside and moved into place, so that no reader sees half of it.
pub(crate) fn write(file: &Path, token: &SecretString) -> io::Result<()> {
    let beside = file.with_extension(format!("{}.tmp", std::process::id()));
    let written = fill(&beside, token).and_then(|()| fs::rename(&beside, file));
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written
}

fn fill(file: &Path, token: &SecretString) -> io::Result<()> {
    let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    opened.write_all(token.expose().as_bytes())?;
    opened.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_kept_token_comes_back_and_only_its_owner_may_read_it() {
        let home = tempfile::tempdir().unwrap();
        let file = location(home.path());
        assert_eq!(read(&file).unwrap(), None);
        for token in ["first", "second"] {
            write(&file, &token.into()).unwrap();
            assert_eq!(read(&file).unwrap(), Some(token.into()));
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left beside it");
        fs::write(&file, " third \n").unwrap();
        assert_eq!(read(&file).unwrap(), Some("third".into()));
    }
}
