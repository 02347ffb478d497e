//! `vestal secrets list`.

use clap::Args;
use serde_json::{Map, Value, json};
use vestal_client::Sys;

use crate::cli::commands::Run;
use crate::cli::failure::Outcome;
use crate::cli::flags::FormatFlag;
use crate::cli::output::{self, Format, Ordered};
use crate::cli::session::Session;

const HEADER: [&str; 4] = ["Path", "Type", "Accessor", "Description"];
const DETAILED: [&str; 16] = [
    "Path",
    "Plugin",
    "Accessor",
    "Default TTL",
    "Max TTL",
    "Force No Cache",
    "Replication",
    "Seal Wrap",
    "External Entropy Access",
    "Options",
    "Description",
    "UUID",
    "Version",
    "Running Version",
    "Running SHA256",
    "Deprecation Status",
];

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    format: FormatFlag,
    /// Durations, options and more as well.
    #[arg(long)]
    detailed: bool,
}

impl Run for List {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let api = session.api()?;
        let mounts = Sys(&api).mounts().await;
        let mounts = mounts.map_err(|error| session.failed("Error listing secrets engines", &error))?;
        let text = match (format, self.detailed) {
            (Format::Table, false) => output::headed(&HEADER, rows(&mounts, simple)),
            (Format::Table, true) => output::headed(&DETAILED, rows(&mounts, detailed)),
            _ => output::structured(format, &for_programs(&mounts)),
        };
        session.world.out(&text);
        Ok(0)
    }
}

type Fields = Map<String, Value>;

fn rows(mounts: &Fields, row: fn(&str, &Fields) -> Vec<String>) -> Vec<Vec<String>> {
    mounts.iter().filter_map(|(path, mount)| Some(row(path, mount.as_object()?))).collect()
}

fn text(fields: &Fields, key: &str) -> String {
    fields.get(key).filter(|value| !value.is_null()).map(output::shown).unwrap_or_default()
}

fn simple(path: &str, mount: &Fields) -> Vec<String> {
    vec![path.to_owned(), text(mount, "type"), text(mount, "accessor"), text(mount, "description")]
}

fn detailed(path: &str, mount: &Fields) -> Vec<String> {
    let empty = Map::new();
    let config = mount.get("config").and_then(Value::as_object).unwrap_or(&empty);
    let plugin = Some(text(config, "plugin_name")).filter(|name| !name.is_empty());
    let local = mount.get("local").and_then(Value::as_bool).unwrap_or_default();
    let options = mount.get("options").filter(|options| !options.is_null());
    vec![
        path.to_owned(),
        plugin.unwrap_or_else(|| text(mount, "type")),
        text(mount, "accessor"),
        ttl(mount, config, "default_lease_ttl"),
        ttl(mount, config, "max_lease_ttl"),
        text(config, "force_no_cache"),
        if local { "local" } else { "replicated" }.to_owned(),
        text(mount, "seal_wrap"),
        text(mount, "external_entropy_access"),
        options.map_or_else(|| "map[]".to_owned(), output::shown),
        text(mount, "description"),
        text(mount, "uuid"),
        text(mount, "plugin_version"),
        text(mount, "running_plugin_version"),
        text(mount, "running_sha256"),
        text(mount, "deprecation_status"),
    ]
}

/// Seconds, `system` for the server's own, nothing where leases do not apply.
fn ttl(mount: &Fields, config: &Fields, key: &str) -> String {
    if matches!(text(mount, "type").as_str(), "system" | "cubbyhole") {
        return String::new();
    }
    Some(text(config, key)).filter(|seconds| seconds != "0").unwrap_or_else(|| "system".to_owned())
}

/// In the order of Vault's command line.
fn for_programs(mounts: &Fields) -> Ordered {
    let fields = [
        ("uuid", Some(json!(""))),
        ("type", Some(json!(""))),
        ("description", Some(json!(""))),
        ("accessor", Some(json!(""))),
        ("config", Some(json!({}))),
        ("options", Some(Value::Null)),
        ("local", Some(json!(false))),
        ("seal_wrap", Some(json!(false))),
        ("external_entropy_access", Some(json!(false))),
        ("plugin_version", Some(json!(""))),
        ("running_plugin_version", Some(json!(""))),
        ("running_sha256", Some(json!(""))),
        ("deprecation_status", Some(json!(""))),
    ];
    let config = [("default_lease_ttl", None), ("max_lease_ttl", None), ("force_no_cache", None)];
    let entry = |(path, mount): (&String, &Value)| {
        let mount = Ordered::of(mount.as_object()?, &fields).nested("config", &config);
        Some((path.clone(), mount))
    };
    Ordered::map(mounts.iter().filter_map(entry))
}
