//! A seal key in a file of its own: 64 hex digits, readable by its owner only.

use std::fs::OpenOptions;
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

/// Reads the key, or makes the file with a new one. The new key is durable before anything is wrapped with it.
pub(super) fn read_or_make(path: &Path, entropy: &dyn Entropy) -> Result<SealKey, Error> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return read(path),
        Err(error) => return Err(failure(path, "cannot make", &error)),
    };
    let key = SealKey::generate(entropy);
    let text = SecretString::from(hex::encode(key.expose()));
    let write = |error: std::io::Error| failure(path, "cannot write", &error);
    file.write_all(text.expose().as_bytes()).map_err(write)?;
    file.sync_all().map_err(write)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(write)?;
    Ok(key)
}
