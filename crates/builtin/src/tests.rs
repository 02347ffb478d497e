//! Both kinds of kv as clients see them, on a store in memory and simulated time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};
use vestal_crypto::{Keyring, SeededEntropy};
use vestal_logical::testing::{SimClock, call};
use vestal_logical::{
    Body, Call, Clock as _, Error, HttpTransport, Kind, MountContext, MountPoint, Mounted, Operation,
    OutboundRequest, OutboundResponse, Outcome, Reply, Timestamp, TransportError,
};
use vestal_storage::testing::{Fault, FaultStore};
use vestal_storage::{Barrier, MemoryStore, Physical, Place};

use super::kinds;

mod kept;

struct NoNetwork;

impl HttpTransport for NoNetwork {
    fn send(&self, _: OutboundRequest) -> BoxFuture<'static, Result<OutboundResponse, TransportError>> {
        panic!("kv does not call out")
    }
}

struct Mount {
    barrier: Barrier,
    clock: Arc<SimClock>,
    point: Arc<MountPoint>,
    mounted: Mounted,
}

async fn open(barrier: &Barrier, clock: &Arc<SimClock>, version: &str) -> Mount {
    let options: BTreeMap<_, _> = [("version".to_owned(), version.to_owned())].into();
    let point = Arc::new(MountPoint {
        path: "secret/".into(),
        kind: "kv".into(),
        accessor: "kv_1".into(),
        uuid: "u".into(),
        options: options.clone(),
        default_lease: Duration::from_secs(2_764_800),
        max_lease: Duration::from_secs(2_764_800),
    });
    let context = MountContext {
        view: barrier.view(&Place::root().plain("logical").plain("u")),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(2)),
        http: Arc::new(NoNetwork),
        mount: Arc::clone(&point),
    };
    let kind = kinds().unwrap().into_iter().find(|kind| (kind.serves)(&options)).expect("registered");
    let mounted = kind.open(context).await.expect("opens");
    Mount { barrier: barrier.clone(), clock: clock.clone(), point, mounted }
}

async fn mount(version: &str) -> Mount {
    mount_on(Arc::new(MemoryStore::new()), version).await
}

async fn mount_on(store: Arc<dyn Physical>, version: &str) -> Mount {
    let entropy = Arc::new(SeededEntropy::new(1));
    let epoch = store.leadership().acquire().await.unwrap();
    let keyring = Keyring::generate(entropy.as_ref(), 0);
    let barrier = Barrier::open(store, keyring, epoch, entropy);
    let clock = Arc::new(SimClock::at(Timestamp::from_seconds(1_790_000_000)));
    open(&barrier, &clock, version).await
}

impl Mount {
    async fn ask(&self, operation: Operation, path: &str, data: Value) -> Result<Reply<Value>, Error> {
        let matched = self.mounted.dispatch.find(path).ok_or_else(Error::unsupported_path)?;
        let call = call(&self.point, operation, path, &matched.captures, &data);
        let call = Call { now: self.clock.now(), ..call };
        self.mounted.dispatch.run(&matched, &call).await
    }

    async fn read(&self, path: &str) -> Reply<Value> {
        self.ask(Operation::Read, path, json!({})).await.unwrap()
    }

    async fn list(&self, path: &str) -> Value {
        self.ask(Operation::List, path, json!({})).await.unwrap().body_json()["keys"].clone()
    }

    async fn write(&self, path: &str, data: Value) -> Result<Reply<Value>, Error> {
        self.ask(Operation::Update, path, data).await
    }
}

fn is_missing(reply: &Reply<Value>) -> bool {
    reply.body == Body::Empty
}

