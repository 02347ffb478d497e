//! Audit as an operator sees it: what is written, what is hidden, and what happens when nothing can be written.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use vestal_logical::Kind;

use crate::active::{AuditSettings, Settings};
use crate::audit::AuditStanza;
use crate::testing::TestVault;
use vestal_storage::Physical as _;
use vestal_storage::testing::FaultStore;

async fn vault(any_path: bool) -> TestVault {
    let audit = AuditSettings { any_path, ..AuditSettings::default() };
    TestVault::with(FaultStore::in_memory(), 1, Settings { audit, ..Settings::default() })
        .await
        .expect("opens")
}

async fn enable(vault: &TestVault, name: &str, file: &Path) {
    let fields = json!({ "type": "file", "options": { "file_path": file.to_str().unwrap() } });
    vault.write(&format!("sys/audit/{name}"), fields).as_root().send().await.nothing();
}

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("an audit file");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test]
async fn each_request_leaves_two_lines_and_no_value_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/audit.log");
    let vault = vault(true).await;
    enable(&vault, "main", &file).await;
    vault.write("sys/mounts/notes", json!({ "type": "notes" })).as_root().send().await.nothing();
    vault.write("notes/jane", json!({ "password": "hunter2", "n": 42 })).as_root().send().await.nothing();
    vault.read("notes/jane").as_root().send().await.data();
    let token = vault.token(&["default"]).await;
    vault.read("notes/jane").by(&token).send().await.failure();
    vault.read("notes/jane").by("s.unknown-token").send().await.failure();
    vault.read("sys/internal/ui/mounts").by(&token).send().await.data();

    let text = std::fs::read_to_string(&file).unwrap();
    for secret in ["hunter2", vault.root.as_str(), token.as_str(), "s.unknown-token"] {
        assert!(!text.contains(secret), "a secret is in the audit file");
    }
    let lines = lines(&file);
    let of = |kind: &str, path: &str| -> Vec<Value> {
        lines.iter().filter(|l| l["type"] == kind && l["request"]["path"] == path).cloned().collect()
    };
    let (asked, answered) = (of("request", "notes/jane"), of("response", "notes/jane"));
    assert_eq!((asked.len(), answered.len()), (4, 4));
    assert_eq!(asked[0]["request"]["operation"], "create");
    assert_eq!(asked[0]["request"]["data"]["n"], 42);
    assert_eq!(asked[0]["request"]["mount_type"], "notes");
    let hash =
        vault.write("sys/audit-hash/main", json!({ "input": "hunter2" })).as_root().send().await.data();
    assert_eq!(asked[0]["request"]["data"]["password"], hash["hash"]);
    assert_eq!(answered[1]["response"]["data"]["password"], hash["hash"]);
    assert_eq!(asked[1]["auth"]["policy_results"]["granting_policies"][0]["name"], "root");
    assert_eq!(
        (&asked[2]["error"], &asked[2]["auth"]["policy_results"]["allowed"]),
        (&json!("1 error occurred:\n\t* permission denied\n\n"), &json!(false))
    );
    assert_eq!(asked[3]["auth"], json!({ "token_type": "default" }));
    let seen = of("response", "sys/internal/ui/mounts");
    assert_eq!(seen[0]["auth"]["policies"], json!(["default"]), "its token decided the answer");
}

#[tokio::test]
async fn when_no_device_takes_a_line_nothing_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let vault = vault(true).await;
    vault.write("sys/mounts/notes", json!({ "type": "notes" })).as_root().send().await.nothing();
    enable(&vault, "main", &file).await;
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    vault.active.audit.reopen().await;
    let told = vault.write("notes/x", json!({ "k": "v" })).as_root().send().await;
    assert_eq!(told.failure(), (Kind::Internal, "internal error".to_owned()));
    let told = vault.write("sys/seal", json!({})).as_root().send().await;
    assert_eq!(told.failure(), (Kind::Internal, "failed to audit request, cannot continue".to_owned()));
    std::fs::remove_dir(&file).unwrap();
    vault.read("notes/x").as_root().send().await.nothing();
    assert_eq!(lines(&file).len(), 2, "the device heals by itself, and the refused write left nothing");
}

/// As when a container finds a folder where the file was to be.
#[tokio::test]
async fn a_device_whose_file_is_a_folder_now_keeps_no_vault_sealed_and_refuses_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let vault = vault(true).await;
    enable(&vault, "main", &file).await;
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    let again = TestVault::on(vault.store.reopen(), 2).await.expect("it unseals");
    let told = again.write("sys/mounts/notes", json!({ "type": "notes" })).as_root().send().await;
    assert_eq!(told.failure(), (Kind::Internal, "internal error".to_owned()));
    let again = TestVault::on(again.store.reopen(), 3).await.expect("it unseals");
    let unfit = json!({ "type": "file", "options": { "file_path": folder.path().to_str().unwrap() } });
    std::fs::remove_dir(&file).unwrap();
    let told = again.write("sys/audit/other", unfit).as_root().send().await;
    assert_eq!(told.failure().0, Kind::Invalid);
}

