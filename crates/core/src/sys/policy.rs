//! `sys/policy` (old) and `sys/policies/acl`: who may do what.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use vestal_logical::params::{NoFields, Seconds};
use vestal_logical::{Call, Endpoints, Error, Reply};

use crate::active::Active;
use crate::policies::store::{PolicyChange, PolicyStore};
use crate::policies::{Policy, canonical_name};

pub(crate) fn endpoints() -> Endpoints<Active> {
    const ALL: &str = "All policies.";
    const ONE: &str = "One policy.";
    Endpoints::new()
        .at("policy", ALL, |e| e.read(list_old, "List the policies."))
        .at("policy/", ALL, |e| e.list(list_old, "List the policies.").read(list_old, "List the policies."))
        .at("policy/{*name}", ONE, |e| {
            e.declares::<Rules>()
                .read(read_old, "Show a policy.")
                .write(write_old, "Write a policy.")
                .delete(delete, "Delete a policy.")
        })
        .at("policies/acl", ALL, |e| e)
        .at("policies/acl/", ALL, |e| e.list(list, "List the policies."))
        .at("policies/acl/{*name}", ONE, |e| {
            e.read(read, "Show a policy.")
                .write(write, "Write a policy.")
                .patch(patch, "Change what is given of a policy.")
                .delete(delete, "Delete a policy.")
                .list(nothing_below, "Nothing lies below a policy.")
        })
}

async fn list(active: &Arc<Active>, _: &Call, _: NoFields) -> Result<Reply<Value>, Error> {
    Ok(Reply::data(json!({ "keys": active.policies.list().await? })))
}

async fn list_old(active: &Arc<Active>, _: &Call, _: NoFields) -> Result<Reply<Value>, Error> {
    let names = active.policies.list().await?;
    Ok(Reply::data(json!({ "keys": names, "policies": names })))
}

/// Which policy.
#[derive(Deserialize, JsonSchema)]
struct Named {
    /// Its name; letter case does not count.
    name: String,
}

impl Named {
    fn name(&self) -> String {
        canonical_name(self.name.trim_end_matches('/'))
    }
}

async fn nothing_below(_: &Arc<Active>, _: &Call, _: Named) -> Result<Reply<Value>, Error> {
    Ok(Reply::empty())
}

async fn show(active: &Active, name: &str, text_field: &str) -> Result<Reply<Value>, Error> {
    let mut shown = json!({
        "name": name,
        text_field: "",
        "version": 0,
        "cas_required": false,
        "allow_slashes_in_identity_templates": false,
        "allow_wildcards_in_identity_templates": false,
    });
    if name == "root" {
        return Ok(Reply::data(shown));
    }
    let Some(policy) = active.policies.read(name).await? else { return Ok(Reply::empty()) };
    if let Value::Object(members) = &mut shown {
        members.insert(text_field.to_owned(), policy.text.into());
        members.insert("version".to_owned(), policy.version.into());
        members.insert("cas_required".to_owned(), policy.cas_required.into());
        members.insert("modified".to_owned(), policy.modified.to_string().into());
    }
    Ok(Reply::data(shown))
}

async fn read(active: &Arc<Active>, _: &Call, p: Named) -> Result<Reply<Value>, Error> {
    show(active, &p.name(), "policy").await
}

async fn read_old(active: &Arc<Active>, _: &Call, p: Named) -> Result<Reply<Value>, Error> {
    show(active, &p.name(), "rules").await
}

/// What is to be written of a policy.
#[derive(Deserialize, JsonSchema)]
struct Write {
    /// Its name; letter case does not count.
    name: String,
    /// The rules, in HCL or JSON, or base64 of either.
    policy: Option<String>,
    /// The version that must be there; -1 for no policy.
    cas: Option<i64>,
    /// Whether every write must say which version it expects.
    cas_required: Option<bool>,
    /// When it ceases to grant anything. Not supported yet.
    #[serde(default)]
    expiration: String,
    /// How long it grants anything. Not supported yet.
    #[serde(default)]
    ttl: Seconds,
    /// Whether names in templates may hold slashes. Not supported yet.
    #[serde(default)]
    allow_slashes_in_identity_templates: bool,
    /// Whether names in templates may hold wildcards. Not supported yet.
    #[serde(default)]
    allow_wildcards_in_identity_templates: bool,
}

/// What the old path takes besides.
#[derive(Deserialize, JsonSchema)]
struct Rules {
    /// An old name of `policy`.
    #[expect(dead_code, reason = "declared and converted; a write takes it from its call")]
    rules: Option<String>,
}

/// What is asked for and not built is refused, not dropped.
fn refuse_unbuilt(p: &Write) -> Result<(), Error> {
    let asked = [
        ("expiration", !p.expiration.is_empty()),
        ("ttl", p.ttl.or(0) > 0),
        ("allow_slashes_in_identity_templates", p.allow_slashes_in_identity_templates),
        ("allow_wildcards_in_identity_templates", p.allow_wildcards_in_identity_templates),
    ];
    match asked.iter().find(|(_, asked)| *asked) {
        Some((field, _)) => Err(Error::invalid(format!("`{field}` of a policy is not supported yet"))),
        None => Ok(()),
    }
}

async fn store(active: &Active, call: &Call, p: Write, patch: bool) -> Result<(), Error> {
    let name = canonical_name(p.name.trim_end_matches('/'));
    if name.is_empty() || name.contains(char::is_control) {
        return Err(Error::invalid("policy names are made of printable characters"));
    }
    refuse_unbuilt(&p)?;
    let text = p.policy.filter(|text| !text.is_empty());
    if text.is_none() && !patch {
        return Err(Error::invalid("'policy' parameter not supplied or empty"));
    }
    PolicyStore::refuse_fixed(&name, "update")?;
    let refused = |error| Error::invalid(format!("failed to parse policy: {error}"));
    let policy = text.map(|text| Policy::parse(&name, &text)).transpose().map_err(refused)?;
    let change = PolicyChange {
        text: policy.as_ref().map(Policy::text),
        cas: p.cas,
        cas_required: p.cas_required,
        patch,
    };
    active.policies.write(&name, change, call.now).await
}

async fn write(active: &Arc<Active>, call: &Call, p: Write) -> Result<Reply<Value>, Error> {
    store(active, call, p, false).await?;
    Ok(Reply::empty())
}

async fn write_old(active: &Arc<Active>, call: &Call, mut p: Write) -> Result<Reply<Value>, Error> {
    let old = if p.policy.is_none() { call.data.get("rules") } else { None };
    p.policy = p.policy.or_else(|| old.and_then(Value::as_str).map(str::to_owned));
    store(active, call, p, false).await?;
    let reply = Reply::empty();
    Ok(match old {
        Some(_) => reply.warn("'rules' is deprecated, please use 'policy' instead"),
        None => reply,
    })
}

/// Answers an envelope without data, as the reference does.
async fn patch(active: &Arc<Active>, call: &Call, p: Write) -> Result<Reply<Value>, Error> {
    store(active, call, p, true).await?;
    Ok(Reply::data(Value::Null))
}

async fn delete(active: &Arc<Active>, _: &Call, p: Named) -> Result<Reply<Value>, Error> {
    active.policies.delete(&p.name()).await?;
    Ok(Reply::empty())
}
