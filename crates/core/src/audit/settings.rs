//! What a device's options say, checked before anything is opened.
//!
//! Whoever may enable devices through the API must not be able to write where they like: files lie below one
//! directory, are never executable, and begin with no text of the caller's choosing (CVE-2025-6000).

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use vestal_logical::Error;

use crate::active::AuditSettings;

/// Where a file device writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// A file, made with this mode.
    File { path: PathBuf, mode: u32 },
    /// The server's standard output.
    Stdout,
    /// Its standard error.
    Stderr,
    /// Nowhere; for measuring.
    Discard,
}

/// A file device, ready to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(super) struct FileOptions {
    pub(super) output: Output,
    pub(super) log_raw: bool,
    pub(super) hmac_accessor: bool,
    pub(super) elide_list_responses: bool,
    pub(super) prefix: String,
    /// fsync before a line counts as taken.
    pub(super) sync_always: bool,
}

const KNOWN: [&str; 9] = [
    "file_path",
    "path",
    "mode",
    "log_raw",
    "hmac_accessor",
    "elide_list_responses",
    "prefix",
    "format",
    "sync",
];

fn flag(options: &BTreeMap<String, String>, name: &str, usual: bool) -> Result<bool, Error> {
    match options.get(name).map(String::as_str) {
        None | Some("") => Ok(usual),
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
        Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
        Some(_) => Err(Error::invalid(format!("audit option `{name}` must be true or false"))),
    }
}

impl FileOptions {
    /// As [`read`](Self::read), for a device that is new or declared: what it could never write to is said here rather than
    /// by each line. A stored device is not asked so much, for what lies at its path today must keep no vault sealed.
    pub(super) fn checked(
        options: &BTreeMap<String, String>,
        settings: &AuditSettings,
        trusted: bool,
    ) -> Result<Self, Error> {
        let read = Self::read(options, settings, trusted)?;
        mode(options)?;
        match &read.output {
            Output::File { path, .. } if path.metadata().is_ok_and(|found| !found.is_file()) => {
                Err(Error::invalid("audit option `file_path` must name a regular file, stdout or discard"))
            }
            _ => Ok(read),
        }
    }

    /// Reads the options; `trusted` when they come from the configuration file.
    pub(super) fn read(
        options: &BTreeMap<String, String>,
        settings: &AuditSettings,
        trusted: bool,
    ) -> Result<Self, Error> {
        if let Some(unknown) = options.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(Error::invalid(format!("audit option `{unknown}` is not known")));
        }
        match options.get("format").map(String::as_str) {
            None | Some("" | "json") => {}
            Some(_) => return Err(Error::invalid("audit option `format` must be json")),
        }
        let trusted = trusted || settings.any_path;
        let prefix = options.get("prefix").cloned().unwrap_or_default();
        if !prefix.is_empty() && !trusted {
            return Err(Error::invalid(
                "audit option `prefix` can only be set in the configuration file, or when it sets unsafe_allow_api_audit_creation",
            ));
        }
        let sync_always = match options.get("sync").map(String::as_str) {
            None | Some("") => false,
            Some("always") => true,
            Some(_) => return Err(Error::invalid("audit option `sync` must be `always`")),
        };
        Ok(Self {
            output: output(options, settings, trusted)?,
            log_raw: flag(options, "log_raw", false)?,
            hmac_accessor: flag(options, "hmac_accessor", true)?,
            elide_list_responses: flag(options, "elide_list_responses", false)?,
            prefix,
            sync_always,
        })
    }
}

fn output(
    options: &BTreeMap<String, String>,
    settings: &AuditSettings,
    trusted: bool,
) -> Result<Output, Error> {
    let named = options.get("file_path").or_else(|| options.get("path")).map_or("", String::as_str);
    match named {
        "" => Err(Error::invalid("file_path is required")),
        "stdout" | "/dev/stdout" => Ok(Output::Stdout),
        "/dev/stderr" => Ok(Output::Stderr),
        "discard" | "/dev/null" => Ok(Output::Discard),
        path => {
            let path = PathBuf::from(path);
            if !trusted {
                refuse_outside(&path, &settings.directory)?;
            }
            Ok(Output::File { path, mode: mode(options)? })
        }
    }
}

/// 0 leaves the mode of a file that is there as it is.
fn mode(options: &BTreeMap<String, String>) -> Result<u32, Error> {
    let Some(text) = options.get("mode").filter(|text| !text.is_empty()) else { return Ok(0o600) };
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode & !0o666 == 0 => Ok(mode),
        _ => Err(Error::invalid(
            "audit option `mode` must be octal permissions without execution, such as 0600",
        )),
    }
}

/// A path below the directory, written without detours.
fn refuse_outside(path: &Path, directory: &Path) -> Result<(), Error> {
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if path.is_absolute() && plain && path.starts_with(directory) && path != directory {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "audit option `file_path` must lie below `{}`; other places need an audit stanza in the configuration file, \
         or unsafe_allow_api_audit_creation set there",
        directory.display()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], any_path: bool) -> Result<FileOptions, String> {
        let options = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let settings = AuditSettings { any_path, ..AuditSettings::default() };
        FileOptions::checked(&options, &settings, false).map_err(|error| error.to_string())
    }

    #[test]
    fn the_api_cannot_choose_where_to_write_nor_what_to_begin_with() {
        for path in
            ["/etc/cron.d/x", "/var/log/vestal/../../../etc/x", "/var/log/vestal", "x", "/var/log/vestal2/x"]
        {
            assert!(read(&[("file_path", path)], false).is_err(), "{path}");
            assert!(read(&[("file_path", path)], true).is_ok(), "{path}");
        }
        assert!(read(&[("file_path", "/var/log/vestal/audit.log")], false).is_ok());
        assert!(read(&[("file_path", "stdout"), ("prefix", "#!/bin/sh")], false).is_err());
        for mode in ["0700", "755", "4600", "x", "01"] {
            assert!(read(&[("file_path", "/x"), ("mode", mode)], true).is_err(), "{mode}");
        }
    }

    #[test]
    fn devices_of_the_system_are_known_by_name_and_others_are_no_files() {
        for (path, output) in
            [("/dev/null", Output::Discard), ("/dev/stdout", Output::Stdout), ("/dev/stderr", Output::Stderr)]
        {
            assert_eq!(read(&[("file_path", path)], false).expect(path).output, output);
        }
        for path in ["/dev/zero", "/tmp"] {
            let error = read(&[("file_path", path)], true).expect_err(path);
            assert!(error.contains("regular file"), "{error}");
        }
        assert!(read(&[("file_path", "discard"), ("mode", "999")], true).is_err());
    }

    #[test]
    fn options_are_checked_by_name() {
        for (name, value) in [("log_raw", "on"), ("format", "jsonx"), ("sync", "never"), ("colour", "red")] {
            let error = read(&[("file_path", "stdout"), (name, value)], true).expect_err(name);
            assert!(error.contains(name), "{error}");
        }
        assert!(read(&[], true).is_err());
    }
}
