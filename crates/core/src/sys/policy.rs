//! `sys/policy` (old) and `sys/policies/acl`: who may do what.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use vestal_logical::params::NoFields;
use vestal_logical::{Call, Endpoints, Error, Reply};

use crate::active::Active;
use crate::policies::store::PolicyStore;
use crate::policies::{Policy, canonical_name};

pub(crate) fn endpoints() -> Endpoints<Active> {
    const ALL: &str = "All policies.";
    const ONE: &str = "One policy.";
    Endpoints::new()
        .at("policy", ALL, |e| e.read(list_old, "List the policies."))
        .at("policy/", ALL, |e| e.list(list_old, "List the policies."))
        .at("policy/{name}", ONE, |e| {
            e.read(read_old, "Show a policy.")
                .write(write, "Write a policy.")
                .delete(delete, "Delete a policy.")
        })
        .at("policies/acl", ALL, |e| e)
        .at("policies/acl/", ALL, |e| e.list(list, "List the policies."))
        .at("policies/acl/{name}", ONE, |e| {
            e.read(read, "Show a policy.").write(write, "Write a policy.").delete(delete, "Delete a policy.")
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
        canonical_name(&self.name)
    }
}

async fn show(active: &Active, name: &str, text_field: &str) -> Result<Reply<Value>, Error> {
    if name == "root" {
        return Ok(Reply::data(json!({ "name": "root", text_field: "" })));
    }
    let Some(policy) = active.policies.read(name).await? else { return Ok(Reply::empty()) };
    Ok(Reply::data(json!({
        "name": name,
        text_field: policy.text,
        "version": policy.version,
        "cas_required": false,
        "modified": policy.modified.to_string(),
    })))
}

async fn read(active: &Arc<Active>, _: &Call, p: Named) -> Result<Reply<Value>, Error> {
    show(active, &p.name(), "policy").await
}

async fn read_old(active: &Arc<Active>, _: &Call, p: Named) -> Result<Reply<Value>, Error> {
    show(active, &p.name(), "rules").await
}

/// A policy's text.
#[derive(Deserialize, JsonSchema)]
struct Write {
    /// Its name; letter case does not count.
    name: String,
    /// The rules, in HCL or JSON, or base64 of either.
    policy: Option<String>,
    /// An old name of `policy`.
    rules: Option<String>,
    /// The version that must be there; 0 for none.
    cas: Option<u64>,
}

async fn write(active: &Arc<Active>, call: &Call, p: Write) -> Result<Reply<Value>, Error> {
    let name = canonical_name(&p.name);
    if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(Error::invalid("policy names are made of printable characters without blanks"));
    }
    let old = p.policy.is_none() && p.rules.is_some();
    let text = p.policy.or(p.rules).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Error::invalid("'policy' parameter not supplied or empty"))?;
    PolicyStore::refuse_fixed(&name, "update")?;
    let refused = |error| Error::invalid(format!("failed to parse policy: {error}"));
    let policy = Policy::parse(&name, &text).map_err(refused)?;
    active.policies.write(&name, policy.text(), p.cas, call.now).await?;
    let reply = Reply::empty();
    Ok(if old { reply.warn("'rules' is deprecated, please use 'policy' instead") } else { reply })
}

async fn delete(active: &Arc<Active>, _: &Call, p: Named) -> Result<Reply<Value>, Error> {
    active.policies.delete(&p.name()).await?;
    Ok(Reply::empty())
}
