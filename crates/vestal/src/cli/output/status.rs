//! The seal status and the leader, as one table or one object.

use serde_json::{Map, Value, json};

use super::columns::key_value;
use super::go::shown;
use super::ordered::Ordered;

/// The status for programs, in the order of Vault's command line.
pub(crate) fn status_object(seal: &Map<String, Value>, leader: &Map<String, Value>) -> Ordered {
    let order = [
        ("type", Some(json!(""))),
        ("initialized", Some(json!(false))),
        ("sealed", Some(json!(false))),
        ("t", Some(json!(0))),
        ("n", Some(json!(0))),
        ("progress", Some(json!(0))),
        ("nonce", Some(json!(""))),
        ("version", Some(json!(""))),
        ("commit_date", None),
        ("migration", Some(json!(false))),
        ("cluster_name", None),
        ("cluster_id", None),
        ("recovery_seal", Some(json!(false))),
        ("recovery_seal_type", None),
        ("storage_type", None),
        ("build_date", Some(json!(""))),
    ];
    let mut fields = Ordered::of(seal, &order);
    let enabled = is_true(leader, "ha_enabled");
    fields.push("ha_enabled", json!(enabled));
    for (key, value) in leader.iter().filter(|(key, _)| enabled && *key != "ha_enabled") {
        fields.push(key, value.clone());
    }
    fields
}

/// The status for people.
pub(crate) fn status_table(seal: &Map<String, Value>, leader: &Map<String, Value>) -> String {
    let sealed = is_true(seal, "sealed");
    let text = |key: &str| seal.get(key).map(shown).unwrap_or_default();
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    row("Seal Type", text("type"));
    if seal.contains_key("recovery_seal_type") {
        row("Recovery Seal Type", text("recovery_seal_type"));
    }
    row("Initialized", text("initialized"));
    row("Sealed", text("sealed"));
    let shares = if is_true(seal, "recovery_seal") { "Total Recovery Shares" } else { "Total Shares" };
    row(shares, text("n"));
    row("Threshold", text("t"));
    if sealed {
        row("Unseal Progress", format!("{}/{}", text("progress"), text("t")));
        row("Unseal Nonce", text("nonce"));
    }
    if is_true(seal, "migration") {
        row("Seal Migration in Progress", "true".to_owned());
    }
    row("Version", text("version"));
    for (name, key) in [("Build Date", "build_date"), ("Commit Date", "commit_date")] {
        if !text(key).is_empty() {
            row(name, text(key));
        }
    }
    row("Storage Type", text("storage_type"));
    if !text("cluster_name").is_empty() {
        row("Cluster Name", text("cluster_name"));
        row("Cluster ID", text("cluster_id"));
    }
    high_availability(&mut row, leader, sealed);
    key_value(rows)
}

fn high_availability(row: &mut impl FnMut(&str, String), leader: &Map<String, Value>, sealed: bool) {
    let enabled = is_true(leader, "ha_enabled");
    row("HA Enabled", enabled.to_string());
    if !enabled {
        return;
    }
    let text = |key: &str| leader.get(key).map(shown).unwrap_or_default();
    if sealed {
        return row("HA Mode", "sealed".to_owned());
    }
    row("HA Cluster", text("leader_cluster_address"));
    if is_true(leader, "is_self") {
        row("HA Mode", "active".to_owned());
        row("Active Since", text("active_time"));
    } else {
        row("HA Mode", "standby".to_owned());
        row("Active Node Address", text("leader_address"));
    }
}

fn is_true(fields: &Map<String, Value>, key: &str) -> bool {
    fields.get(key).and_then(Value::as_bool).unwrap_or_default()
}
