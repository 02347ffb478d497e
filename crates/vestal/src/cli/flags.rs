//! Flags that many commands share.

use std::path::PathBuf;

use clap::Args;
use vestal_crypto::SecretString;

use super::duration::GoDuration;
use super::environment::{self, Environment};
use super::failure::Failure;
use super::output::Format;

/// How the server is reached.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "HTTP options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, as in Vault")]
pub(crate) struct HttpFlags {
    /// Address of the server.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) address: Option<String>,
    /// PEM file of authorities that the server's certificate is checked against.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_cert: Option<PathBuf>,
    /// Directory of such files.
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub(crate) ca_path: Option<PathBuf>,
    /// PEM file of the certificate to show to the server.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) client_cert: Option<PathBuf>,
    /// PEM file of its private key.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) client_key: Option<PathBuf>,
    /// Name expected in the server's certificate.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) tls_server_name: Option<String>,
    /// Accept any certificate.
    #[arg(long, global = true)]
    pub(crate) tls_skip_verify: bool,
    /// Do not follow the server's redirect.
    #[arg(long, global = true)]
    pub(crate) disable_redirects: bool,
    /// A further header; may be repeated.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub(crate) header: Vec<String>,
    /// Second factor, as METHOD or METHOD:CODE; may be repeated.
    #[arg(long, global = true, value_name = "METHOD[:CODE]")]
    pub(crate) mfa: Vec<String>,
    /// Namespace to work in.
    #[arg(long, global = true, alias = "ns", value_name = "NAME")]
    pub(crate) namespace: Option<String>,
    /// Override policies that allow it.
    #[arg(long, global = true)]
    pub(crate) policy_override: bool,
    /// Wrap the answer for this long; `unwrap` opens it.
    #[arg(long, global = true, value_name = "DURATION")]
    pub(crate) wrap_ttl: Option<GoDuration>,
    /// Never ask on the terminal.
    #[arg(long, global = true)]
    pub(crate) non_interactive: bool,
    /// Print the first request as a curl command instead of sending it.
    #[arg(long, global = true)]
    pub(crate) output_curl_string: bool,
}

/// How output is written.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Output options")]
pub(crate) struct FormatFlag {
    /// table, json or yaml.
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

impl FormatFlag {
    /// The format of the flag, else of the environment, else a table.
    pub(crate) fn format(&self, environment: &Environment) -> Result<Format, Failure> {
        self.including_raw(environment)?.filter(|format| *format != Format::Raw).ok_or_else(|| {
            Failure::local("Invalid output format: raw").then("Only `read` has the format raw")
        })
    }

    /// The same, for the command that can write raw answers.
    pub(crate) fn format_or_raw(&self, environment: &Environment) -> Result<Format, Failure> {
        Ok(self.including_raw(environment)?.unwrap_or(Format::Table))
    }

    fn including_raw(&self, environment: &Environment) -> Result<Option<Format>, Failure> {
        let Some(name) = self.format.as_deref().or_else(|| environment.value(environment::FORMAT)) else {
            return Ok(Some(Format::Table));
        };
        let unknown = || {
            Failure::local(format!("Invalid output format: {name}"))
                .then("The formats are table, json and yaml")
        };
        Format::named(name).map(Some).ok_or_else(unknown)
    }
}

/// How output is written, or one field of it.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Output options")]
pub(crate) struct OutputFlags {
    #[command(flatten)]
    pub(crate) format: FormatFlag,
    /// Print this field alone, without a line end.
    #[arg(long, value_name = "NAME")]
    pub(crate) field: Option<String>,
}

/// Takes an argument that is a secret out of the parser at once.
#[expect(clippy::unnecessary_wraps, reason = "the parser calls functions of this shape")]
pub(crate) fn secret(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::from(text))
}

/// Splits `key=value` flags.
pub(crate) fn key_values(
    flag: &str,
    given: &[String],
) -> Result<serde_json::Map<String, serde_json::Value>, Failure> {
    let mut map = serde_json::Map::new();
    for pair in given {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Failure::local(format!("-{flag} is not of the form key=value")))?;
        map.insert(key.to_owned(), value.into());
    }
    Ok(map)
}
