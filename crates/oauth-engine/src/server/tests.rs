//! Tests of the registry: what is handed out after writes, deletions, lessons and failures.

use vestal_crypto::{Keyring, SeededEntropy};
use vestal_logical::testing::SimClock;
use vestal_logical::{HttpTransport, MountPoint};
use vestal_storage::testing::{Fault, FaultStore, Target};
use vestal_storage::{Barrier, MemoryStore, Physical};

use super::*;
use crate::config::ConfigStore;
use crate::providers::{AuthStyle, Rotation};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

struct Nothing;

impl HttpTransport for Nothing {
    fn send(
        &self,
        _: vestal_logical::OutboundRequest,
    ) -> futures::future::BoxFuture<
        'static,
        Result<vestal_logical::OutboundResponse, vestal_logical::TransportError>,
    > {
        panic!("nothing here uses the network")
    }
}

async fn context() -> (Arc<FaultStore>, MountContext) {
    let entropy = Arc::new(SeededEntropy::new(5));
    let store = FaultStore::new(Arc::new(MemoryStore::new()));
    let epoch = store.leadership().acquire().await.unwrap();
    let keyring = Keyring::generate(entropy.as_ref(), 0);
    let physical: Arc<dyn Physical> = Arc::<FaultStore>::clone(&store);
    let barrier = Barrier::open(physical, keyring, epoch, Arc::<SeededEntropy>::clone(&entropy));
    let mount = MountPoint {
        path: "oauth2/".to_owned(),
        kind: "oauthapp".to_owned(),
        accessor: String::new(),
        uuid: "u".to_owned(),
        options: BTreeMap::new(),
        default_lease: std::time::Duration::ZERO,
        max_lease: std::time::Duration::ZERO,
    };
    let context = MountContext {
        view: barrier.view(&Place::root().plain("u")),
        clock: Arc::new(SimClock::at(NOW)),
        entropy,
        http: Arc::new(Nothing),
        mount: Arc::new(mount),
    };
    (store, context)
}

fn draft(url: &str) -> Draft {
    Draft {
        client_id: "abc".to_owned(),
        client_secrets: vec!["s3cret".into()],
        auth_url_params: None,
        kind: ProviderKind::Custom,
        provider: "custom".to_owned(),
        provider_options: [("token_url".to_owned(), url.to_owned())].into(),
    }
}

const LESSON: Lesson = Lesson { style: Some(AuthStyle::InParams), reusable: true, rotates: false };

#[tokio::test]
async fn a_server_is_built_once_until_it_is_written_or_deleted() {
    let (_, context) = context().await;
    let servers = Servers::open(&context).await.unwrap();
    servers.write("a", draft("https://one.example/t"), NOW).await.unwrap();
    let first = servers.get("a").await.unwrap();
    assert!(Arc::ptr_eq(&first, &servers.get("a").await.unwrap()));
    assert_eq!((first.name.as_str(), first.provider.origin()), ("a", "https://one.example"));
    assert_eq!(first.id, servers.id("a").unwrap());

    servers.write("a", draft("https://two.example/t"), NOW).await.unwrap();
    let second = servers.get("a").await.unwrap();
    assert_eq!(second.provider.origin(), "https://two.example");
    assert_ne!(second.revision, first.revision);
    assert_eq!(second.id, first.id);

    servers.delete("a").await.unwrap();
    assert!(matches!(servers.get("a").await, Err(ServerProblem::Missing)));
    servers.write("a", draft("https://two.example/t"), NOW).await.unwrap();
    assert_ne!(
        servers.get("a").await.unwrap().revision,
        second.revision,
        "the same settings are another server"
    );
}