#[tokio::test]
async fn one_device_that_takes_the_line_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault(true).await;
    enable(&vault, "bad", &folder.path().join("bad/x")).await;
    enable(&vault, "good", &folder.path().join("good/x")).await;
    std::fs::remove_dir_all(folder.path().join("bad")).unwrap();
    std::fs::write(folder.path().join("bad"), "not a folder").unwrap();
    vault.active.audit.reopen().await;
    assert!(vault.read("sys/mounts").as_root().send().await.is_ok());
}

#[tokio::test]
async fn devices_are_listed_kept_and_disabled() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    let vault = vault(true).await;
    enable(&vault, "main", &file).await;
    let again = json!({ "type": "file", "options": { "file_path": "discard" } });
    assert_eq!(
        vault.write("sys/audit/main", again).as_root().send().await.failure().1,
        "path already in use"
    );
    let unknown = vault.write("sys/audit/x", json!({ "type": "carrier-pigeon" })).as_root().send().await;
    assert!(unknown.failure().1.starts_with("unknown backend type"));
    assert_eq!(vault.read("sys/audit").as_root().send().await.data()["main/"]["type"], "file");
    let after = lines(&file).len();
    vault.active.close(vestal_logical::Timestamp::MAX).await;
    let settings = Settings {
        audit: AuditSettings { any_path: true, ..AuditSettings::default() },
        ..Settings::default()
    };
    let again = TestVault::with(vault.store.clone(), 2, settings).await.unwrap();
    again.read("sys/mounts").as_root().send().await.data();
    assert_eq!(lines(&file).len(), after + 2, "it records after unsealing");
    again.delete("sys/audit/main").as_root().send().await.nothing();
    let before = lines(&file).len();
    again.read("sys/mounts").as_root().send().await.data();
    assert_eq!(lines(&file).len(), before);
    again.delete("sys/audit/none").as_root().send().await.nothing();
}

/// CVE-2024-0831: the raw lines of one device reached the others.
#[tokio::test]
async fn cve_2024_0831_a_device_beside_a_raw_one_still_hides_what_is_secret() {
    let folder = tempfile::tempdir().unwrap();
    let (raw, plain) = (folder.path().join("raw.log"), folder.path().join("plain.log"));
    let vault = vault(true).await;
    let fields =
        json!({ "type": "file", "options": { "file_path": raw.to_str().unwrap(), "log_raw": "true" } });
    vault.write("sys/audit/a", fields).as_root().send().await.nothing();
    enable(&vault, "b", &plain).await;
    vault.write("sys/mounts/notes", json!({ "type": "notes" })).as_root().send().await.nothing();
    vault.write("notes/jane", json!({ "password": "hunter2" })).as_root().send().await.nothing();
    vault.read("notes/jane").as_root().send().await.data();
    assert!(std::fs::read_to_string(&raw).unwrap().contains("hunter2"));
    let text = std::fs::read_to_string(&plain).unwrap();
    assert!(text.contains("notes/jane"));
    assert!(!text.contains("hunter2") && !text.contains(&vault.root));
}

/// Latency is read from the two lines; of an unwrapped answer the content is recorded.
#[tokio::test]
async fn a_response_has_its_own_time_and_an_unwrapped_one_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let vault = vault(true).await;
    enable(&vault, "main", &file).await;
    let wrapped = vault.write("sys/wrapping/wrap", json!({ "a": "b" })).as_root().wrapped(60).send().await;
    let ask = vault.write("sys/wrapping/unwrap", json!({ "token": wrapped.token() })).as_root();
    vault.clock.advance(std::time::Duration::from_secs(7)).await;
    ask.send().await.unwrapped();
    let lines = lines(&file);
    let [.., asked, answered] = lines.as_slice() else { panic!("two lines") };
    assert_eq!(
        (&asked["time"], &answered["time"]),
        (&json!("2027-01-15T08:00:00Z"), &json!("2027-01-15T08:00:07Z"))
    );
    let data = answered["response"]["data"].as_object().expect("data");
    assert_eq!(data.keys().collect::<Vec<_>>(), ["a"]);
}

/// CVE-2025-6000: whoever may enable devices could write programs and have them run.
#[tokio::test]
async fn the_api_chooses_no_file_outside_the_audit_directory() {
    let folder = tempfile::tempdir().unwrap();
    let vault = vault(false).await;
    let outside =
        json!({ "type": "file", "options": { "file_path": folder.path().join("x").to_str().unwrap() } });
    let (kind, text) = vault.write("sys/audit/x", outside).as_root().send().await.failure();
    assert_eq!(kind, Kind::Invalid);
    assert!(text.contains("unsafe_allow_api_audit_creation") && text.contains("stanza"), "{text}");
    assert!(!folder.path().join("x").exists());
}

#[tokio::test]
async fn a_symbolic_link_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(folder.path().join("target"), folder.path().join("link")).unwrap();
    let vault = vault(true).await;
    let fields =
        json!({ "type": "file", "options": { "file_path": folder.path().join("link").to_str().unwrap() } });
    assert_eq!(vault.write("sys/audit/x", fields).as_root().send().await.failure().0, Kind::Invalid);
    assert!(!folder.path().join("target").exists());
}

