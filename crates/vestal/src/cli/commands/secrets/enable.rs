//! `vestal secrets enable`.

use clap::Args;
use serde_json::{Map, Value, json};
use vestal_client::Sys;

use super::NameLists;
use crate::cli::commands::{Run, tidy};
use crate::cli::duration::GoDuration;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::key_values;
use crate::cli::session::Session;

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, as in Vault")]
pub(crate) struct Enable {
    #[command(flatten)]
    lists: NameLists,
    /// Where the engine shall be; its type when absent.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// What the engine is for.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// How long leases last.
    #[arg(long, value_name = "DURATION")]
    default_lease_ttl: Option<GoDuration>,
    /// How long leases last at most.
    #[arg(long, value_name = "DURATION")]
    max_lease_ttl: Option<GoDuration>,
    /// Cache nothing of this engine.
    #[arg(long)]
    force_no_cache: bool,
    /// Whether the engine is listed to those without a token: unauth or hidden.
    #[arg(long, value_name = "VISIBILITY")]
    listing_visibility: Option<String>,
    /// Do not replicate the engine.
    #[arg(long)]
    local: bool,
    /// An option of the engine; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// The version of the engine, such as 2 of kv.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// The plugin to run.
    #[arg(long, value_name = "NAME")]
    plugin_name: Option<String>,
    /// The plugin's version.
    #[arg(long, value_name = "VERSION")]
    plugin_version: Option<String>,
    /// Wrap critical values by the seal as well.
    #[arg(long)]
    seal_wrap: bool,
    /// Let the engine use external entropy.
    #[arg(long)]
    external_entropy_access: bool,
    /// The type of engine, such as oauthapp or kv.
    #[arg(value_name = "TYPE")]
    kind: String,
}

impl Run for Enable {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let kind = self.kind.trim().to_owned();
        let path = tidy(self.path.as_deref().unwrap_or(&kind));
        let body = self.body(&kind)?;
        let api = session.api()?;
        let enabled = Sys(&api).mount(&path, body).await;
        enabled.map_err(|error| session.failed("Error enabling", &error))?;
        session.world.out(&format!("Success! Enabled the {kind} secrets engine at: {path}/"));
        Ok(0)
    }
}

impl Enable {
    fn body(&self, kind: &str) -> Result<Value, Failure> {
        let ttl = |flag: Option<GoDuration>| flag.unwrap_or_default().to_string();
        let mut config = Map::new();
        config.insert("options".to_owned(), Value::Null);
        config.insert("default_lease_ttl".to_owned(), json!(ttl(self.default_lease_ttl)));
        config.insert("max_lease_ttl".to_owned(), json!(ttl(self.max_lease_ttl)));
        config.insert("force_no_cache".to_owned(), json!(self.force_no_cache));
        let texts = [
            ("listing_visibility", &self.listing_visibility),
            ("plugin_name", &self.plugin_name),
            ("plugin_version", &self.plugin_version),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                config.insert(name.to_owned(), json!(text));
            }
        }
        self.lists.put_into(&mut config);
        let mut options = key_values("options", &self.options)?;
        if let Some(version) = self.version {
            options.insert("version".to_owned(), json!(version.to_string()));
        }
        Ok(json!({
            "type": kind,
            "description": self.description,
            "config": config,
            "local": self.local,
            "seal_wrap": self.seal_wrap,
            "external_entropy_access": self.external_entropy_access,
            "options": if options.is_empty() { Value::Null } else { options.into() },
        }))
    }
}