#[tokio::test]
async fn kv1_gives_back_what_was_written_and_lists_by_bytes() {
    let kv = mount("1").await;
    let data: Value =
        serde_json::from_str(r#"{"n":12345678901234567890,"f":1.50,"ttl":"1h","deep":{"a":[1,null]}}"#)
            .unwrap();
    kv.write("a/b", data.clone()).await.unwrap();
    let reply = kv.read("a/b").await;
    assert_eq!(serde_json::to_string(&reply.body_json()).unwrap(), serde_json::to_string(&data).unwrap());
    assert_eq!(reply.lease_duration, Duration::from_secs(3600));
    for path in ["a", "a/c", "ab", "A", "é"] {
        kv.write(path, json!({ "path": "mine" })).await.unwrap();
    }
    assert_eq!(
        kv.read("a").await.body_json(),
        json!({ "path": "mine" }),
        "a field called path is the user's own"
    );
    assert_eq!(kv.read("a").await.lease_duration, Duration::from_secs(2_764_800));
    assert_eq!(kv.list("").await, json!(["A", "a", "a/", "ab", "é"]));
    assert_eq!(kv.list("a/").await, json!(["b", "c"]));
    assert!(is_missing(&kv.ask(Operation::List, "none/", json!({})).await.unwrap()));
    assert!(is_missing(&kv.read("a/").await) && is_missing(&kv.read("").await));
    assert_eq!(kv.write("x", json!({})).await.unwrap_err().to_string(), "missing data fields");
    kv.ask(Operation::Delete, "a/b", json!({})).await.unwrap();
    assert!(is_missing(&kv.read("a/b").await));
    assert_eq!(kv.ask(Operation::Patch, "a", json!({})).await.unwrap_err().kind(), Kind::Unsupported);
}

#[tokio::test]
async fn kv2_counts_versions_and_checks_what_writers_expect() {
    let kv = mount("2").await;
    let put = |cas: Value| json!({ "data": { "k": "v" }, "options": { "cas": cas } });
    let mismatch = "check-and-set parameter did not match the current version";
    assert_eq!(kv.write("data/s", put(json!(1))).await.unwrap_err().to_string(), mismatch);
    assert_eq!(kv.write("data/s", put(Value::Null)).await.unwrap().body_json()["version"], 1);
    assert_eq!(kv.write("data/s", put(json!("1"))).await.unwrap().body_json()["version"], 2);
    assert_eq!(kv.write("data/s", put(json!(0))).await.unwrap_err().to_string(), mismatch);
    assert!(kv.write("data/s", put(json!("x"))).await.is_err());
    assert_eq!(kv.write("data/s", json!({})).await.unwrap_err().to_string(), "no data provided");
    assert!(kv.write("data/s", json!({ "data": 5 })).await.is_err());
    let read = kv.ask(Operation::Read, "data/s", json!({ "version": "1" })).await.unwrap().body_json();
    assert_eq!(read["metadata"]["version"], 1);
    kv.write("config", json!({ "cas_required": true })).await.unwrap();
    let required = "check-and-set parameter required for this call";
    assert_eq!(kv.write("data/s", json!({ "data": {} })).await.unwrap_err().to_string(), required);
    let patched = kv.ask(Operation::Patch, "data/s", json!({ "data": {} })).await;
    assert_eq!(patched.unwrap_err().to_string(), required);
}

#[tokio::test]
async fn of_many_writers_who_expect_the_same_version_one_succeeds() {
    let kv = mount("2").await;
    let write = || kv.write("data/s", json!({ "data": {}, "options": { "cas": 0 } }));
    let won = join_all((0..50).map(|_| write())).await.into_iter().flatten().count();
    assert_eq!(won, 1);
    let free = join_all((0..50).map(|_| kv.write("data/t", json!({ "data": {} })))).await;
    let mut numbers: Vec<_> =
        free.into_iter().map(|r| r.unwrap().body_json()["version"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>(), "no number is given twice");
}

#[tokio::test]
async fn deleted_versions_show_their_metadata_and_come_back_unless_destroyed() {
    let kv = mount("2").await;
    for n in 1..=3 {
        kv.write("data/s", json!({ "data": { "n": n } })).await.unwrap();
    }
    kv.ask(Operation::Delete, "data/s", json!({})).await.unwrap();
    let gone = kv.read("data/s").await;
    assert_eq!(gone.outcome, Outcome::Absent);
    assert_eq!(gone.body_json()["data"], Value::Null);
    assert_ne!(gone.body_json()["metadata"]["deletion_time"], "");
    let patched = kv.ask(Operation::Patch, "data/s", json!({ "data": { "x": 1 } })).await.unwrap();
    assert_eq!(patched.outcome, Outcome::Absent);
    kv.write("undelete/s", json!({ "versions": "3" })).await.unwrap();
    assert_eq!(kv.read("data/s").await.body_json()["data"], json!({ "n": 3 }));
    kv.write("delete/s", json!({ "versions": ["1", 2] })).await.unwrap();
    kv.write("destroy/s", json!({ "versions": [1] })).await.unwrap();
    kv.write("undelete/s", json!({ "versions": [1, 2, 99] })).await.unwrap();
    let version = async |n: u64| kv.ask(Operation::Read, "data/s", json!({ "version": n })).await.unwrap();
    assert_eq!(version(1).await.body_json()["metadata"]["destroyed"], true);
    assert_eq!(version(2).await.body_json()["data"], json!({ "n": 2 }));
    assert!(is_missing(&version(99).await));
    assert_eq!(kv.write("delete/s", json!({})).await.unwrap_err().to_string(), "No version number provided");
    for verb in ["delete", "undelete", "destroy"] {
        kv.write(&format!("{verb}/unknown"), json!({ "versions": [1] })).await.unwrap();
    }
}

#[tokio::test]
async fn old_versions_are_cut_at_the_next_write() {
    let kv = mount("2").await;
    for _ in 0..12 {
        kv.write("data/s", json!({ "data": {} })).await.unwrap();
    }
    let shown = kv.read("metadata/s").await.body_json();
    assert_eq!((&shown["oldest_version"], &shown["current_version"]), (&json!(3), &json!(12)));
    kv.write("metadata/s", json!({ "max_versions": 2 })).await.unwrap();
    assert_eq!(kv.read("metadata/s").await.body_json()["versions"].as_object().unwrap().len(), 10);
    kv.write("data/s", json!({ "data": {} })).await.unwrap();
    let shown = kv.read("metadata/s").await.body_json();
    assert_eq!(shown["versions"].as_object().unwrap().keys().collect::<Vec<_>>(), ["12", "13"]);
    assert!(is_missing(&kv.ask(Operation::Read, "data/s", json!({ "version": 11 })).await.unwrap()));
    kv.ask(Operation::Delete, "metadata/s", json!({})).await.unwrap();
    assert!(is_missing(&kv.read("metadata/s").await) && is_missing(&kv.read("data/s").await));
    let again = kv.write("data/s", json!({ "data": {} })).await.unwrap().body_json();
    assert_eq!(again["version"], 1, "numbering restarts");
}

#[tokio::test]
async fn versions_delete_themselves_when_told_to() {
    let kv = mount("2").await;
    kv.write("config", json!({ "delete_version_after": "1h" })).await.unwrap();
    kv.write("metadata/own", json!({ "delete_version_after": "90s" })).await.unwrap();
    for path in ["data/own", "data/mount"] {
        kv.write(path, json!({ "data": {} })).await.unwrap();
    }
    kv.clock.advance(Duration::from_secs(91)).await;
    assert_eq!(kv.read("data/own").await.outcome, Outcome::Absent);
    assert_eq!(kv.read("data/mount").await.outcome, Outcome::Done);
    kv.clock.advance(Duration::from_secs(3600)).await;
    assert_eq!(kv.read("data/mount").await.outcome, Outcome::Absent);
    assert_eq!(kv.read("config").await.body_json()["delete_version_after"], "1h0m0s");
    assert_eq!(kv.read("metadata/own").await.body_json()["delete_version_after"], "1m30s");
    kv.write("config", json!({ "delete_version_after": -1 })).await.unwrap();
    kv.write("data/own", json!({ "data": {} })).await.unwrap();
    assert_eq!(
        kv.read("data/own").await.body_json()["metadata"]["deletion_time"],
        "",
        "off at the mount is off"
    );
    assert_eq!(kv.read("config").await.body_json()["delete_version_after"], "-1s");
    assert!(kv.write("config", json!({ "delete_version_after": "hunter2" })).await.is_err());
    assert!(
        kv.write("metadata/own", json!({ "delete_version_after": "-1s" })).await.is_err(),
        "for mounts only"
    );
}

#[tokio::test]
async fn what_asks_for_no_change_of_metadata_makes_no_secret() {
    let kv = mount("2").await;
    for settings in [json!({}), json!({ "metadata_cas": 7 }), json!({ "unknown": 1 })] {
        kv.write("metadata/s", settings).await.unwrap();
        assert!(is_missing(&kv.read("metadata/s").await));
    }
}

#[tokio::test]
async fn a_patch_of_what_is_deleted_answers_its_metadata() {
    let kv = mount("2").await;
    kv.write("data/s", json!({ "data": { "a": 1 } })).await.unwrap();
    kv.ask(Operation::Delete, "data/s", json!({})).await.unwrap();
    let patched = kv.ask(Operation::Patch, "data/s", json!({ "data": { "b": 2 } })).await.unwrap();
    assert_eq!(patched.outcome, Outcome::Absent);
    assert_eq!(patched.body_json()["version"], 1);
}

#[tokio::test]
async fn the_oldest_version_is_named_once_there_is_no_more_room() {
    let kv = mount("2").await;
    kv.write("metadata/s", json!({ "max_versions": 2 })).await.unwrap();
    for oldest in [0, 1, 2, 3] {
        kv.write("data/s", json!({ "data": {} })).await.unwrap();
        assert_eq!(kv.read("metadata/s").await.body_json()["oldest_version"], oldest);
    }
}

#[tokio::test]
async fn custom_metadata_is_replaced_by_write_and_merged_by_patch() {
    let kv = mount("2").await;
    let custom = async || kv.read("metadata/s").await.body_json()["custom_metadata"].clone();
    let patch = async |data| kv.ask(Operation::Patch, "metadata/s", data).await.unwrap();
    let settings = json!({ "max_versions": 1 });
    assert_eq!(patch(settings).await.outcome, Outcome::Absent, "there is nothing to patch");
    assert_eq!(patch(json!({})).await.outcome, Outcome::Done, "nothing is asked for");
    kv.write("metadata/s", json!({ "custom_metadata": { "a": "1", "b": 2 } })).await.unwrap();
    assert_eq!(custom().await, json!({ "a": "1", "b": "2" }));
    patch(json!({ "custom_metadata": { "a": null, "c": "3" } })).await;
    assert_eq!(custom().await, json!({ "b": "2", "c": "3" }));
    kv.write("metadata/s", json!({ "max_versions": 3 })).await.unwrap();
    assert_eq!(custom().await, json!({ "b": "2", "c": "3" }), "what is left out stays");
    kv.write("metadata/s", json!({ "custom_metadata": {} })).await.unwrap();
    assert_eq!(custom().await, Value::Null);
    for bad in [
        json!({ "a": [] }),
        json!({ "a": "x".repeat(513) }),
        json!({ "k".repeat(129): "v" }),
        json!({ "": "v" }),
        json!("x"),
    ] {
        assert!(kv.write("metadata/s", json!({ "custom_metadata": bad })).await.is_err());
    }
    let many: BTreeMap<_, _> = (0..65).map(|n| (n.to_string(), "x")).collect();
    assert!(kv.write("metadata/s", json!({ "custom_metadata": many })).await.is_err());
    let unread = kv.ask(Operation::Read, "data/s", json!({})).await.unwrap();
    assert!(is_missing(&unread), "metadata alone is no version");
    assert_eq!(kv.read("metadata/s").await.body_json()["current_version"], 0);
}

#[tokio::test]
async fn metadata_can_be_guarded_by_its_own_version() {
    let kv = mount("2").await;
    kv.write("config", json!({ "metadata_cas_required": true })).await.unwrap();
    assert!(kv.write("metadata/s", json!({ "max_versions": 1 })).await.is_err());
    kv.write("metadata/s", json!({ "max_versions": 1, "metadata_cas": 0 })).await.unwrap();
    assert!(kv.write("metadata/s", json!({ "max_versions": 2, "metadata_cas": 0 })).await.is_err());
    kv.write("metadata/s", json!({ "max_versions": 2, "metadata_cas": 1 })).await.unwrap();
    assert_eq!(kv.read("metadata/s").await.body_json()["current_metadata_version"], 2);
}

#[tokio::test]
async fn patching_writes_a_version_that_differs_as_told() {
    let kv = mount("2").await;
    let patch = async |data| kv.ask(Operation::Patch, "data/s", data).await;
    let absent = patch(json!({ "data": { "a": 1 } })).await.unwrap();
    assert!(is_missing(&absent) && absent.outcome == Outcome::Absent);
    kv.write("data/s", json!({ "data": { "a": 1, "b": { "c": 2 } } })).await.unwrap();
    let patched =
        patch(json!({ "data": { "a": null, "b": { "d": 3 } }, "options": { "cas": 1 } })).await.unwrap();
    assert_eq!(patched.body_json()["version"], 2);
    assert_eq!(kv.read("data/s").await.body_json()["data"], json!({ "b": { "c": 2, "d": 3 } }));
}

#[tokio::test]
async fn subkeys_show_the_shape_and_no_value() {
    let kv = mount("2").await;
    kv.write("data/s", json!({ "data": { "a": { "b": { "c": "x" } }, "l": [1], "e": {} } })).await.unwrap();
    let shape = async |query| {
        kv.ask(Operation::Read, "subkeys/s", query).await.unwrap().body_json()["subkeys"].clone()
    };
    assert_eq!(shape(json!({})).await, json!({ "a": { "b": { "c": null } }, "l": null, "e": null }));
    assert_eq!(shape(json!({ "depth": "1" })).await, json!({ "a": null, "l": null, "e": null }));
    assert_eq!(shape(json!({ "depth": 2 })).await, json!({ "a": { "b": null }, "l": null, "e": null }));
}

#[tokio::test]
async fn lists_can_be_paged_and_detailed() {
    let kv = mount("2").await;
    for path in ["a", "b/x", "c", "d"] {
        kv.write(&format!("data/{path}"), json!({ "data": {} })).await.unwrap();
    }
    assert_eq!(kv.list("metadata/").await, json!(["a", "b/", "c", "d"]));
    let page = kv.ask(Operation::List, "metadata/", json!({ "after": "a", "limit": "2" })).await.unwrap();
    assert_eq!(page.body_json()["keys"], json!(["b/", "c"]));
    let page = kv.ask(Operation::List, "metadata/", json!({ "limit": -1 })).await.unwrap();
    assert_eq!(page.body_json()["keys"].as_array().unwrap().len(), 4);
    assert_eq!(kv.list("metadata/b/").await, json!(["x"]));
    let detailed = kv.ask(Operation::List, "detailed-metadata/b/", json!({})).await.unwrap().body_json();
    assert_eq!(detailed["key_info"]["x"]["current_version"], 1);
}

#[tokio::test]
async fn paths_of_kv_without_versions_are_explained() {
    let kv = mount("2").await;
    for (operation, path) in [
        (Operation::Read, "foo"),
        (Operation::Update, "foo/bar"),
        (Operation::List, ""),
        (Operation::Read, ""),
    ] {
        let error = kv.ask(operation, path, json!({})).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
        assert!(
            error.warnings()[0].starts_with("Invalid path for a versioned K/V secrets engine."),
            "{path}"
        );
    }
    for (operation, command) in [
        (Operation::Read, "get"),
        (Operation::List, "list"),
        (Operation::Update, "put"),
        (Operation::Patch, "patch"),
        (Operation::Delete, "delete"),
    ] {
        let error = kv.ask(operation, "foo", json!({})).await.unwrap_err();
        assert!(error.warnings()[0].contains(&format!("'bao kv {command}'")), "{command}");
    }
    for path in ["data", "metadata", "delete", "undelete", "destroy"] {
        let error = kv.ask(Operation::Read, path, json!({})).await.unwrap_err();
        assert!(error.warnings()[0].starts_with("Non-listing operations on the root"), "{path}");
    }
}

#[tokio::test]
async fn secrets_without_versions_get_them_when_the_mount_is_upgraded() {
    let kv1 = mount("1").await;
    for n in 0..150 {
        kv1.write(&format!("d{}/s{n}", n % 3), json!({ "n": n })).await.unwrap();
    }
    let kv2 = open(&kv1.barrier, &kv1.clock, "2").await;
    assert_eq!(kv2.list("metadata/").await, json!(["d0/", "d1/", "d2/"]));
    let read = kv2.read("data/d1/s100").await.body_json();
    assert_eq!((&read["data"], &read["metadata"]["version"]), (&json!({ "n": 100 }), &json!(1)));
    let again = open(&kv1.barrier, &kv1.clock, "2").await;
    assert_eq!(again.read("metadata/d1/s100").await.body_json()["current_version"], 1, "once is enough");
}

/// A secret that is always there must not look gone to whoever reads it while it is written.
#[tokio::test]
async fn a_version_that_is_cut_while_it_is_read_gives_way_to_the_newer_one() {
    let store = FaultStore::in_memory();
    let kv = mount_on(store.clone(), "2").await;
    kv.write("config", json!({ "max_versions": 1 })).await.unwrap();
    kv.write("data/x", json!({ "data": { "n": 1 } })).await.unwrap();
    // The second operation of a read is that of the content.
    store.at(store.operations() + 2, Fault::Hold);
    let (read, ()) = futures::join!(kv.read("data/x"), async {
        store.holding(1).await;
        kv.write("data/x", json!({ "data": { "n": 2 } })).await.unwrap();
        store.let_go();
    });
    assert_eq!(read.body_json()["data"], json!({ "n": 2 }));
}

#[test]
fn generic_is_kv_without_versions() {
    let kinds = kinds().unwrap();
    let served = |version: Option<&str>| {
        let options = version.map(|version| ("version".to_owned(), version.to_owned())).into_iter().collect();
        kinds.iter().filter(|kind| kind.name == "generic").any(|kind| (kind.serves)(&options))
    };
    assert!(served(None));
    assert!(!served(Some("1")) && !served(Some("2")));
}
