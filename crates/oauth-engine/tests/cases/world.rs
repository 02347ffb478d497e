//! A world to test in: a clock that stands still, a store that fails as told, providers in memory, and houses (mounts)
//! that can burn down and be built again on what was durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::AbortHandle;
use vestal_crypto::{Entropy, Keyring, SeededEntropy};
use vestal_logical::testing::{SimClock, settle};
use vestal_logical::{Clock, EngineKind, Error, MountContext, MountPoint, Mounted, Operation, Timestamp};
use vestal_oauth_engine::OAuthApp;
use vestal_storage::testing::FaultStore;
use vestal_storage::{Barrier, MemoryStore, Part, Physical, Place, Record, View};

pub(crate) use crate::door::{Door, Got};
use crate::idp::{Idp, Wire};

pub(crate) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

/// Any record, as JSON.
#[derive(Serialize, Deserialize)]
pub(crate) struct Json(pub(crate) Value);

impl Record for Json {
    const VERSION: u8 = 1;
}

pub(crate) struct World {
    pub(crate) clock: Arc<SimClock>,
    pub(crate) idp: Arc<Idp>,
    disk: Arc<dyn Physical>,
    entropy: Arc<dyn Entropy>,
    keyring: Keyring,
    kind: EngineKind,
}

/// One mount, open.
pub(crate) struct House {
    pub(crate) store: Arc<FaultStore>,
    pub(crate) mounted: Mounted,
    clock: Arc<SimClock>,
    mount: Arc<MountPoint>,
    barrier: Barrier,
    tasks: Vec<AbortHandle>,
}

fn mount_point() -> Arc<MountPoint> {
    Arc::new(MountPoint {
        path: "oauth2/".to_owned(),
        kind: "oauthapp".to_owned(),
        accessor: "oauthapp_1".to_owned(),
        uuid: "u".to_owned(),
        options: BTreeMap::new(),
        default_lease: Duration::from_hours(768),
        max_lease: Duration::from_hours(768),
    })
}

impl World {
    pub(crate) fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new()))
    }

    pub(crate) fn on(disk: Arc<dyn Physical>) -> Self {
        let clock = Arc::new(SimClock::at(START));
        let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(7));
        let keyring = Keyring::generate(entropy.as_ref(), 0);
        let kind = EngineKind::new::<OAuthApp>("oauthapp", |_| true).unwrap();
        Self { idp: Idp::new(&clock), clock, disk, entropy, keyring, kind }
    }

    /// Opens the mount on what is durable, its background work included.
    pub(crate) async fn open(&self) -> House {
        self.open_on(FaultStore::new(Arc::clone(&self.disk))).await.unwrap()
    }

    pub(crate) async fn open_on(&self, store: Arc<FaultStore>) -> Result<House, Error> {
        let mut house = self.open_quiet(store).await?;
        house.start();
        Ok(house)
    }

    /// Opens the mount without its background work.
    pub(crate) async fn open_quiet(&self, store: Arc<FaultStore>) -> Result<House, Error> {
        let epoch = store.leadership().acquire().await?;
        let barrier = Barrier::open(
            Arc::<FaultStore>::clone(&store),
            self.keyring.clone(),
            epoch,
            Arc::clone(&self.entropy),
        );
        let watching = self.look();
        self.idp.observe(Box::new(move || {
            let view = watching.clone();
            Box::pin(async move { view.first(&Place::root().plain("intent")).await.unwrap().is_some() })
        }));
        let mount = mount_point();
        let context = MountContext {
            view: barrier.view(&place()),
            clock: Arc::<SimClock>::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
            http: Arc::new(Wire(Arc::clone(&self.idp))),
            mount: Arc::clone(&mount),
        };
        let mounted = self.kind.open(context).await?;
        Ok(House { store, mounted, clock: Arc::clone(&self.clock), mount, barrier, tasks: Vec::new() })
    }

    /// A store on the same disk.
    pub(crate) fn store(&self) -> Arc<FaultStore> {
        FaultStore::new(Arc::clone(&self.disk))
    }

    /// What is durable, seen past every fault.
    pub(crate) fn look(&self) -> View {
        let barrier = Barrier::open(
            Arc::clone(&self.disk),
            self.keyring.clone(),
            vestal_storage::Epoch(0),
            Arc::clone(&self.entropy),
        );
        barrier.view(&place())
    }

    pub(crate) async fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds)).await;
    }

    /// The stored record of a credential.
    pub(crate) async fn record(&self, name: &str) -> Option<Value> {
        let found = self.look().get::<Json>(&Place::root().plain("cred").leaf(name)).await.unwrap();
        found.map(|found| found.value.0)
    }

    /// All records below a word.
    pub(crate) async fn below(&self, word: &str) -> Vec<Value> {
        let page = self.look().page::<Json>(&Place::root().plain(word), None, 100_000).await.unwrap();
        page.items.into_iter().map(|item| item.value.0).collect()
    }

    /// The entries of an index as (group, instant, id).
    pub(crate) async fn index(&self, word: &str) -> BTreeSet<(String, String, String)> {
        let page = self.look().keys(&Place::root().plain(word), None, 1_000_000).await.unwrap();
        let words =
            |place: &Place| -> Vec<String> {
                let parts = place.parts().iter().skip(1);
                parts
                    .map(|part| {
                        if let Part::Plain(word) = part { word.clone() } else { panic!("a name in an index") }
                    })
                    .collect()
            };
        page.items
            .iter()
            .map(|item| match words(&item.place).as_slice() {
                [group, at, id] => (group.clone(), at.clone(), id.clone()),
                other => panic!("an entry of {} words", other.len()),
            })
            .collect()
    }

    /// Index and records say the same; every intent belongs to a credential, or is a candidate.
    pub(crate) async fn check(&self) {
        let view = self.look();
        let (mut due, mut parked) = (BTreeSet::new(), BTreeSet::new());
        let mut generations = BTreeSet::new();
        let page = view.page::<Json>(&Place::root().plain("cred"), None, 1_000_000).await.unwrap();
        for item in page.items {
            let Json(record) = item.value;
            let id = item.id.unwrap().to_string();
            generations.insert((id.clone(), record["generation"].as_u64().unwrap()));
            let Some(at) = record["due"].as_str() else { continue };
            let at = Timestamp::parse(at).unwrap().index_word();
            let server = Place::root().plain("server").leaf(record["server"].as_str().unwrap());
            let entry = (view.id(&server).unwrap().to_string(), at, id);
            if record["state"].get("Parked").is_some() {
                parked.insert(entry)
            } else {
                due.insert(entry)
            };
        }
        assert_eq!(self.index("due").await, due, "the due index and the records disagree");
        assert_eq!(self.index("parked").await, parked, "the index of the parked and the records disagree");
        let intents = view.page::<Json>(&Place::root().plain("intent"), None, 1_000_000).await.unwrap();
        for item in intents.items {
            let Json(intent) = item.value;
            let id = item.place.word(1).unwrap().to_owned();
            let whose = (id, intent["generation"].as_u64().unwrap());
            assert!(
                intent.get("candidate").is_some() || generations.contains(&whose),
                "an intent belongs to nobody"
            );
        }
    }

    /// The calls for one host, as (grant, token, fate).
    pub(crate) fn told(&self, host: &str) -> Vec<(String, String, String)> {
        let ledger = self.idp.ledger().into_iter().filter(|one| one.host == host);
        ledger.map(|one| (one.grant, one.token, one.fate)).collect()
    }
}

