//! A seal key in a file of its own: 64 hex digits, readable by its owner only.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use vestal_crypto::{Entropy, SealKey, SecretString};
use vestal_logical::{Error, Kind};

fn failure(path: &Path, what: &str, error: &std::io::Error) -> Error {
    Error::new(Kind::Unavailable, format!("{what} the seal key file `{}`: {error}", path.display()))
}

/// Reads the key.
pub(super) fn read(path: &Path) -> Result<SealKey, Error> {
    let mut text = String::new();
    let mut file =
        OpenOptions::new().read(true).open(path).map_err(|error| failure(path, "cannot open", &error))?;
    file.read_to_string(&mut text).map_err(|error| failure(path, "cannot read", &error))?;
    let text = SecretString::from(text);
    parse(&text).ok_or_else(|| {
        Error::new(
            Kind::Unavailable,
            format!("the seal key file `{}` does not hold 64 hex digits", path.display()),
        )
    })
}

fn parse(text: &SecretString) -> Option<SealKey> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.expose().trim(), &mut bytes).ok()?;
    Some(SealKey::from_bytes(bytes))
}

/// Reads the key, or makes the file with a new one. The new key is durable before anything is wrapped with it, and the
/// file is never there in part: a crash leaves at most one beside it that the next try replaces.
pub(super) fn read_or_make(path: &Path, entropy: &dyn Entropy) -> Result<SealKey, Error> {
    if path.try_exists().map_err(|error| failure(path, "cannot open", &error))? {
        return read(path);
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = Path::new(&name);
    let key = SealKey::generate(entropy);
    write(fresh, &key).map_err(|error| failure(fresh, "cannot make", &error))?;
    // Unlike a rename, a link never replaces the key of another process that was faster.
    let linked = std::fs::hard_link(fresh, path);
    let removed = std::fs::remove_file(fresh);
    match linked {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return read(path),
        linked => linked.and(removed).map_err(|error| failure(path, "cannot make", &error))?,
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| failure(path, "cannot write", &error))?;
    Ok(key)
}

fn write(path: &Path, key: &SealKey) -> std::io::Result<()> {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let text = SecretString::from(hex::encode(key.expose()));
    file.write_all(text.expose().as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use vestal_crypto::SeededEntropy;

    use super::*;

    #[test]
    fn a_key_file_is_made_once_whole_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        // What a crash has left of an earlier try.
        std::fs::write(folder.path().join("seal.key.new"), "0123").unwrap();
        let made = read_or_make(&path, &SeededEntropy::new(1)).unwrap();
        let again = read_or_make(&path, &SeededEntropy::new(2)).unwrap();
        assert_eq!(made.expose(), again.expose());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        std::fs::write(&path, "secret in the wrong form").unwrap();
        let error = read(&path).err().unwrap().to_string();
        assert!(error.contains("64 hex digits") && !error.contains("secret"), "{error}");
    }
}
