//! The policies that are stored, and the compiled ACLs of the policy sets in use.
//!
//! A change holds from the moment it is acknowledged: the committer tells of every written key before it answers, and
//! all compiled ACLs are forgotten then. Knows nothing of tokens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use vestal_logical::{Error, Kind, Timestamp};
use vestal_storage::{Barrier, Changes, Key, Place, Record, Seq, View, Watcher};

use super::{Acl, Policy, defaults};

/// How often a write is decided anew because somebody else wrote the policy meanwhile.
const TRIES: usize = 64;
/// Sets of policies whose compiled form is kept.
const COMPILED: usize = 1024;

/// A policy as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredPolicy {
    /// HCL or JSON.
    pub(crate) text: String,
    /// Counts writes, from 1.
    pub(crate) version: u64,
    pub(crate) modified: Timestamp,
    /// Whether every write must say which version it expects.
    #[serde(default)]
    pub(crate) cas_required: bool,
}

/// A change of a policy. `None` stays as it is.
#[derive(Default)]
pub(crate) struct PolicyChange<'a> {
    /// A text that has been parsed.
    pub(crate) text: Option<&'a str>,
    /// The version that must be there; -1 for no policy.
    pub(crate) cas: Option<i64>,
    pub(crate) cas_required: Option<bool>,
    /// Whether the policy must be there; then saying what is expected is not required.
    pub(crate) patch: bool,
}

impl Record for StoredPolicy {
    const VERSION: u8 = 1;
}

impl PolicyChange<'_> {
    /// Whether what is there is what the writer expects.
    fn check(&self, before: Option<&StoredPolicy>) -> Result<(), Error> {
        let version = before.map_or(0, |policy| policy.version);
        let required = self.cas_required == Some(true) || before.is_some_and(|policy| policy.cas_required);
        match self.cas {
            None if required && !self.patch => {
                Err(Error::invalid("check-and-set parameter required for this call"))
            }
            Some(-1) if before.is_some() => {
                Err(Error::invalid("check-and-set parameter set to -1 on existing entry"))
            }
            Some(-1) | None => Ok(()),
            Some(cas) if u64::try_from(cas) == Ok(version) => Ok(()),
            Some(cas) => Err(Error::invalid(format!(
                "check-and-set parameter {cas} did not match the current version {version}"
            ))),
        }
    }
}

/// All policies.
pub(crate) struct PolicyStore {
    view: View,
    compiled: Arc<Compiled>,
}

/// Compiled ACLs by policy set, all of one generation.
struct Compiled {
    prefix: Key,
    generation: AtomicU64,
    acls: Cache<Vec<String>, (u64, Arc<Acl>)>,
}

