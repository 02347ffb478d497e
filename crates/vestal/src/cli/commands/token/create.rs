//! `vestal token create`.

use clap::Args;
use serde_json::{Map, Value, json};
use vestal_client::Ask;
use vestal_crypto::SecretString;

use super::send_and_show;
use crate::cli::commands::{Run, given_or_none};
use crate::cli::duration::GoDuration;
use crate::cli::failure::{About, Failure, Outcome};
use crate::cli::flags::{OutputFlags, key_values, secret};
use crate::cli::session::Session;

#[derive(Args, Debug)]
pub(crate) struct Create {
    #[command(flatten)]
    output: OutputFlags,
    /// A policy of the token; may be repeated.
    #[arg(long, value_name = "NAME")]
    policy: Vec<String>,
    /// How long the token lasts.
    #[arg(long, value_name = "DURATION")]
    ttl: Option<GoDuration>,
    /// How long it lasts at most, renewed or not.
    #[arg(long, value_name = "DURATION")]
    explicit_max_ttl: Option<GoDuration>,
    /// Each renewal gives this much; the token does not end while it is renewed.
    #[arg(long, value_name = "DURATION")]
    period: Option<GoDuration>,
    /// Whether it can be renewed.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "true", default_missing_value = "true")]
    renewable: String,
    /// The token outlives the one it is created with.
    #[arg(long)]
    orphan: bool,
    /// Leave the default policy out.
    #[arg(long)]
    no_default_policy: bool,
    /// How often it can be used; 0 is without limit.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    use_limit: u32,
    /// A name to be seen in the audit log.
    #[arg(long, value_name = "NAME", default_value = "")]
    display_name: String,
    /// What is noted with the token; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    metadata: Vec<String>,
    /// The alias of the token's entity, with -role.
    #[arg(long, value_name = "NAME", default_value = "")]
    entity_alias: String,
    /// The token itself, instead of one that the server makes; - reads it from standard input.
    #[arg(long, value_name = "TOKEN", value_parser = secret)]
    id: Option<SecretString>,
    /// A role to create the token by.
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// service or batch.
    #[arg(long = "type", value_name = "TYPE", default_value = "service")]
    kind: String,
}

impl Run for Create {
    async fn run(mut self, session: &mut Session<'_>) -> Outcome {
        self.id = given_or_none(session, self.id)?;
        let path = match &self.role {
            Some(role) => format!("auth/token/create/{role}"),
            None => "auth/token/create".to_owned(),
        };
        let body = self.body()?;
        send_and_show(session, Ask::post(path, body), About::OwnToken, "Error creating token", &self.output)
            .await
    }
}

impl Create {
    fn body(&self) -> Result<Value, Failure> {
        let ttl = |flag: Option<GoDuration>| json!(flag.unwrap_or_default().to_string());
        let renewable = match self.renewable.as_str() {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return Err(Failure::local("-renewable takes true or false")),
        };
        let mut body = Map::new();
        let mut put = |name: &str, value: Value| {
            body.insert(name.to_owned(), value);
        };
        put("ttl", ttl(self.ttl));
        put("explicit_max_ttl", ttl(self.explicit_max_ttl));
        put("period", ttl(self.period));
        put("display_name", json!(self.display_name));
        put("num_uses", json!(self.use_limit));
        // A batch token cannot be renewed, and the server refuses one that shall be.
        put("renewable", json!(renewable && self.kind != "batch"));
        put("type", json!(self.kind));
        put("entity_alias", json!(self.entity_alias));
        if let Some(id) = &self.id {
            put("id", json!(id.expose()));
        }
        if !self.policy.is_empty() {
            put("policies", json!(self.policy));
        }
        if !self.metadata.is_empty() {
            put("meta", key_values("metadata", &self.metadata)?.into());
        }
        if self.orphan {
            put("no_parent", json!(true));
        }
        if self.no_default_policy {
            put("no_default_policy", json!(true));
        }
        Ok(body.into())
    }
}
