//! `vestal operator init`.

use clap::Args;
use serde_json::{Map, Value, json};
use vestal_client::{InitAnswer, Sys};
use vestal_crypto::SecretString;

use crate::cli::commands::Run;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::FormatFlag;
use crate::cli::output::{self, Format, Ordered, wrapped};
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Init {
    #[command(flatten)]
    format: FormatFlag,
    /// Among how many keys the root key is split.
    #[arg(long, short = 'n', value_name = "NUMBER", default_value_t = 5)]
    key_shares: u8,
    /// How many of them unseal the server.
    #[arg(long, short = 't', value_name = "NUMBER", default_value_t = 3)]
    key_threshold: u8,
    /// Only tell whether the server is initialised. Exit code 0: it is, 1: error, 2: it is not.
    #[arg(long)]
    status: bool,
}

impl Run for Init {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let api =
            session.api().map_err(|failure| if self.status { failure.with_code(1) } else { failure })?;
        let seal = Sys(&api).seal_status().await;
        let seal = seal.map_err(|error| session.failed("Error checking seal status", &error).with_code(1))?;
        if self.status {
            return show_initialized(session, &api, format).await;
        }
        let passphrase_seal = seal.get("type").and_then(Value::as_str) == Some("passphrase");
        let result = if passphrase_seal {
            let passphrase = new_passphrase(session)?;
            Sys(&api).init_with_passphrase(passphrase.as_ref()).await
        } else {
            Sys(&api).init(self.key_shares, self.key_threshold).await
        };
        let made = result.map_err(|error| {
            let failure = session.failed("Error initializing", &error);
            // The server says what it misses; it is not an unsealing.
            if error.status() == Some(503) { Failure { next: None, ..failure } } else { failure }
        })?;
        let text = match (format, passphrase_seal) {
            (Format::Table, true) => passphrase_text(&made),
            (Format::Table, false) => shares_text(&made, self.key_threshold),
            (_, true) => output::structured(format, &for_programs(&made, 1)),
            (_, false) => output::structured(format, &for_programs(&made, self.key_threshold)),
        };
        session.world.out(&text);
        Ok(0)
    }
}

async fn show_initialized(session: &mut Session<'_>, api: &vestal_client::Api, format: Format) -> Outcome {
    let initialized = Sys(api).initialized().await;
    let initialized =
        initialized.map_err(|error| session.failed("Error checking init status", &error).with_code(1))?;
    let text = match (format, initialized) {
        (Format::Table, true) => "Vestal is initialized".to_owned(),
        (Format::Table, false) => "Vestal is not initialized".to_owned(),
        _ => output::structured(format, &json!({ "Initialized": initialized })),
    };
    session.world.out(&text);
    Ok(if initialized { 0 } else { 2 })
}

/// Asks twice on a terminal; takes a line of standard input elsewhere. Nothing given: the server makes one.
fn new_passphrase(session: &mut Session<'_>) -> Result<Option<SecretString>, Failure> {
    let cannot = |error: std::io::Error| Failure::local(format!("Cannot ask for the passphrase: {error}"));
    if session.http.non_interactive && session.world.stdin_is_terminal {
        return Ok(None);
    }
    let first =
        session.world.secret("New passphrase (will be hidden; empty: one is made): ").map_err(cannot)?;
    if first.is_empty() {
        return Ok(None);
    }
    if session.world.stdin_is_terminal && session.world.secret("Again: ").map_err(cannot)? != first {
        return Err(Failure::local("The passphrases differ"));
    }
    Ok(Some(first))
}

fn shares_text(made: &InitAnswer, threshold: u8) -> String {
    let numbered = |name: &str, keys: &[String]| {
        let line = |(index, key): (usize, &String)| format!("{name} {}: {key}\n", index + 1);
        keys.iter().enumerate().map(line).collect::<String>()
    };
    let keys = numbered("Unseal Key", &made.keys_base64);
    let recovery = numbered("Recovery Key", made.recovery_keys_base64.as_deref().unwrap_or_default());
    let explained = if made.keys_base64.is_empty() {
        "Vestal is initialized and unseals itself. Keep the token above: it is shown only now.".to_owned()
    } else {
        format!(
            "Vestal initialized with {} key shares and a key threshold of {threshold}. Give the keys to different people: they are shown only now. After every restart, {threshold} of them are needed to unseal the server (`vestal operator unseal`). Without {threshold} keys, everything in it is lost for good.",
            made.keys_base64.len()
        )
    };
    format!("{keys}{recovery}\nInitial Root Token: {}\n\n{}", made.root_token, wrapped(&explained, 0))
}

fn passphrase_text(made: &InitAnswer) -> String {
    let passphrase = made.keys.first().map(|made| format!("Passphrase: {made}\n\n")).unwrap_or_default();
    let once = if made.keys.is_empty() { "The token is" } else { "It and the token are" };
    let explained = format!(
        "Vestal is initialized with a passphrase, which is needed to unseal the server after every restart (`vestal operator unseal`). Without it, everything in the server is lost for good. {once} shown only now."
    );
    format!("{passphrase}Initial Root Token: {}\n\n{}", made.root_token, wrapped(&explained, 0))
}

/// In the order and under the names of Vault's command line.
fn for_programs(made: &InitAnswer, threshold: u8) -> Ordered {
    let mut fields = Ordered::of(&Map::new(), &[]);
    fields.push("unseal_keys_b64", json!(made.keys_base64));
    fields.push("unseal_keys_hex", json!(made.keys));
    fields.push("unseal_shares", json!(made.keys_base64.len()));
    fields.push("unseal_threshold", json!(threshold));
    let recovery = made.recovery_keys.iter().flatten().count();
    fields.push("recovery_keys_b64", json!(made.recovery_keys_base64));
    fields.push("recovery_keys_hex", json!(made.recovery_keys));
    fields.push("recovery_keys_shares", json!(recovery));
    fields.push("recovery_keys_threshold", json!(if recovery > 0 { threshold } else { 0 }));
    fields.push("root_token", json!(made.root_token));
    fields
}