impl Watcher for Compiled {
    fn committed(&self, _: Seq, keys: &[Key]) {
        if keys.iter().any(|key| self.prefix.covers(key)) {
            self.generation.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Policies that are not stored.
const ROOT: &str = "root";
const RESPONSE_WRAPPING: &str = "response-wrapping";
const DEFAULT: &str = "default";

impl PolicyStore {
    /// Makes the default policy of a new vault. One that was changed stays as it is.
    pub(crate) async fn open(barrier: &Barrier) -> Result<Arc<Self>, Error> {
        let view = barrier.view(&Place::root().plain("sys").plain("policy"));
        let compiled = Arc::new(Compiled {
            prefix: view.key(&Place::root())?,
            generation: AtomicU64::new(0),
            acls: Cache::new(COMPILED),
        });
        let watcher: Weak<dyn Watcher> = Arc::downgrade(&compiled) as Weak<dyn Watcher>;
        barrier.watch(watcher);
        let store = Arc::new(Self { view, compiled });
        if !store.view.exists(&place(DEFAULT)).await? {
            let policy = StoredPolicy {
                text: defaults::DEFAULT.to_owned(),
                version: 1,
                modified: Timestamp::default(),
                cas_required: false,
            };
            let mut changes = Changes::new();
            changes.put(&store.view, &place(DEFAULT), &policy)?;
            changes.expect_absent(&store.view, &place(DEFAULT))?;
            store.view.commit(changes).await?;
        }
        Ok(store)
    }

    /// What a set of policies allows. Policies that do not exist grant nothing.
    pub(crate) async fn acl(&self, names: &[String]) -> Result<Arc<Acl>, Error> {
        let generation = self.compiled.generation.load(Ordering::SeqCst);
        if let Some((made, acl)) = self.compiled.acls.get(names)
            && made == generation
        {
            return Ok(acl);
        }
        let mut policies = Vec::with_capacity(names.len());
        for name in names {
            policies.extend(self.parsed(name).await?);
        }
        let acl = Arc::new(Acl::compile(&policies));
        // A change between reading and keeping makes this generation an old one, so it is never used again.
        self.compiled.acls.insert(names.to_vec(), (generation, Arc::clone(&acl)));
        Ok(acl)
    }

    async fn parsed(&self, name: &str) -> Result<Option<Arc<Policy>>, Error> {
        match name {
            ROOT => Ok(Some(Arc::new(Policy::root()))),
            _ => {
                let Some(policy) = self.read(name).await? else { return Ok(None) };
                match Policy::parse(name, &policy.text) {
                    Ok(policy) => Ok(Some(Arc::new(policy))),
                    Err(error) => {
                        tracing::error!(%error, "a stored policy cannot be read and grants nothing");
                        Ok(None)
                    }
                }
            }
        }
    }

    /// One policy, by its lower-case name.
    pub(crate) async fn read(&self, name: &str) -> Result<Option<StoredPolicy>, Error> {
        if name == RESPONSE_WRAPPING {
            let text = defaults::RESPONSE_WRAPPING.to_owned();
            return Ok(Some(StoredPolicy {
                text,
                version: 1,
                modified: Timestamp::default(),
                cas_required: false,
            }));
        }
        Ok(self.view.get::<StoredPolicy>(&place(name)).await?.map(|stored| stored.value))
    }

    /// Whether a token that names it gets anything from it.
    pub(crate) async fn exists(&self, name: &str) -> Result<bool, Error> {
        Ok(matches!(name, ROOT | RESPONSE_WRAPPING) || self.view.exists(&place(name)).await?)
    }

    /// Writes a policy. What somebody else wrote meanwhile is looked at again: only who asks for check-and-set hears of it.
    pub(crate) async fn write(
        &self,
        name: &str,
        change: PolicyChange<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        Self::refuse_fixed(name, "update")?;
        for _ in 1..TRIES {
            match self.try_write(name, &change, now).await {
                Err(failure) if failure.kind() == Kind::Conflict => tokio::task::yield_now().await,
                written => return written,
            }
        }
        self.try_write(name, &change, now).await
    }

    async fn try_write(&self, name: &str, change: &PolicyChange<'_>, now: Timestamp) -> Result<(), Error> {
        let stored = self.view.get::<StoredPolicy>(&place(name)).await?;
        let before = stored.as_ref().map(|stored| &stored.value);
        if change.patch && before.is_none() {
            return Err(Error::invalid("policy not found"));
        }
        change.check(before)?;
        let kept = |policy: &StoredPolicy| policy.text.clone();
        let policy = StoredPolicy {
            text: change.text.map(str::to_owned).or_else(|| before.map(kept)).unwrap_or_default(),
            version: before.map_or(0, |policy| policy.version) + 1,
            modified: now,
            cas_required: change
                .cas_required
                .or(before.map(|policy| policy.cas_required))
                .unwrap_or_default(),
        };
        let mut changes = Changes::new();
        changes.put(&self.view, &place(name), &policy)?;
        match stored {
            Some(stored) => changes.expect(&self.view, &place(name), stored.stamp)?,
            None => changes.expect_absent(&self.view, &place(name))?,
        };
        self.view.commit(changes).await?;
        Ok(())
    }

    /// Deletes a policy; nothing there is fine.
    pub(crate) async fn delete(&self, name: &str) -> Result<(), Error> {
        Self::refuse_fixed(name, "delete")?;
        if name == DEFAULT {
            return Err(Error::invalid("cannot delete default policy"));
        }
        let mut changes = Changes::new();
        changes.reserved().delete(&self.view, &place(name))?;
        self.view.commit(changes).await?;
        Ok(())
    }

    /// Policies whose text is ours.
    pub(crate) fn refuse_fixed(name: &str, verb: &str) -> Result<(), Error> {
        if matches!(name, ROOT | RESPONSE_WRAPPING) {
            return Err(Error::invalid(format!("cannot {verb} \"{name}\" policy")));
        }
        Ok(())
    }

    /// The names, sorted, `root` last.
    pub(crate) async fn list(&self) -> Result<Vec<String>, Error> {
        let children = self.view.list(&Place::root()).await?;
        Ok(children.iter().map(vestal_storage::Child::shown).chain([ROOT.to_owned()]).collect())
    }
}

fn place(name: &str) -> Place {
    Place::root().leaf(name)
}
