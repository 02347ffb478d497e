//! Initialising, unsealing and sealing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vestal_crypto::{OsEntropy, SecretString};
use vestal_logical::{Answer, Error, Kind, Operation, Request, SystemClock};
use vestal_storage::testing::{Fault, FaultStore, Target, every_crash};

use crate::testing::NoNetwork;
use crate::vault::State;
use crate::{InitAsk, InitOutcome, Parts, SealSettings, Settings, Vault};

pub(super) async fn vault_with(store: Arc<FaultStore>, seal: SealSettings) -> Arc<Vault> {
    opened(store, seal).await.expect("a memory store does not fail")
}

async fn opened(store: Arc<FaultStore>, seal: SealSettings) -> Result<Arc<Vault>, Error> {
    let parts = Parts {
        physical: store,
        // Deriving a key from a passphrase is measured, so time has to pass.
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
        http: Arc::new(NoNetwork),
        kinds: Vec::new(),
        settings: Settings { seal, ..Settings::default() },
    };
    Vault::open(parts).await
}

pub(super) async fn vault() -> Arc<Vault> {
    vault_with(FaultStore::in_memory(), SealSettings::Shamir).await
}

/// One request, its answer as JSON or its failure.
pub(super) async fn ask(
    vault: &Arc<Vault>,
    operation: Operation,
    path: &str,
    data: Value,
    token: &str,
) -> Result<Value, Error> {
    let now = vault.clock().now();
    let request = Request {
        id: vault.request_id(),
        operation,
        path: path.to_owned(),
        data: data.as_object().cloned().unwrap_or_default(),
        token: (!token.is_empty()).then(|| SecretString::from(token)),
        wrap: None,
        peer: None,
        headers: Vec::new(),
        now,
        deadline: now.plus(Duration::from_secs(90)),
    };
    match vault.handle(request).await.result? {
        Answer::Open(reply) => Ok(reply.body_json()),
        other => panic!("not an open answer: {other:?}"),
    }
}

async fn init(vault: &Arc<Vault>, shares: u64, threshold: u64) -> Result<InitOutcome, Error> {
    vault.initialize(InitAsk { shares: Some(shares), threshold: Some(threshold), passphrase: None }).await
}

async fn unseal(vault: &Arc<Vault>, key: &SecretString) -> Result<Value, Error> {
    ask(vault, Operation::Update, "sys/unseal", json!({ "key": key.expose() }), "").await
}

#[tokio::test]
async fn shares_open_the_vault_in_any_order_and_any_spelling() {
    let vault = vault().await;
    let made = init(&vault, 5, 3).await.unwrap();
    assert_eq!(made.keys.len(), 5);
    let first = unseal(&vault, &made.keys[4]).await.unwrap();
    assert_eq!(
        (&first["progress"], &first["sealed"], &first["t"], &first["n"]),
        (&json!(1), &json!(true), &json!(3), &json!(5))
    );
    assert_ne!(first["nonce"], "");
    let again = unseal(&vault, &made.keys_base64[4]).await.unwrap();
    assert_eq!(again["progress"], 1, "a share counts once");
    unseal(&vault, &made.keys_base64[0]).await.unwrap();
    let open = unseal(&vault, &made.keys[2]).await.unwrap();
    assert_eq!((&open["sealed"], &open["progress"], &open["nonce"]), (&json!(false), &json!(0), &json!("")));
    assert!(open.get("cluster_id").is_some());
    let status = unseal(&vault, &made.keys[1]).await.unwrap();
    assert_eq!(status["sealed"], false, "unsealing what is unsealed answers the status");
    let root = made.root_token.expose();
    let me = ask(&vault, Operation::Read, "auth/token/lookup-self", Value::Null, root).await.unwrap();
    assert_eq!(
        (&me["path"], &me["display_name"], &me["orphan"]),
        (&json!("auth/token/root"), &json!("root"), &json!(true))
    );
}

