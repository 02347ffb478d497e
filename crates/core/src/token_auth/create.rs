//! `create` and `create-orphan`.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use vestal_crypto::SecretString;
use vestal_logical::params::KeyValues;
use vestal_logical::{Call, Error, Reply};

use super::fields::{ChosenId, Span, TextList};
use super::policies::{Rights, assigned};
use super::{auth, caller, has_sudo};
use crate::active::Active;
use crate::tokens::{Asked, Lifetime, MountTerms, NewToken, TokenEntry};

/// What the new token is to be.
#[derive(Deserialize, JsonSchema, Default)]
#[serde(default)]
pub(super) struct Create {
    /// The token itself; one is made when this is empty. Needs `sudo`.
    id: ChosenId,
    /// Its policies; without any, those of the caller.
    policies: TextList,
    /// Leave out the policy `default`.
    no_default_policy: bool,
    /// Make it an orphan. Needs `sudo`.
    no_parent: bool,
    /// How long it lives.
    ttl: Span,
    /// An old name of `ttl`.
    lease: Span,
    /// How long it may live, whatever is renewed.
    explicit_max_ttl: Span,
    /// What each renewal grants, without an end to them. Needs `sudo`.
    period: Span,
    /// How often it may be used; 0 is unlimited.
    num_uses: i64,
    /// Whether it can be renewed; it can unless told otherwise.
    renewable: Option<bool>,
    /// The kind of token.
    #[serde(rename = "type")]
    kind: String,
    /// Shown wherever the token is shown.
    display_name: String,
    /// Shown wherever the token is shown.
    meta: Option<KeyValues>,
    /// Not supported yet.
    entity_alias: String,
}

pub(super) async fn child(active: &Arc<Active>, call: &Call, p: Create) -> Result<Reply<Value>, Error> {
    let orphan = p.no_parent;
    create(active, call, p, orphan).await
}

/// Whoever may call this may make orphans; only saying `no_parent` as well needs `sudo`, as everywhere.
pub(super) async fn orphan(active: &Arc<Active>, call: &Call, p: Create) -> Result<Reply<Value>, Error> {
    create(active, call, p, true).await
}

async fn create(active: &Arc<Active>, call: &Call, p: Create, orphan: bool) -> Result<Reply<Value>, Error> {
    let parent = active.tokens.living(&caller(call)?.token_id, call.now).await?;
    let parent = parent.ok_or_else(|| Error::invalid("parent token lookup failed: no parent found"))?;
    if parent.num_uses > 0 {
        return Err(Error::invalid("restricted use token cannot generate child tokens"));
    }
    refuse_unbuilt(&p)?;
    let rights = Rights { root: parent.root(), sudo: has_sudo(active, call).await? };
    refuse_without_sudo(&p, rights)?;
    let policies = assigned(&p.policies.0, p.no_default_policy, &parent, rights)?;
    let lifetime = lifetime(&p, call, &policies)?;
    if lifetime.ttl == 0 && parent.expires.is_some() {
        return Err(Error::invalid("expiring root tokens cannot create non-expiring root tokens"));
    }
    let new = NewToken {
        policies,
        display_name: display_name(&p.display_name),
        ttl: lifetime.ttl,
        explicit_max_ttl: p.explicit_max_ttl.seconds("explicit_max_ttl")?,
        period: p.period.seconds("period")?,
        num_uses: u64::try_from(p.num_uses)
            .map_err(|_| Error::invalid("number of uses cannot be negative"))?,
        renewable: p.renewable.unwrap_or(true),
        parent: (!orphan).then(|| parent.id.clone()),
        path: call.full_path(),
        id: custom_id(&p.id)?,
        // Null is as good as absent; an empty object is kept.
        meta: p
            .meta
            .map(|pairs| pairs.0)
            .filter(|_| call.data.get("meta").is_some_and(|meta| !meta.is_null())),
        role: String::new(),
        entity_id: parent.entity_id.clone(),
    };
    let custom = new.id.is_some();
    let (token, entry) = active.tokens.create(new, call.now).await?;
    let mut reply = Reply::token(auth(&entry, token, entry.ttl));
    reply.warnings = warnings(active, &entry, lifetime.warning, custom).await?;
    Ok(reply)
}

/// What is asked for and not built is refused, not dropped.
fn refuse_unbuilt(p: &Create) -> Result<(), Error> {
    match p.kind.as_str() {
        "" | "service" => {}
        "batch" => return Err(Error::invalid("tokens of `type` batch are not supported yet")),
        _ => return Err(Error::invalid("invalid 'token_type' value")),
    }
    if p.entity_alias.is_empty() {
        Ok(())
    } else {
        Err(Error::invalid("`entity_alias` is not supported yet"))
    }
}

fn refuse_without_sudo(p: &Create, rights: Rights) -> Result<(), Error> {
    if rights.root || rights.sudo {
        return Ok(());
    }
    let refuse = |wish| Err(Error::invalid(format!("root or sudo privileges required to {wish}")));
    if p.id.given().is_some() {
        return refuse("specify token id");
    }
    if p.no_parent {
        return refuse("create orphan token");
    }
    if p.period.seconds("period")? > 0 { refuse("create periodic token") } else { Ok(()) }
}

fn lifetime(p: &Create, call: &Call, policies: &[String]) -> Result<Lifetime, Error> {
    let asked = Asked {
        ttl: match p.ttl.seconds("ttl")? {
            0 => p.lease.seconds("lease")?,
            ttl => ttl,
        },
        explicit_max_ttl: p.explicit_max_ttl.seconds("explicit_max_ttl")?,
        period: p.period.seconds("period")?,
        root: policies.iter().any(|name| name == "root"),
    };
    let mount =
        MountTerms { default: call.mount.default_lease.as_secs(), max: call.mount.max_lease.as_secs() };
    Ok(Lifetime::at_creation(asked, mount))
}

/// A chosen id never looks like one that was made.
fn custom_id(id: &ChosenId) -> Result<Option<SecretString>, Error> {
    match id.given() {
        None => Ok(None),
        Some(id) if id.expose().starts_with("s.") => {
            Err(Error::invalid("custom token ID cannot have the 's.' prefix"))
        }
        Some(id) if id.expose().starts_with("hvs.") => {
            Err(Error::invalid("custom token ID cannot have the 'hvs.' prefix"))
        }
        Some(id) if id.expose().contains('.') => {
            Err(Error::invalid("custom token ID cannot have a '.' in the value"))
        }
        Some(id) => Ok(Some(id.clone())),
    }
}

/// Letters, digits and hyphens, behind a word that tells where the token comes from.
fn display_name(asked: &str) -> String {
    if asked.is_empty() {
        return "token".to_owned();
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = asked.chars().map(plain).collect();
    format!("token-{}", name.strip_suffix('-').unwrap_or(&name))
}

async fn warnings(
    active: &Active,
    entry: &TokenEntry,
    capped: Option<String>,
    custom: bool,
) -> Result<Vec<String>, Error> {
    let mut warnings: Vec<String> = capped.into_iter().collect();
    if custom {
        warnings
            .push("a token of your choice can be guessed more easily than one that is made here".to_owned());
    }
    for name in &entry.policies {
        if !active.policies.exists(name).await? {
            warnings.push(format!("Policy \"{name}\" does not exist"));
        }
    }
    Ok(warnings)
}
