//! `vestal secrets tune`.

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
pub(crate) struct Tune {
    #[command(flatten)]
    lists: NameLists,
    /// How long leases last.
    #[arg(long, value_name = "DURATION")]
    default_lease_ttl: Option<GoDuration>,
    /// How long leases last at most.
    #[arg(long, value_name = "DURATION")]
    max_lease_ttl: Option<GoDuration>,
    /// What the engine is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether the engine is listed to those without a token: unauth or hidden.
    #[arg(long, value_name = "VISIBILITY")]
    listing_visibility: Option<String>,
    /// An option of the engine; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// The version of the engine, such as 2 of kv.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// The plugin's version.
    #[arg(long, value_name = "VERSION")]
    plugin_version: Option<String>,
    /// Where the engine is.
    path: String,
}

impl Run for Tune {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let body = self.body()?;
        tune(session, &self.path, body).await
    }
}

impl Tune {
    fn body(&self) -> Result<Value, Failure> {
        let mut body = untouched();
        // An empty text leaves a duration as it is.
        let ttls = [("default_lease_ttl", self.default_lease_ttl), ("max_lease_ttl", self.max_lease_ttl)];
        for (name, ttl) in ttls {
            if let Some(ttl) = ttl {
                body.insert(name.to_owned(), json!(ttl.to_string()));
            }
        }
        let texts = [
            ("description", &self.description),
            ("listing_visibility", &self.listing_visibility),
            ("plugin_version", &self.plugin_version),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                body.insert(name.to_owned(), json!(text));
            }
        }
        self.lists.put_into(&mut body);
        let mut options = key_values("options", &self.options)?;
        if let Some(version) = self.version {
            options.insert("version".to_owned(), json!(version.to_string()));
        }
        if !options.is_empty() {
            body.insert("options".to_owned(), options.into());
        }
        Ok(body.into())
    }
}

/// A tuning that changes nothing.
fn untouched() -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("options".to_owned(), Value::Null);
    body.insert("default_lease_ttl".to_owned(), json!(""));
    body.insert("max_lease_ttl".to_owned(), json!(""));
    body.insert("force_no_cache".to_owned(), json!(false));
    body
}

/// What `kv enable-versioning` sends.
pub(crate) fn to_version_two() -> Value {
    let mut body = untouched();
    body.insert("options".to_owned(), json!({ "version": "2" }));
    body.into()
}

/// Sends a tuning and says that it worked.
pub(crate) async fn tune(session: &mut Session<'_>, path: &str, body: Value) -> Outcome {
    let path = tidy(path);
    let api = session.api()?;
    let tuned = Sys(&api).tune(&path, body).await;
    tuned.map_err(|error| session.failed(&format!("Error tuning secrets engine {path}/"), &error))?;
    session.world.out(&format!("Success! Tuned the secrets engine at: {path}/"));
    Ok(0)
}