#[tokio::test]
async fn wrong_shares_start_over() {
    let (mine, other) = (vault().await, vault().await);
    let made = init(&mine, 3, 2).await.unwrap();
    let strange = init(&other, 3, 2).await.unwrap();
    unseal(&mine, &made.keys[0]).await.unwrap();
    let error = unseal(&mine, &strange.keys[1]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid);
    let status = ask(&mine, Operation::Read, "sys/seal-status", Value::Null, "").await.unwrap();
    assert_eq!((&status["progress"], &status["nonce"]), (&json!(0), &json!("")));
    for bad in ["", "hunter2!", "00", "AAAA"] {
        let error = unseal(&mine, &SecretString::from(bad)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    unseal(&mine, &made.keys[0]).await.unwrap();
    let reset = ask(&mine, Operation::Update, "sys/unseal", json!({ "reset": true }), "").await.unwrap();
    assert_eq!(reset["progress"], 0);
    unseal(&mine, &made.keys[2]).await.unwrap();
    assert_eq!(unseal(&mine, &made.keys[0]).await.unwrap()["sealed"], false);
    let error = ask(&mine, Operation::Update, "sys/unseal", json!({ "reset": true }), "").await.unwrap_err();
    assert_eq!(error.to_string(), "vault is unsealed");
}

#[tokio::test]
async fn two_who_hand_in_shares_at_once_both_count() {
    for _ in 0..20 {
        let vault = vault().await;
        let made = init(&vault, 2, 2).await.unwrap();
        let (a, b) = tokio::join!(unseal(&vault, &made.keys[0]), unseal(&vault, &made.keys[1]));
        let open = [a.unwrap(), b.unwrap()].iter().filter(|status| status["sealed"] == false).count();
        assert_eq!(open, 1);
    }
}

#[tokio::test]
async fn a_vault_is_made_once_with_numbers_that_make_sense() {
    let vault = vault().await;
    for (shares, threshold) in [(0, 1), (1, 0), (2, 1), (3, 4), (256, 3)] {
        assert_eq!(
            init(&vault, shares, threshold).await.unwrap_err().kind(),
            Kind::Invalid,
            "{shares} {threshold}"
        );
    }
    let body = json!({ "secret_shares": 1, "secret_threshold": 1, "pgp_keys": ["x"] });
    let error = ask(&vault, Operation::Update, "sys/init", body, "").await.unwrap_err();
    assert!(error.to_string().contains("pgp_keys"));
    let (a, b) = tokio::join!(init(&vault, 1, 1), init(&vault, 1, 1));
    assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1);
    assert_eq!(init(&vault, 1, 1).await.unwrap_err().to_string(), "Vault is already initialized");
}

#[tokio::test]
async fn numbers_that_are_given_are_never_replaced_by_the_default() {
    let vault = vault().await;
    let table = [
        (json!({ "secret_shares": 0, "secret_threshold": 0 }), "shares"),
        (json!({ "secret_shares": "0", "secret_threshold": null }), "shares"),
        (json!({ "secret_shares": -1, "secret_threshold": -1 }), "shares"),
        (json!({ "secret_threshold": 0 }), "shares"),
        (json!({ "secret_threshold": 3 }), "shares"),
        (json!({ "secret_shares": 3, "secret_threshold": 0 }), "threshold"),
        (json!({ "secret_shares": 3 }), "threshold"),
    ];
    for (body, named) in table {
        let error = ask(&vault, Operation::Update, "sys/init", body.clone(), "").await.unwrap_err();
        let text = format!("invalid seal configuration: {named} must be at least one");
        assert_eq!((error.kind(), error.to_string()), (Kind::Invalid, text), "{body}");
    }
    for body in [json!({ "secret_shares": 2.5, "secret_threshold": 2 }), json!({ "secret_shares": [] })] {
        let error = ask(&vault, Operation::Update, "sys/init", body, "").await.unwrap_err();
        assert!(error.to_string().contains("secret_shares"), "{error}");
    }
    // As clients say it that send every field they know.
    let nothing = json!({ "secret_shares": null, "secret_threshold": null });
    let made = ask(&vault, Operation::Update, "sys/init", nothing, "").await.unwrap();
    assert_eq!(made["keys"].as_array().map(Vec::len), Some(5));
    let status = ask(&vault, Operation::Read, "sys/seal-status", Value::Null, "").await.unwrap();
    assert_eq!((&status["t"], &status["n"]), (&json!(3), &json!(5)));
}

#[tokio::test]
async fn one_share_is_the_key_itself() {
    let vault = vault().await;
    let made = init(&vault, 1, 1).await.unwrap();
    assert_eq!(made.keys[0].expose().len(), 64);
    assert_eq!(unseal(&vault, &made.keys[0]).await.unwrap()["sealed"], false);
}

#[tokio::test]
async fn sealing_needs_the_right_and_takes_everything_away() {
    let vault = vault().await;
    let made = init(&vault, 1, 1).await.unwrap();
    unseal(&vault, &made.keys[0]).await.unwrap();
    let root = made.root_token.expose().to_owned();
    let fields = json!({ "policies": ["default"] });
    ask(&vault, Operation::Update, "auth/token/create", fields, &root).await.unwrap();
    let denied = ask(&vault, Operation::Update, "sys/seal", Value::Null, "s.nobody").await.unwrap_err();
    assert_eq!(denied.kind(), Kind::Denied);
    let read = ask(&vault, Operation::Read, "sys/seal", Value::Null, &root).await.unwrap_err();
    assert_eq!(read.kind(), Kind::Unsupported);
    ask(&vault, Operation::Update, "sys/seal", Value::Null, &root).await.unwrap();
    let error = ask(&vault, Operation::Read, "auth/token/lookup-self", Value::Null, &root).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (Kind::Sealed, "Vault is sealed".to_owned()));
    ask(&vault, Operation::Update, "sys/seal", Value::Null, "")
        .await
        .expect("sealing what is sealed is done");
    unseal(&vault, &made.keys[0]).await.unwrap();
    ask(&vault, Operation::Read, "auth/token/lookup-self", Value::Null, &root)
        .await
        .expect("the token survives");
}

