//! `sys/health`: the state as a status code that load balancers can be told to read.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use vestal_logical::params::Fields;
use vestal_logical::{Call, Error, Kind, Outcome, Reply};

use crate::vault::{State, Vault};

/// The answer. Replication does not exist here; its words are what clients expect of a node without it.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "the shape is the API's")]
pub(super) struct Health {
    initialized: bool,
    sealed: bool,
    standby: bool,
    performance_standby: bool,
    replication_performance_mode: &'static str,
    replication_dr_mode: &'static str,
    server_time_utc: i64,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster_id: Option<String>,
}

/// Every status code that a caller may choose, and whether standbys count as well. Unknown parameters are not looked
/// at, so this endpoint declares none.
pub(super) async fn read(vault: &Arc<Vault>, call: &Call, p: Fields) -> Result<Reply<Health>, Error> {
    let query = Query(&p.0);
    for boolean in ["standbyok", "perfstandbyok"] {
        query.boolean(boolean)?;
    }
    let mut codes = [0; 6];
    let names = [
        "activecode",
        "sealedcode",
        "uninitcode",
        "standbycode",
        "drsecondarycode",
        "performancestandbycode",
    ];
    for (code, (name, usual)) in codes.iter_mut().zip(names.into_iter().zip([200, 503, 501, 429, 472, 473])) {
        *code = query.code(name, usual)?;
    }
    let [active, sealed, uninitialized, ..] = codes;
    let state = vault.state();
    let code = match &state {
        State::Uninitialized => uninitialized,
        State::Sealed { .. } => sealed,
        State::Active { .. } => active,
    };
    let serving = matches!(state, State::Active { .. });
    let replication = if serving { "disabled" } else { "unknown" };
    let settings = &vault.parts().settings;
    let cluster_id = match &state {
        State::Active { seal, .. } => Some(seal.cluster_id.clone()),
        _ => None,
    };
    let health = Health {
        initialized: !matches!(state, State::Uninitialized),
        sealed: !serving,
        standby: !serving,
        performance_standby: false,
        replication_performance_mode: replication,
        replication_dr_mode: replication,
        server_time_utc: call.now.seconds(),
        version: settings.version.clone(),
        cluster_name: serving.then(|| settings.cluster_name.clone()),
        cluster_id,
    };
    Ok(Reply::plain(health).outcome(Outcome::Status(code)))
}

struct Query<'a>(&'a serde_json::Map<String, Value>);

impl Query<'_> {
    /// A parameter given several times counts as its first value.
    fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Value::String(text) => Some(text),
            Value::Array(values) => values.first()?.as_str(),
            _ => None,
        }
    }

    fn boolean(&self, name: &str) -> Result<(), Error> {
        match self.text(name) {
            None
            | Some(
                "" | "1" | "t" | "T" | "TRUE" | "true" | "True" | "0" | "f" | "F" | "FALSE" | "false"
                | "False",
            ) => Ok(()),
            Some(_) => Err(Error::silent(Kind::Invalid)),
        }
    }

    fn code(&self, name: &str, usual: u16) -> Result<u16, Error> {
        match self.text(name) {
            None | Some("") => Ok(usual),
            Some(text) => text
                .parse()
                .ok()
                .filter(|code| (200..=599).contains(code))
                .ok_or_else(|| Error::silent(Kind::Invalid)),
        }
    }
}
