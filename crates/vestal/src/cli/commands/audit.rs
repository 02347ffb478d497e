//! `vestal audit`.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use vestal_client::{Ask, Sys};

use super::{Run, data, tidy};
use crate::cli::failure::Outcome;
use crate::cli::flags::FormatFlag;
use crate::cli::output::{self, Format, Ordered};
use crate::cli::session::Session;

/// Audit devices: where every request is recorded.
#[derive(Subcommand, Debug)]
pub(crate) enum Audit {
    /// Enable an audit device.
    Enable(Enable),
    /// Disable an audit device.
    Disable(Disable),
    /// List the audit devices.
    List(List),
}

#[derive(Args, Debug)]
pub(crate) struct Enable {
    /// What the device is for.
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
    /// Do not replicate the device.
    #[arg(long)]
    local: bool,
    /// Its name; the type when absent.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The type of device, such as file.
    #[arg(value_name = "TYPE")]
    kind: String,
    /// Options of the device, such as `file_path=/var/log/audit.log`.
    #[arg(value_name = "KEY=VALUE")]
    options: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct Disable {
    /// The device's name.
    path: String,
}

#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    format: FormatFlag,
    /// Options and replication as well.
    #[arg(long)]
    detailed: bool,
}

impl Run for Audit {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        match self {
            Self::Enable(command) => command.run(session).await,
            Self::Disable(command) => command.run(session).await,
            Self::List(command) => command.run(session).await,
        }
    }
}

impl Run for Enable {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let options = data(session, &self.options)?;
        let kind = self.kind.trim();
        let path = tidy(self.path.as_deref().unwrap_or(kind));
        let body =
            json!({ "type": kind, "description": self.description, "options": options, "local": self.local });
        let enabled = session.api()?.send(Ask::put(format!("sys/audit/{path}"), body)).await;
        enabled.map_err(|error| session.failed("Error enabling audit device", &error))?;
        session.world.out(&format!("Success! Enabled the {kind} audit device at: {path}/"));
        Ok(0)
    }
}

impl Run for Disable {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let path = tidy(&self.path);
        let disabled = session.api()?.send(Ask::delete(format!("sys/audit/{path}"))).await;
        disabled.map_err(|error| session.failed("Error disabling audit device", &error))?;
        session.world.out(&format!("Success! Disabled audit device (if it was enabled) at: {path}/"));
        Ok(0)
    }
}

impl Run for List {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let format = self.format.format(&session.world.environment)?;
        let api = session.api()?;
        let devices = Sys(&api).data(Ask::get("sys/audit")).await;
        let devices = devices.map_err(|error| session.failed("Error listing audits", &error))?;
        if format != Format::Table {
            session.world.out(&output::structured(format, &for_programs(&devices)));
            return Ok(0);
        }
        if devices.is_empty() {
            session.world.out("No audit devices are enabled.");
            return Ok(2);
        }
        let header: &[&str] = if self.detailed {
            &["Path", "Type", "Description", "Replication", "Options"]
        } else {
            &["Path", "Type", "Description"]
        };
        let rows = devices.iter().map(|(path, device)| row(path, device, self.detailed)).collect();
        session.world.out(&output::headed(header, rows));
        Ok(0)
    }
}

fn for_programs(devices: &Map<String, Value>) -> Ordered {
    let order = [("type", None), ("description", None), ("options", None), ("local", None), ("path", None)];
    let entry = |(path, device): (&String, &Value)| {
        (path.clone(), Ordered::of(device.as_object().unwrap_or(&Map::new()), &order))
    };
    Ordered::map(devices.iter().map(entry))
}

fn row(path: &str, device: &Value, detailed: bool) -> Vec<String> {
    let text = |key: &str| device.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut row = vec![path.to_owned(), text("type"), text("description")];
    if detailed {
        let local = device.get("local").and_then(Value::as_bool).unwrap_or_default();
        row.push(if local { "local" } else { "replicated" }.to_owned());
        let options = device.get("options").and_then(Value::as_object).into_iter().flatten();
        let pairs = options.map(|(key, value)| format!("{key}={}", output::shown(value)));
        row.push(pairs.collect::<Vec<_>>().join(" "));
    }
    row
}