#[tokio::test]
async fn a_passphrase_opens_what_it_sealed() {
    let store = FaultStore::in_memory();
    let vault = vault_with(store.clone(), SealSettings::Passphrase).await;
    let short = InitAsk { shares: None, threshold: None, passphrase: Some(SecretString::from("short")) };
    assert!(vault.initialize(short).await.unwrap_err().to_string().contains("passphrase"));
    let ask_for =
        InitAsk { shares: None, threshold: None, passphrase: Some(SecretString::from("correct horse")) };
    let made = vault.initialize(ask_for).await.unwrap();
    assert!(made.keys.is_empty(), "what the operator chose is not shown again");
    let status = ask(&vault, Operation::Read, "sys/seal-status", Value::Null, "").await.unwrap();
    assert_eq!((&status["type"], &status["t"], &status["n"]), (&json!("passphrase"), &json!(1), &json!(1)));
    assert!(unseal(&vault, &SecretString::from("wrong horse")).await.is_err());
    assert_eq!(unseal(&vault, &SecretString::from("correct horse")).await.unwrap()["sealed"], false);
}

#[tokio::test]
async fn a_key_file_opens_the_vault_without_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let seal = SealSettings::File { path: folder.path().join("seal.key") };
    let store = FaultStore::in_memory();
    let vault = vault_with(store.clone(), seal.clone()).await;
    let made = init(&vault, 0, 0).await.unwrap();
    assert!(made.keys.is_empty());
    let status = ask(&vault, Operation::Read, "sys/seal-status", Value::Null, "").await.unwrap();
    assert_eq!((&status["sealed"], &status["type"]), (&json!(false), &json!("file")));
    vault.seal().await;
    let again = vault_with(store.clone(), seal.clone()).await;
    again.unseal_itself().await.unwrap();
    ask(&again, Operation::Read, "auth/token/lookup-self", Value::Null, made.root_token.expose())
        .await
        .unwrap();
    again.seal().await;
    std::fs::write(folder.path().join("seal.key"), "00".repeat(32)).unwrap();
    let wrong = vault_with(store, seal).await;
    assert!(wrong.unseal_itself().await.unwrap_err().to_string().contains("does not open this vault"));
}