fn place() -> Place {
    Place::root().plain("logical").plain("u")
}

impl House {
    fn start(&mut self) {
        for task in self.mounted.tasks() {
            self.tasks.push(tokio::spawn((task.start)()).abort_handle());
        }
    }

    /// What the mount may write.
    pub(crate) fn view(&self) -> View {
        self.barrier.view(&place())
    }

    pub(crate) fn door(&self) -> Door {
        Door { mounted: self.mounted.clone(), clock: Arc::clone(&self.clock), mount: Arc::clone(&self.mount) }
    }

    /// A server `name` whose provider is the one at `host`.
    pub(crate) async fn server(&self, name: &str, host: &str, options: Value) {
        self.try_server(name, host, options).await.empty();
    }

    pub(crate) async fn try_server(&self, name: &str, host: &str, options: Value) -> Got {
        let mut all = json!({ "token_url": format!("https://{host}/token"), "auth_style": "in_header" });
        if let Value::Object(more) = options {
            all.as_object_mut().unwrap().extend(more);
        }
        let server = json!({
            "client_id": "abc", "client_secret": "def", "provider": "custom", "provider_options": all,
        });
        self.door().write(&format!("servers/{name}"), server).await
    }

    pub(crate) async fn config(&self, config: Value) {
        self.door().write("config", config).await.empty();
        settle().await;
    }

    /// Connects a credential by a fresh code.
    pub(crate) async fn connect(&self, name: &str, server: &str) {
        self.connect_with(name, json!({ "server": server })).await;
    }

    pub(crate) async fn connect_with(&self, name: &str, fields: Value) {
        static FRESH: AtomicU64 = AtomicU64::new(0);
        let mut all = json!({ "code": format!("code {}", FRESH.fetch_add(1, Ordering::Relaxed)) });
        all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.write(name, all).await.empty();
    }

    pub(crate) async fn write(&self, name: &str, data: Value) -> Got {
        self.door().write(&format!("creds/{name}"), data).await
    }

    pub(crate) async fn read(&self, name: &str) -> Got {
        self.door().read(name).await
    }

    pub(crate) async fn read_min(&self, name: &str, seconds: u64) -> Got {
        self.door().read_min(name, seconds).await
    }

    pub(crate) async fn call(&self, operation: Operation, path: &str, data: Value) -> Got {
        self.door().call(operation, path, data).await
    }

    /// The process dies.
    pub(crate) async fn crash(self) {
        self.store.crash();
        self.barrier.empty();
        for task in &self.tasks {
            task.abort();
        }
        settle().await;
    }

    /// The mount is closed in order, with that many seconds for it.
    pub(crate) async fn close(self, seconds: u64) {
        for task in &self.tasks {
            task.abort();
        }
        let deadline = self.clock.now().plus(Duration::from_secs(seconds));
        self.mounted.close(deadline).await;
        self.barrier.empty();
    }
}
