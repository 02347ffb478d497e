//! `vestal lease`.

use clap::{Args, Subcommand};
use serde_json::json;
use vestal_client::Ask;

use super::{Run, tidy};
use crate::cli::duration::GoDuration;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::flags::{FormatFlag, OutputFlags};
use crate::cli::session::Session;

/// Leases: what was handed out for a time.
#[derive(Subcommand, Debug)]
pub(crate) enum Lease {
    /// Show a lease.
    Lookup(Lookup),
    /// Make a lease last longer.
    Renew(Renew),
    /// End a lease, or all below a prefix.
    Revoke(Revoke),
}

#[derive(Args, Debug)]
pub(crate) struct Lookup {
    #[command(flatten)]
    format: FormatFlag,
    /// The lease's ID.
    id: String,
}

#[derive(Args, Debug)]
pub(crate) struct Renew {
    #[command(flatten)]
    format: FormatFlag,
    /// How much longer.
    #[arg(long, short, value_name = "DURATION")]
    increment: Option<GoDuration>,
    /// The lease's ID.
    id: String,
}

#[derive(Args, Debug)]
pub(crate) struct Revoke {
    /// Forget the lease even if what it stands for cannot be taken back; only with -prefix.
    #[arg(long, short)]
    force: bool,
    /// The ID is a prefix: revoke all below it.
    #[arg(long)]
    prefix: bool,
    /// Wait until it is done.
    #[arg(long)]
    sync: bool,
    /// The lease's ID or prefix.
    id: String,
}

impl Run for Lease {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        match self {
            Self::Lookup(command) => command.run(session).await,
            Self::Renew(command) => command.run(session).await,
            Self::Revoke(command) => command.run(session).await,
        }
    }
}

impl Run for Lookup {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let id = tidy(&self.id);
        let found = session.api()?.write("sys/leases/lookup", json!({ "lease_id": id })).await;
        let found =
            found.map_err(|error| session.failed(&format!("error looking up lease id {id}"), &error))?;
        shown(session, found.as_ref(), self.format, &id)
    }
}

impl Run for Renew {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        let id = tidy(&self.id);
        let increment = self.increment.unwrap_or_default().seconds();
        let body = json!({ "increment": increment, "lease_id": id });
        let renewed = session.api()?.write("sys/leases/renew", body).await;
        let renewed = renewed.map_err(|error| session.failed(&format!("Error renewing {id}"), &error))?;
        shown(session, renewed.as_ref(), self.format, &id)
    }
}

fn shown(
    session: &mut Session<'_>,
    secret: Option<&vestal_client::Secret>,
    format: FormatFlag,
    id: &str,
) -> Outcome {
    let secret = secret.ok_or_else(|| Failure::remote(format!("No lease found with id {id}")))?;
    session.show(secret, &OutputFlags { format, field: None })
}

impl Run for Revoke {
    async fn run(self, session: &mut Session<'_>) -> Outcome {
        if self.force && !self.prefix {
            return Err(Failure::local("Specifying -force requires also specifying -prefix"));
        }
        let id = tidy(&self.id);
        let path = match (self.force, self.prefix) {
            (true, _) => format!("sys/leases/revoke-force/{id}"),
            (false, true) => format!("sys/leases/revoke-prefix/{id}"),
            (false, false) => format!("sys/leases/revoke/{id}"),
        };
        let ask = Ask::new(http::Method::PUT, path);
        let ask = if self.force { ask } else { ask.body(json!({ "sync": self.sync })) };
        if self.force {
            session.world.err(
                "Warning! Force-removing leases can cause Vestal to become out of sync with\nsecret engines!",
            );
        }
        let revoked = session.api()?.send(ask).await;
        let doing = match (self.force, self.prefix) {
            (true, _) => "Error force revoking leases with prefix",
            (false, true) => "Error revoking leases with prefix",
            (false, false) => "Error revoking lease",
        };
        let answer = revoked.map_err(|error| session.failed(&format!("{doing} {id}"), &error))?;
        // 202: the server has only noted it.
        let text = match (self.force, self.prefix, answer.status) {
            (true, ..) => format!("Success! Force revoked any leases with prefix: {}", self.id),
            (false, _, 202) => "All revocation operations queued successfully!".to_owned(),
            (false, true, _) => format!("Success! Revoked any leases with prefix: {}", self.id),
            (false, false, _) => format!("Success! Revoked lease: {}", self.id),
        };
        session.world.out(&text);
        Ok(0)
    }
}