/// A crash at any moment of initialising leaves a vault that is there whole, root token included, or not at all.
#[tokio::test]
async fn initialising_is_done_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let seal = SealSettings::File { path: folder.path().join("seal.key") };
    let seal = &seal;
    every_crash(
        |store| async move {
            let vault = opened(store, seal.clone()).await.ok()?;
            init(&vault, 0, 0).await.ok().map(|made| made.root_token)
        },
        |store, told| async move {
            let vault = vault_with(store, seal.clone()).await;
            let status = ask(&vault, Operation::Read, "sys/init", Value::Null, "").await.unwrap();
            if status["initialized"] == false {
                assert!(told.is_none(), "a token was told of a vault that is not there");
                init(&vault, 0, 0).await.expect("nothing is in the way of another try");
                return;
            }
            vault.unseal_itself().await.expect("the key file opens it");
            let State::Active { active, .. } = vault.state() else { panic!("it is not open") };
            assert_eq!(active.tokens.accessors().await.unwrap().len(), 1);
            if let Some(root) = told {
                ask(&vault, Operation::Read, "auth/token/lookup-self", Value::Null, root.expose())
                    .await
                    .unwrap();
            }
        },
    )
    .await;
}

#[tokio::test]
async fn keys_are_told_whatever_becomes_of_the_store_behind_them() {
    let store = FaultStore::in_memory();
    store.next(Target::Commit, Fault::Refuse);
    let vault = vault_with(Arc::clone(&store), SealSettings::Shamir).await;
    assert_eq!(init(&vault, 1, 1).await.unwrap_err().kind(), Kind::Unavailable);
    store.next(Target::Commit, Fault::Undetermined { written: true });
    let made = init(&vault, 1, 1).await.expect("it can be seen that the vault was made");
    assert_eq!(unseal(&vault, &made.keys[0]).await.unwrap()["sealed"], false);

    let folder = tempfile::tempdir().unwrap();
    let store = FaultStore::in_memory();
    let vault =
        vault_with(Arc::clone(&store), SealSettings::File { path: folder.path().join("seal.key") }).await;
    let before = Arc::clone(&store);
    // The commit behind that of initialising is the first of unsealing.
    before.next(Target::Commit, Fault::Hold);
    let making = tokio::spawn({
        let vault = Arc::clone(&vault);
        async move { init(&vault, 0, 0).await }
    });
    store.holding(1).await;
    store.next(Target::Commit, Fault::Refuse);
    store.let_go();
    let made = making.await.unwrap().expect("the root token is told");
    assert!(matches!(vault.state(), State::Sealed { .. }));
    vault.unseal_itself().await.unwrap();
    let root = made.root_token.expose();
    ask(&vault, Operation::Read, "auth/token/lookup-self", Value::Null, root).await.unwrap();
}

#[tokio::test]
async fn a_vault_that_does_not_fit_its_configuration_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = SealSettings::File { path: folder.path().join("seal.key") };
    let (by_file, by_hand) = (FaultStore::in_memory(), FaultStore::in_memory());
    let vault = vault_with(Arc::clone(&by_file), file.clone()).await;
    init(&vault, 0, 0).await.unwrap();
    vault.seal().await;
    init(&vault_with(Arc::clone(&by_hand), SealSettings::Shamir).await, 1, 1).await.unwrap();
    for (store, seal) in [(by_file, SealSettings::Shamir), (by_hand, file)] {
        let error = vault_with(store, seal).await.unseal_itself().await.unwrap_err();
        assert!(error.to_string().contains("`seal \"file\""), "{error}");
    }
}
