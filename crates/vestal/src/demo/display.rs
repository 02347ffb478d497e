//! The live display: one line that moves on a terminal, one line an event elsewhere.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use vestal_crypto::SecretString;
use vestal_logical::{Clock as _, SystemClock, Timestamp};

use super::{ACCESS_LIFE, Scene};
use crate::say::say;
use crate::server;

/// The token as it was last read.
struct Token {
    /// Enough to see that it changed, too little to use it.
    beginning: String,
    expires: Timestamp,
}

/// Shows the story until somebody stops it. `reader` may read the credential and nothing else.
pub(super) async fn show(scene: &Scene, reader: &SecretString) -> anyhow::Result<()> {
    let live = std::io::stdout().is_terminal();
    introduce(scene, reader, live);
    let mut last: Option<Token> = None;
    loop {
        let token = read(scene, reader).await?;
        let refreshes = scene.provider.control().ledger().totals.issued.saturating_sub(1);
        let changed = last.as_ref().is_none_or(|last| last.beginning != token.beginning);
        let left = token.expires.since(SystemClock.now()).as_secs();
        if live {
            print!(
                "\r\x1b[K  {}  {} {left:>2} s left   refreshed {refreshes} times",
                token.beginning,
                bar(left)
            );
            std::io::stdout().flush()?;
        } else if changed
            && !say!("token {} is good for {left} s; refreshed {refreshes} times", token.beginning)
        {
            // Nobody reads any more, so the show is over.
            return Ok(());
        }
        last = Some(token);
        SystemClock.sleep_until(SystemClock.now().plus(Duration::from_millis(250))).await;
    }
}

fn bar(left: u64) -> String {
    let full = usize::try_from(left.min(ACCESS_LIFE.as_secs())).unwrap_or(0);
    let empty = usize::try_from(ACCESS_LIFE.as_secs()).unwrap_or(0).saturating_sub(full);
    format!("[{}{}]", "#".repeat(full), ".".repeat(empty))
}

async fn read(scene: &Scene, reader: &SecretString) -> anyhow::Result<Token> {
    let data = server::read(&scene.vault, reader, "oauthapp/creds/jane").await?;
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let token = text("access_token").context("the credential has no access token")?;
    let expires = text("expire_time").and_then(Timestamp::parse).context("the token has no end")?;
    Ok(Token { beginning: format!("{}…", token.chars().take(12).collect::<String>()), expires })
}

fn introduce(scene: &Scene, reader: &SecretString, live: bool) {
    let (address, reader, root) = (scene.address, reader.expose(), scene.root.expose());
    say!("Jane Doe has authorised an application once. Vestal keeps her token fresh from now on.\n");
    say!(
        "  authorization server   {}   (access tokens live {} s)",
        scene.provider.base_url(),
        ACCESS_LIFE.as_secs()
    );
    say!("  Vestal                 http://{address}   (root token {root})\n");
    say!("Try it from another terminal, with a token that can read this credential and nothing else:\n");
    let indent = if live { "  " } else { "" };
    say!("{indent}curl -s -H 'X-Vault-Token: {reader}' http://{address}/v1/oauthapp/creds/jane");
    say!("{indent}VAULT_ADDR=http://{address} VAULT_TOKEN={reader} bao read oauthapp/creds/jane");
    say!("{indent}VAULT_ADDR=http://{address} VAULT_TOKEN={reader} vestal read oauthapp/creds/jane");
    say!(
        "{indent}python3 -c \"import hvac; print(hvac.Client('http://{address}', '{reader}').read('oauthapp/creds/jane')['data']['access_token'])\"\n"
    );
    say!("Press Ctrl-C to end.\n");
}
