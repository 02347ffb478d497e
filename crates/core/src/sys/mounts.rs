//! `sys/mounts` and `sys/auth`: what is mounted where.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use serde_json::{Map, Value};
use vestal_logical::params::{CommaList, KeyValues, Members, NoFields, Seconds};
use vestal_logical::{Call, Endpoints, Error, Operation, Reply};

use crate::active::Active;
use crate::mounts::{Class, MountConfig, MountEntry, NewMount, Tuning, canonical, checked_visibility};

pub(crate) fn endpoints() -> Endpoints<Active> {
    Endpoints::new()
        .at("mounts", "All secrets engines.", |e| e.read(list_secret, "List what is mounted."))
        .at("mounts/{*path}", "One secrets engine, or its tuning below `/tune`.", |e| {
            e.read(read_secret, "Show a mount, or its tuning.")
                .write(write_secret, "Enable a secrets engine, or tune one.")
                .delete(delete_secret, "Disable a secrets engine and delete its records.")
        })
        .at("auth", "All authentication methods.", |e| e.read(list_auth, "List what is enabled."))
        .at("auth/{*path}", "One authentication method, or its tuning below `/tune`.", |e| {
            e.read(read_auth, "Show a method, or its tuning.")
                .write(write_auth, "Enable a method, or tune one.")
                .delete(delete_auth, "Disable a method.")
                .sudo_for(Operation::Read)
                .sudo_for(Operation::Update)
                .sudo_for(Operation::Delete)
        })
}

async fn list(active: &Active, class: Class) -> Result<Reply<Map<String, Value>>, Error> {
    let mut shown = Map::new();
    for entry in active.mounts.entries(class) {
        shown.insert(entry.path.clone(), serde_json::to_value(entry.shown()).map_err(Error::internal)?);
    }
    Ok(Reply::data(shown))
}

async fn list_secret(
    active: &Arc<Active>,
    _: &Call,
    _: NoFields,
) -> Result<Reply<Map<String, Value>>, Error> {
    list(active, Class::Secret).await
}

async fn list_auth(active: &Arc<Active>, _: &Call, _: NoFields) -> Result<Reply<Map<String, Value>>, Error> {
    list(active, Class::Auth).await
}

/// The path in the URL; everything else is in the body.
#[derive(Deserialize, JsonSchema)]
struct AtPath {
    /// Where the mount is.
    path: String,
}

/// What a path below `mounts/` names: a mount, or the tuning of one. `mounts/auth/x/tune` is the tuning of a method.
enum Named {
    Mount(Class, String),
    Tuning(Class, String),
}

fn named(class: Class, path: &str) -> Named {
    let trimmed = path.trim_end_matches('/');
    match trimmed.strip_suffix("/tune") {
        None => Named::Mount(class, canonical(trimmed)),
        Some(mount) => match mount.strip_prefix("auth/") {
            Some(method) if class == Class::Secret => Named::Tuning(Class::Auth, canonical(method)),
            _ => Named::Tuning(class, canonical(mount)),
        },
    }
}

/// The mount at a path, or around it; methods are also asked for as `mounts/auth/x`.
async fn find(active: &Active, class: Class, path: &str) -> Result<MountEntry, Error> {
    if let (Class::Secret, Some(method)) = (class, path.strip_prefix("auth/"))
        && let Some(entry) = active.mounts.entry_around(Class::Auth, method)
    {
        return Ok(entry);
    }
    let missing = match class {
        Class::Secret => format!("No secret engine mount at {path}"),
        Class::Auth => format!("No auth engine at {path}"),
    };
    active.mounts.entry_around(class, path).ok_or_else(|| Error::invalid(missing))
}

async fn find_tuning(active: &Active, class: Class, path: &str) -> Result<Map<String, Value>, Error> {
    let missing = || Error::invalid(format!("cannot fetch sysview for path \"{}{path}\"", class.prefix()));
    let entry = active.mounts.entry_around(class, path).ok_or_else(missing)?;
    Ok(tuned(active, &entry))
}

