//! What is kept as it was sent, and what null does.

use super::*;

#[tokio::test]
async fn numbers_keep_their_text() {
    let (one, two) = (mount("1").await, mount("2").await);
    for number in ["1e5", "1E5", "1E+2", "1.0E10", "-0", "-0e1", "0e0", "1.50", "123456789012345678901"] {
        let text = format!(r#"{{"a":{number}}}"#);
        let data = Value::Object(vestal_logical::json::stored_object(text.as_bytes()).unwrap());
        one.write("s", data.clone()).await.unwrap();
        assert_eq!(one.read("s").await.body_json().to_string(), text);
        two.write("data/s", json!({ "data": null })).await.unwrap();
        let mut asked = serde_json::Map::new();
        asked.insert("data".to_owned(), data);
        two.write("data/s", Value::Object(asked)).await.unwrap();
        let read = two.read("data/s").await.body;
        let Body::Data(read) = read else { panic!("no data") };
        assert_eq!(read["data"].to_string(), text);
    }
}

#[tokio::test]
async fn a_secret_cannot_outlive_what_its_mount_allows() {
    let kv = mount("2").await;
    kv.write("config", json!({ "delete_version_after": "1h" })).await.unwrap();
    for (own, deleted_after) in [("2h", 3600), ("30m", 1800), ("0s", 3600)] {
        kv.write("metadata/s", json!({ "delete_version_after": own })).await.unwrap();
        kv.write("data/s", json!({ "data": {} })).await.unwrap();
        let at = kv.clock.now().plus(Duration::from_secs(deleted_after));
        let read = kv.read("data/s").await.body_json();
        assert_eq!(read["metadata"]["deletion_time"], at.to_string(), "{own}");
    }
}

#[tokio::test]
async fn null_leaves_an_expiry_and_clears_custom_metadata() {
    let kv = mount("2").await;
    let nothing = json!({ "delete_version_after": null });
    kv.write("config", json!({ "delete_version_after": "2h" })).await.unwrap();
    kv.write("config", nothing.clone()).await.unwrap();
    assert_eq!(kv.read("config").await.body_json()["delete_version_after"], "2h0m0s");
    let settings = json!({ "delete_version_after": "2h", "custom_metadata": { "a": "b" } });
    kv.write("metadata/s", settings).await.unwrap();
    kv.write("metadata/s", nothing.clone()).await.unwrap();
    kv.ask(Operation::Patch, "metadata/s", nothing).await.unwrap();
    let shown = kv.read("metadata/s").await.body_json();
    assert_eq!(shown["delete_version_after"], "2h0m0s");
    assert_eq!(shown["current_metadata_version"], 1, "nothing was asked for");
    for (change, left) in [(json!({}), json!({ "a": "b" })), (Value::Null, Value::Null)] {
        kv.ask(Operation::Patch, "metadata/s", json!({ "custom_metadata": change })).await.unwrap();
        assert_eq!(kv.read("metadata/s").await.body_json()["custom_metadata"], left);
    }
}

#[tokio::test]
async fn a_lease_that_is_no_span_is_not_said() {
    let kv = mount("1").await;
    for (said, lease) in
        [(json!("9999999999h"), 2_764_800), (json!(i64::MAX), 2_764_800), (json!("1h"), 3600)]
    {
        kv.write("s", json!({ "ttl": said })).await.unwrap();
        assert_eq!(kv.read("s").await.lease_duration, Duration::from_secs(lease), "{said}");
    }
}