#[tokio::test]
async fn a_token_whose_making_could_not_be_recorded_is_dead() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let vault = vault(true).await;
    enable(&vault, "main", &file).await;
    let living =
        vault.list("auth/token/accessors/").as_root().send().await.data()["keys"].as_array().unwrap().len();
    // The request's line fits, the response's does not: the file becomes a folder between them, as far as a test can
    // arrange it, by refusing everything after the next line.
    vault.active.audit.refuse_after(1);
    let told = vault.write("auth/token/create", json!({ "policies": ["default"] })).as_root().send().await;
    assert_eq!(told.failure().0, Kind::Internal);
    vault.active.audit.refuse_after(usize::MAX);
    let after =
        vault.list("auth/token/accessors/").as_root().send().await.data()["keys"].as_array().unwrap().len();
    assert_eq!(after, living);
}

fn declaring(name: &str, file: &Path) -> Settings {
    let stanza = AuditStanza {
        kind: "file".to_owned(),
        path: name.to_owned(),
        description: String::new(),
        options: [("file_path".to_owned(), file.to_str().unwrap().to_owned())].into(),
    };
    let audit = AuditSettings { devices: vec![stanza], ..AuditSettings::default() };
    Settings { audit, ..Settings::default() }
}

/// Unsealing on a full disk must work: nothing that is stored already is stored again.
#[tokio::test]
async fn a_declared_device_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = || declaring("main", &folder.path().join("audit.log"));
    let store = FaultStore::in_memory();
    let vault = TestVault::with(store.clone(), 1, settings()).await.unwrap();
    vault.active.close(vestal_logical::Timestamp::MAX).await;
    let before = store.applied();
    let barrier = crate::testing::barrier(&store, 2).await.unwrap();
    let again = crate::active::Active::open(Arc::clone(&vault.active.parts), barrier).await.unwrap();
    assert_eq!(store.applied(), before, "unsealing wrote something");
    assert_eq!(again.audit.entries().await.len(), 1);
}

/// A device that was allowed when it was enabled must not keep the vault sealed after the setting has changed.
#[tokio::test]
async fn a_stricter_setting_does_not_keep_the_vault_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let vault = vault(true).await;
    enable(&vault, "main", &file).await;
    vault.active.close(vestal_logical::Timestamp::MAX).await;
    let again = TestVault::with(vault.store.clone(), 2, Settings::default()).await.expect("it unseals");
    let before = lines(&file).len();
    again.read("sys/mounts").as_root().send().await.data();
    assert_eq!(lines(&file).len(), before + 2, "and records as before");
    let other = json!({ "type": "file", "options": { "file_path": file.to_str().unwrap() } });
    assert_eq!(again.write("sys/audit/x", other).as_root().send().await.failure().0, Kind::Invalid);
}

#[tokio::test]
async fn a_device_that_is_no_longer_declared_leaves_its_name_free() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.log");
    let vault = TestVault::with(FaultStore::in_memory(), 1, declaring("main", &file)).await.unwrap();
    let hash = async |vault: &TestVault| {
        vault.write("sys/audit-hash/main", json!({ "input": "x" })).as_root().send().await.data()
    };
    let before = hash(&vault).await;
    let declared = vault.delete("sys/audit/main").as_root().send().await.failure();
    assert!(declared.1.contains("configuration file"), "{}", declared.1);
    vault.active.close(vestal_logical::Timestamp::MAX).await;
    let settings = Settings {
        audit: AuditSettings { any_path: true, ..AuditSettings::default() },
        ..Settings::default()
    };
    let again = TestVault::with(vault.store.clone(), 2, settings).await.unwrap();
    assert_eq!(again.read("sys/audit").as_root().send().await.data(), json!({}));
    assert_eq!(hash(&again).await, before, "what it wrote can still be searched");
    enable(&again, "main", &file).await;
    again.delete("sys/audit/main").as_root().send().await.nothing();
    assert_eq!(again.read("sys/audit").as_root().send().await.data(), json!({}));
}

#[test]
fn a_declared_device_that_could_not_be_opened_is_told_at_start() {
    type Change<'a> = &'a dyn Fn(&mut Vec<AuditStanza>);
    let settings = |change: Change<'_>| {
        let mut settings = declaring("main", Path::new("/x")).audit;
        change(&mut settings.devices);
        super::check_declared(&settings).map_err(|error| error.to_string())
    };
    assert_eq!(settings(&|_| {}), Ok(()));
    let wrong: [(Change<'_>, &str); 3] = [
        (&|devices| devices[0].kind = "socket".to_owned(), "socket"),
        (&|devices| drop(devices[0].options.insert("mode".to_owned(), "0777".to_owned())), "mode"),
        (&|devices| devices.push(devices[0].clone()), "two of this name"),
    ];
    for (change, expected) in wrong {
        let told = settings(change).unwrap_err();
        assert!(told.contains("audit stanza `main`") && told.contains(expected), "{told}");
    }
}