async fn read(active: &Active, class: Class, path: &str) -> Result<Reply<Value>, Error> {
    let shown = match named(class, path) {
        Named::Mount(class, path) => serde_json::to_value(find(active, class, &path).await?.shown()),
        Named::Tuning(class, path) => Ok(Value::Object(find_tuning(active, class, &path).await?)),
    };
    shown.map(Reply::data).map_err(Error::internal)
}

async fn read_secret(active: &Arc<Active>, _: &Call, p: AtPath) -> Result<Reply<Value>, Error> {
    read(active, Class::Secret, &p.path).await
}

async fn read_auth(active: &Arc<Active>, _: &Call, p: AtPath) -> Result<Reply<Value>, Error> {
    read(active, Class::Auth, &p.path).await
}

/// What can be tuned, with effective times.
fn tuned(active: &Active, entry: &MountEntry) -> Map<String, Value> {
    let (_, max_lease) = active.mounts.lease_times(entry);
    let config = &entry.config;
    // A smaller maximum cuts what leases get, not what is shown here.
    let usual = active.parts.settings.default_lease.as_secs();
    let default_lease = if config.default_lease_ttl > 0 { config.default_lease_ttl } else { usual };
    let mut shown = Map::new();
    let mut show = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            shown.insert(name.to_owned(), value);
        }
    };
    show("default_lease_ttl", Some(default_lease.into()));
    show("max_lease_ttl", Some(max_lease.into()));
    show("force_no_cache", Some(config.force_no_cache.into()));
    show("description", Some(entry.description.clone().into()));
    let options = entry.options.iter().filter(|options| !options.is_empty());
    show("options", options.map(|options| serde_json::json!(options)).next());
    show("audit_non_hmac_request_keys", config.audit_non_hmac_request_keys.clone().map(Into::into));
    show("audit_non_hmac_response_keys", config.audit_non_hmac_response_keys.clone().map(Into::into));
    show("passthrough_request_headers", config.passthrough_request_headers.clone().map(Into::into));
    show("allowed_response_headers", config.allowed_response_headers.clone().map(Into::into));
    show("listing_visibility", config.listing_visibility.clone().map(Into::into));
    show("token_type", config.token_type.clone().map(Into::into));
    show("external_entropy_access", entry.external_entropy_access.then(|| true.into()));
    shown
}

/// Fields of enabling and of tuning: the path tells which it is.
#[derive(Deserialize, JsonSchema)]
struct Write {
    /// Where the mount is, or is to be.
    path: String,
    /// The kind of engine, when enabling.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Said of the mount in listings.
    description: Option<String>,
    /// Settings of a new mount, as an object.
    config: Option<Members>,
    /// Options of the engine, such as `version`.
    options: Option<Value>,
    /// Kept and shown; there is no replication here.
    #[serde(default)]
    local: bool,
    /// Kept and shown; every record is sealed anyway.
    #[serde(default)]
    seal_wrap: bool,
    /// Kept and shown.
    #[serde(default)]
    external_entropy_access: bool,
    /// An old name of `type`.
    plugin_name: Option<String>,
    /// Accepted when empty: engines have no versions of their own here.
    plugin_version: Option<String>,
    /// What a lease gets that asks for nothing.
    default_lease_ttl: Option<String>,
    /// What no lease may exceed.
    max_lease_ttl: Option<String>,
    /// Whether the mount is listed without a token.
    listing_visibility: Option<String>,
    /// Fields of requests that audit leaves readable.
    audit_non_hmac_request_keys: Option<CommaList>,
    /// Fields of responses that audit leaves readable.
    audit_non_hmac_response_keys: Option<CommaList>,
    /// Kept and shown.
    passthrough_request_headers: Option<CommaList>,
    /// Kept and shown.
    allowed_response_headers: Option<CommaList>,
    /// The kind of token that logins give out.
    token_type: Option<String>,
    /// Accepted when empty; lockout is not built yet.
    user_lockout_config: Option<Members>,
}

