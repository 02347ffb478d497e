//! `sys/capabilities`, `-self`, `-accessor`: what a token may do with which paths.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use vestal_logical::params::CommaList;
use vestal_logical::{Call, Endpoints, Error, Kind, Reply};

use crate::active::Active;
use crate::token_auth::GivenToken;

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("capabilities", "What another token may do.", |e| {
            e.write(of_token, "Tell what a token may do with paths.")
        })
        .at("capabilities-self", "What the caller may do.", |e| {
            e.write(of_self, "Tell what the caller may do with paths.")
        })
        .at("capabilities-accessor", "What a token may do, by its accessor.", |e| {
            e.write(of_accessor, "Tell what a token may do with paths.")
        })
}

/// Which token and which paths.
#[derive(Deserialize, JsonSchema)]
struct Ask {
    /// The token.
    #[serde(default)]
    token: GivenToken,
    /// The paths.
    paths: Option<CommaList>,
    /// An old name of `paths`.
    path: Option<CommaList>,
}

/// Which paths.
#[derive(Deserialize, JsonSchema)]
struct AskOfSelf {
    /// Not looked at: the caller's own is meant.
    #[serde(default, rename = "token")]
    #[schemars(with = "GivenToken")]
    _token: IgnoredAny,
    /// The paths.
    paths: Option<CommaList>,
    /// An old name of `paths`.
    path: Option<CommaList>,
}

/// Which token, by its accessor, and which paths.
#[derive(Deserialize, JsonSchema)]
struct AskByAccessor {
    /// The accessor of a token.
    accessor: Option<String>,
    /// The paths.
    paths: Option<CommaList>,
    /// An old name of `paths`.
    path: Option<CommaList>,
}

/// Those of the new field, or of the old one when that names none.
fn asked(new: Option<CommaList>, old: Option<CommaList>) -> Result<Vec<String>, Error> {
    let given = [new, old].into_iter().flatten().map(|list| list.0).find(|list| !list.is_empty());
    let given = given.ok_or_else(|| Error::invalid("paths must be supplied"))?;
    if given.iter().any(String::is_empty) {
        return Err(Error::invalid("missing path").multi());
    }
    Ok(given)
}

/// A map from each path as it was spelled; and the plain list when there was only one.
async fn tell(active: &Active, policies: &[String], paths: &[String]) -> Result<Reply<Value>, Error> {
    let acl = active.policies.acl(policies).await?;
    let mut told = Map::new();
    for path in paths {
        told.insert(path.clone(), acl.capabilities(path.trim_start_matches('/')).into());
    }
    if let [only] = paths
        && let Some(capabilities) = told.get(only).cloned()
    {
        told.insert("capabilities".to_owned(), capabilities);
    }
    Ok(Reply::data(Value::Object(told)))
}

async fn of_token(active: &Arc<Active>, call: &Call, p: Ask) -> Result<Reply<Value>, Error> {
    // The reference calls this a fault of the server; clients know it as such.
    let token = p.token.given().ok_or_else(|| Error::new(Kind::Internal, "no token found").multi())?;
    let paths = asked(p.paths, p.path)?;
    let entry = active.tokens.peek(token, call.now).await?;
    let entry = entry.ok_or_else(|| Error::invalid("invalid token").multi())?;
    tell(active, &entry.policies, &paths).await
}

async fn of_self(active: &Arc<Active>, call: &Call, p: AskOfSelf) -> Result<Reply<Value>, Error> {
    let paths = asked(p.paths, p.path)?;
    // The pipeline has looked: at its last use the token is dead to everybody else already.
    let caller = call.caller.as_ref().ok_or_else(Error::unauthenticated)?;
    tell(active, &caller.policies, &paths).await
}

async fn of_accessor(active: &Arc<Active>, call: &Call, p: AskByAccessor) -> Result<Reply<Value>, Error> {
    let accessor = p.accessor.filter(|accessor| !accessor.is_empty());
    let accessor = accessor.ok_or_else(|| Error::invalid("missing accessor"))?;
    let entry = active.tokens.by_accessor(&accessor, call.now).await?;
    let entry = entry.ok_or_else(|| Error::invalid("invalid accessor").multi())?;
    tell(active, &entry.policies, &asked(p.paths, p.path)?).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use vestal_logical::Kind;

    use crate::testing::TestVault;

    #[tokio::test]
    async fn a_token_can_ask_about_itself_with_its_last_use() {
        let vault = TestVault::active().await;
        vault
            .policy(
                "asks",
                r#"path "sys/capabilities-self" { capabilities = ["update"] } path "x" { capabilities = ["read"] }"#,
            )
            .await;
        let asked = json!({ "policies": ["asks"], "no_default_policy": true, "num_uses": 1 });
        let token = vault.write("auth/token/create", asked).as_root().send().await.token();
        let told = vault.write("sys/capabilities-self", json!({ "paths": ["x"] })).by(&token).send().await;
        assert_eq!(told.data()["x"], json!(["read"]));
    }

    #[tokio::test]
    async fn a_null_token_is_none_and_that_of_the_caller_is_not_looked_at() {
        let vault = TestVault::active().await;
        for token in [json!(null), json!(0), json!("nobody's"), json!([])] {
            let ask = json!({ "token": token, "paths": ["x"] });
            let told = vault.write("sys/capabilities-self", ask).as_root().send().await;
            assert_eq!(told.data()["x"], json!(["root"]), "{token}");
            assert!(told.warnings().is_empty());
        }
        let ask = json!({ "token": null, "paths": ["x"] });
        let told = vault.write("sys/capabilities", ask).as_root().send().await;
        assert_eq!(told.failure(), (Kind::Internal, "1 error occurred:\n\t* no token found\n\n".to_owned()));
    }
}