#[tokio::test]
async fn a_lesson_is_kept_across_restarts_for_that_revision_only() {
    let (_, context) = context().await;
    let servers = Servers::open(&context).await.unwrap();
    servers.write("a", draft("https://one.example/t"), NOW).await.unwrap();
    let server = servers.get("a").await.unwrap();
    assert_eq!(server.provider.rotation(), Rotation::Unknown);
    servers.learn(&server, LESSON).await;
    for servers in [&servers, &Servers::open(&context).await.unwrap()] {
        let taught = servers.get("a").await.unwrap();
        assert_eq!((taught.provider.rotation(), taught.revision), (Rotation::Reusable, server.revision));
        assert_eq!(servers.read("a").await.unwrap().unwrap().lesson, LESSON);
    }
    // A token that was replaced but once makes all of them doubtful again.
    servers.learn(&server, Lesson { rotates: true, ..Lesson::default() }).await;
    assert_eq!(servers.get("a").await.unwrap().provider.rotation(), Rotation::Unknown);
    let lesson = Lesson { rotates: true, ..LESSON };
    // Less news does not undo more.
    let stamp = servers.read("a").await.unwrap().unwrap().stamp;
    servers.learn(&server, Lesson { style: None, reusable: false, rotates: false }).await;
    let record = servers.read("a").await.unwrap().unwrap();
    assert_eq!((record.lesson, record.stamp), (lesson, stamp), "nothing is written for nothing new");

    servers.write("a", draft("https://one.example/t"), NOW).await.unwrap();
    servers.learn(&server, LESSON).await;
    assert_eq!(
        servers.read("a").await.unwrap().unwrap().lesson,
        Lesson::default(),
        "that was about another revision"
    );
    servers.delete("a").await.unwrap();
    servers.learn(&server, LESSON).await;
    assert!(servers.read("a").await.unwrap().is_none());
}

#[tokio::test]
async fn a_store_that_fails_is_no_missing_server_and_a_failed_write_leaves_the_old_one() {
    let (store, context) = context().await;
    let servers = Servers::open(&context).await.unwrap();
    servers.write("a", draft("https://one.example/t"), NOW).await.unwrap();
    servers.get("a").await.unwrap();
    store.next(Target::Commit, Fault::Refuse);
    let failure = servers.write("a", draft("https://two.example/t"), NOW).await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Unavailable);
    assert_eq!(servers.get("a").await.unwrap().provider.origin(), "https://one.example");
    store.next(Target::Commit, Fault::Undetermined { written: true });
    let failure = servers.write("a", draft("https://three.example/t"), NOW).await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Internal);
    assert_eq!(
        servers.get("a").await.unwrap().provider.origin(),
        "https://three.example",
        "it took place after all"
    );
    store.next(Target::Read, Fault::Refuse);
    assert!(matches!(servers.get("b").await, Err(ServerProblem::Storage(StorageError::Unavailable(_)))));
    context.view.barrier().empty();
    let sealed = servers.get("b").await;
    assert!(matches!(sealed, Err(ServerProblem::Storage(StorageError::Sealed))));
    assert!(matches!(sealed.err().unwrap().into_error("b").kind(), Kind::Sealed));
}

#[tokio::test]
async fn a_stored_server_that_cannot_be_built_says_why() {
    let (_, context) = context().await;
    let servers = Servers::open(&context).await.unwrap();
    servers.write("a", draft("https://one.example/t"), NOW).await.unwrap();
    let mut record = servers.read("a").await.unwrap().unwrap().value;
    record.provider_version = 9;
    let mut changes = Changes::new();
    changes.put(&context.view, &place("b"), &record).unwrap();
    context.view.commit(changes).await.unwrap();
    let problem = servers.get("b").await.err().unwrap();
    let error = problem.into_error("b");
    assert_eq!(error.text(), "server \"b\" has configuration problems: version not supported");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(!format!("{record:?}").contains("s3cret"));
}

#[tokio::test]
async fn row_048_more_servers_than_are_kept_ready_still_work() {
    let (_, context) = context().await;
    let servers = Servers::open(&context).await.unwrap();
    for n in 0..=READY {
        let name = n.to_string();
        servers.write(&name, draft("https://one.example/t"), NOW).await.unwrap();
        servers.get(&name).await.unwrap();
    }
    assert!(servers.ready().servers.len() <= READY);
    assert_eq!(servers.get("0").await.unwrap().name, "0");
    assert_eq!(servers.names().await.unwrap().len(), READY + 1);
}

#[tokio::test]
async fn row_049_the_configuration_is_kept_until_it_changes_and_its_absence_is_not() {
    let (_, context) = context().await;
    let (ours, other) =
        (ConfigStore::open(&context).await.unwrap(), ConfigStore::open(&context).await.unwrap());
    assert_eq!(ours.stored().await.unwrap(), None);
    assert_eq!(*ours.current().await.unwrap(), Config::default());
    let named = |name: &str| Config { default_server: name.to_owned(), ..Config::default() };
    other.write(&named("first")).await.unwrap();
    let first = ours.stored().await.unwrap().unwrap();
    assert_eq!(*first, named("first"));
    assert!(Arc::ptr_eq(&first, &ours.current().await.unwrap()));
    ours.write(&named("second")).await.unwrap();
    assert_eq!(*ours.current().await.unwrap(), named("second"));
    ours.delete().await.unwrap();
    assert_eq!(ours.stored().await.unwrap(), None);
}