/// `config` of a new mount; the same names as tuning has.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    default_lease_ttl: LeaseTime,
    max_lease_ttl: LeaseTime,
    force_no_cache: bool,
    listing_visibility: Option<String>,
    audit_non_hmac_request_keys: Option<CommaList>,
    audit_non_hmac_response_keys: Option<CommaList>,
    passthrough_request_headers: Option<CommaList>,
    allowed_response_headers: Option<CommaList>,
    token_type: Option<String>,
}

/// Seconds; 0, which is also `system`, is the server's own.
#[derive(Default)]
struct LeaseTime(u64);

impl<'de> Deserialize<'de> for LeaseTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value == "system" {
            return Ok(Self(0));
        }
        Seconds::deserialize(value).map(|seconds| Self(seconds.or(0))).map_err(D::Error::custom)
    }
}

/// Clients send null, or nulls inside, for what they do not set.
fn without_nulls(value: Option<Members>) -> Map<String, Value> {
    let members = value.and_then(|members| members.0).unwrap_or_default();
    members.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

fn options(value: Option<Value>) -> Result<Option<BTreeMap<String, String>>, Error> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let mut field = Map::new();
            field.insert("options".to_owned(), value);
            let read: OptionsField = vestal_logical::decode(field)?;
            Ok(Some(read.options.0))
        }
    }
}

#[derive(Deserialize)]
struct OptionsField {
    options: KeyValues,
}

fn list_of(list: Option<CommaList>) -> Option<Vec<String>> {
    list.map(|list| list.0)
}

/// An empty list of a new mount is none.
fn some_of(list: Option<CommaList>) -> Option<Vec<String>> {
    list_of(list).filter(|list| !list.is_empty())
}

/// A number or an object is no list here, though it is where lists are fields of their own.
fn refuse_what_is_no_list(config: &Map<String, Value>) -> Result<(), Error> {
    let lists = [
        "audit_non_hmac_request_keys",
        "audit_non_hmac_response_keys",
        "passthrough_request_headers",
        "allowed_response_headers",
    ];
    let is_list = |value: &Value| value.is_array() || value.is_string();
    match lists.into_iter().find(|name| config.get(*name).is_some_and(|value| !is_list(value))) {
        Some(name) => Err(Error::invalid(format!(
            "unable to convert given mount config information: `{name}` must be a list"
        ))),
        None => Ok(()),
    }
}

fn new_mount(class: Class, path: String, p: Write) -> Result<NewMount, Error> {
    let named = p.kind.filter(|kind| !kind.is_empty()).or(p.plugin_name.filter(|name| !name.is_empty()));
    let kind = named.ok_or_else(|| Error::invalid("backend type must be specified as a string"))?;
    let config = without_nulls(p.config);
    refuse_what_is_no_list(&config)?;
    let config: Config = vestal_logical::decode(config)?;
    let visibility = config.listing_visibility.map(checked_visibility).transpose()?;
    Ok(NewMount {
        class,
        path,
        kind,
        description: p.description.unwrap_or_default(),
        // Left out, they are shown as an empty object; as null, as null.
        options: p.options.map_or_else(|| Ok(Some(BTreeMap::new())), |given| options(Some(given)))?,
        local: p.local,
        seal_wrap: p.seal_wrap,
        external_entropy_access: p.external_entropy_access,
        config: MountConfig {
            default_lease_ttl: config.default_lease_ttl.0,
            max_lease_ttl: config.max_lease_ttl.0,
            force_no_cache: config.force_no_cache,
            listing_visibility: visibility.filter(|word| !word.is_empty()),
            audit_non_hmac_request_keys: some_of(config.audit_non_hmac_request_keys),
            audit_non_hmac_response_keys: some_of(config.audit_non_hmac_response_keys),
            passthrough_request_headers: some_of(config.passthrough_request_headers),
            allowed_response_headers: some_of(config.allowed_response_headers),
            token_type: config.token_type.filter(|kind| !kind.is_empty()),
        },
    })
}

/// `""` leaves a time as it is, `system` and 0 unset it.
fn lease_time(field: &str, text: Option<String>) -> Result<Option<u64>, Error> {
    match text.as_deref() {
        None | Some("") => Ok(None),
        Some("system") => Ok(Some(0)),
        Some(text) => match vestal_logical::params::duration_text(text) {
            Ok(nanos) if nanos > i64::MAX.into() => {
                Err(Error::invalid(format!("given TTL of `{field}` is invalid: the duration is too long")))
            }
            Ok(nanos) if nanos >= 0 => Ok(u64::try_from(nanos / 1_000_000_000).ok()),
            Ok(_) => Err(Error::invalid(format!("`{field}` cannot be negative"))),
            Err(reason) => Err(Error::invalid(format!("given TTL of `{field}` is invalid: {reason}"))),
        },
    }
}

fn tuning(p: Write) -> Result<Tuning, Error> {
    Ok(Tuning {
        default_lease_ttl: lease_time("default_lease_ttl", p.default_lease_ttl)?,
        max_lease_ttl: lease_time("max_lease_ttl", p.max_lease_ttl)?,
        description: p.description,
        options: options(p.options)?.filter(|options| !options.is_empty()),
        listing_visibility: p.listing_visibility,
        audit_non_hmac_request_keys: list_of(p.audit_non_hmac_request_keys),
        audit_non_hmac_response_keys: list_of(p.audit_non_hmac_response_keys),
        passthrough_request_headers: list_of(p.passthrough_request_headers),
        allowed_response_headers: list_of(p.allowed_response_headers),
        token_type: p.token_type,
    })
}

/// What is asked for and not built is refused, not dropped.
fn refuse_unbuilt(p: &Write) -> Result<(), Error> {
    if p.plugin_version.as_ref().is_some_and(|version| !version.is_empty()) {
        return Err(Error::invalid("`plugin_version` is not supported: engines are built in"));
    }
    if !without_nulls(p.user_lockout_config.clone()).is_empty() {
        return Err(Error::invalid("`user_lockout_config` is not supported yet"));
    }
    Ok(())
}

async fn write(active: &Active, class: Class, p: Write) -> Result<Reply<Value>, Error> {
    refuse_unbuilt(&p)?;
    match named(class, &p.path) {
        Named::Mount(class, path) => {
            active.mounts.enable(new_mount(class, path, p)?).await?;
            Ok(Reply::empty())
        }
        Named::Tuning(class, path) => {
            let reopened = active.mounts.tune(class, &path, tuning(p)?).await?;
            let reply = Reply::empty();
            Ok(if reopened { reply.warn("the engine was opened anew with its new options") } else { reply })
        }
    }
}

async fn write_secret(active: &Arc<Active>, _: &Call, p: Write) -> Result<Reply<Value>, Error> {
    write(active, Class::Secret, p).await
}

async fn write_auth(active: &Arc<Active>, _: &Call, p: Write) -> Result<Reply<Value>, Error> {
    write(active, Class::Auth, p).await
}

async fn delete(active: &Active, class: Class, path: &str) -> Result<Reply<Value>, Error> {
    match named(class, path) {
        Named::Mount(class, path) => {
            active.mounts.disable(class, &path).await?;
            Ok(Reply::empty())
        }
        Named::Tuning(..) => Err(Error::unsupported_operation()),
    }
}

async fn delete_secret(active: &Arc<Active>, _: &Call, p: AtPath) -> Result<Reply<Value>, Error> {
    delete(active, Class::Secret, &p.path).await
}

async fn delete_auth(active: &Arc<Active>, _: &Call, p: AtPath) -> Result<Reply<Value>, Error> {
    delete(active, Class::Auth, &p.path).await
}
