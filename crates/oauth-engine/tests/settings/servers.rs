//! `servers` (reference §3.1).

use std::sync::Arc;

use serde_json::{Value, json};
use vestal_logical::{HttpTransport, Operation};

use crate::mount::{Mount, Nowhere};

async fn mount() -> (Arc<Nowhere>, Mount) {
    let nowhere = Arc::new(Nowhere::default());
    let mount = Mount::new(Arc::clone(&nowhere) as Arc<dyn HttpTransport>).await;
    (nowhere, mount)
}

fn custom(options: &Value) -> Value {
    json!({ "client_id": "abc", "client_secret": "s3cret", "provider": "custom", "provider_options": options })
}

fn plain() -> Value {
    custom(&json!({ "token_url": "https://idp.example/token" }))
}

#[tokio::test]
async fn row_023_server_read_write() {
    let (_, mount) = mount().await;
    mount.read("servers/mock").await.absent();
    mount.write("servers/mock", plain()).await.done();
    let expected = json!({
        "client_id": "abc",
        "auth_url_params": {},
        "provider": "custom",
        "provider_version": 2,
        "provider_options": { "token_url": "https://idp.example/token" },
    });
    assert_eq!(mount.read("servers/mock").await.data(), expected);
    let mount = mount.reopened().await;
    assert_eq!(mount.read("servers/mock").await.data(), expected);
    mount.delete("servers/mock").await.done();
    mount.read("servers/mock").await.absent();
    mount.delete("servers/mock").await.done();
}

#[tokio::test]
async fn row_027_names_are_listed_whole_and_in_order() {
    let (_, mount) = mount().await;
    mount.list("servers").await.absent();
    for name in ["server2", "a/b", "server10", "Z", "a", "a/b/c", "ü", "server1"] {
        mount.write(&format!("servers/{name}"), plain()).await.done();
    }
    let expected = json!({ "keys": ["Z", "a", "a/b", "a/b/c", "server1", "server10", "server2", "ü"] });
    assert_eq!(mount.list("servers").await.data(), expected);
    assert_eq!(mount.list("servers/").await.data(), expected);
    mount.delete("servers/a").await.done();
    assert_eq!(mount.read("servers/a/b").await.data()["client_id"], "abc");
}

#[tokio::test]
async fn x01_what_is_missing_is_said_in_order() {
    let (_, mount) = mount().await;
    let cases = [
        (json!({}), "missing client ID"),
        (json!({ "provider": "zork" }), "missing client ID"),
        (json!({ "client_id": "abc" }), "missing provider"),
        (json!({ "client_id": null, "provider": "zork" }), "provider \"zork\" does not exist"),
        (json!({ "client_id": "", "provider": "" }), "provider \"\" does not exist"),
        (json!({ "client_id": "abc", "provider": null }), "provider \"\" does not exist"),
        (json!({ "client_id": "abc", "provider": "Custom" }), "provider \"Custom\" does not exist"),
        (json!({ "client_id": "abc", "provider": "github" }), "provider \"github\" does not exist"),
    ];
    for (fields, text) in cases {
        assert_eq!(mount.write("servers/mock", fields.clone()).await.refused(400), text, "{fields}");
    }
    mount.list("servers").await.absent();
}

#[tokio::test]
async fn option_errors_name_the_option() {
    let (nowhere, mount) = mount().await;
    let url = "https://idp.example/token";
    let insecure =
        "http is allowed to this machine only; use https or set the option \"allow_insecure_http\"";
    let cases = [
        (json!({}), "option \"token_url\": token URL is required".to_owned()),
        (json!({ "token_url": "" }), "option \"token_url\": token URL is required".to_owned()),
        (json!({ "token_url": "idp" }), "option \"token_url\": not an absolute http or https URL".to_owned()),
        (json!({ "token_url": "http://idp.example/t" }), format!("option \"token_url\": {insecure}")),
        (
            json!({ "token_url": url, "device_code_url": "http://idp.example/d" }),
            format!("option \"device_code_url\": {insecure}"),
        ),
        (json!({ "token_url": url, "auth_code_url": "nowhere" }), "option \"auth_code_url\": not an absolute URL".to_owned()),
        (
            json!({ "token_url": url, "auth_style": "both" }),
            "option \"auth_style\": unknown authentication style; expected one of \"in_header\" or \"in_params\"".to_owned(),
        ),
        (
            json!({ "token_url": url, "rotation": "often" }),
            "option \"rotation\": expected \"reusable\", \"grace:<seconds>\" (a day at most) or \"single\"".to_owned(),
        ),
        (
            json!({ "token_url": url, "allow_insecure_http": "perhaps" }),
            "option \"allow_insecure_http\": expected \"true\" or \"false\"".to_owned(),
        ),
    ];
    for (options, text) in cases {
        assert_eq!(mount.write("servers/mock", custom(&options)).await.refused(400), text, "{options}");
    }
    for options in [
        json!({ "token_url": "http://127.0.0.1:8080/t" }),
        json!({ "token_url": "http://idp.example/t", "allow_insecure_http": true }),
        json!({ "token_url": url, "auth_code_url": "https://idp.example/a", "device_code_url": "", "unknown": "x" }),
        json!({ "token_url": url, "auth_style": "in_params", "rotation": "grace:60", "allow_link_local": "false" }),
    ] {
        mount.write("servers/mock", custom(&options)).await.done();
        let shown = mount.read("servers/mock").await.data()["provider_options"].clone();
        assert_eq!(shown["token_url"], options["token_url"]);
    }
    assert_eq!(nowhere.tries(), 0);
}

#[tokio::test]
async fn a_failing_write_leaves_the_server_as_it_was() {
    let (_, mount) = mount().await;
    mount.write("servers/mock", plain()).await.done();
    let before = mount.read("servers/mock").await.data();
    mount.write("servers/mock", custom(&json!({ "token_url": "no" }))).await.refused(400);
    let issuer =
        json!({ "client_id": "x", "provider": "oidc", "provider_options": "issuer_url=https://idp.example" });
    assert_eq!(
        mount.write("servers/mock", issuer).await.refused(400),
        "option \"issuer_url\": error creating OIDC provider with given issuer URL: \
         Get \"https://idp.example/.well-known/openid-configuration\": network is unreachable"
    );
    assert_eq!(mount.read("servers/mock").await.data(), before);
}

#[tokio::test]
async fn options_and_parameters_come_as_a_map_a_list_or_one_text() {
    let (_, mount) = mount().await;
    let url = "https://idp.example/t?a=b";
    let expected = json!({ "token_url": url });
    for options in
        [json!({ "token_url": url }), json!([format!("token_url={url}")]), json!(format!("token_url={url}"))]
    {
        mount.write("servers/mock", custom(&options)).await.done();
        assert_eq!(mount.read("servers/mock").await.data()["provider_options"], expected);
    }
    let cases = [
        (json!({ "a": 1, "b": true, "c": null, "d": "x" }), json!({ "a": "1", "b": "1", "c": "", "d": "x" })),
        (json!(["a=1", "b=2=3"]), json!({ "a": "1", "b": "2=3" })),
        (json!("a=1,b=2"), json!({ "a": "1,b=2" })),
        (json!([]), json!({})),
        (json!({}), json!({})),
        (Value::Null, Value::Null),
    ];
    for (given, shown) in cases {
        let mut server = plain();
        server["auth_url_params"] = given.clone();
        mount.write("servers/mock", server).await.done();
        assert_eq!(mount.read("servers/mock").await.data()["auth_url_params"], shown, "{given}");
    }
    for (field, wrong) in [
        ("provider_options", json!("")),
        ("auth_url_params", json!(["s3cret"])),
        ("auth_url_params", json!({ "a": ["s3cret"] })),
    ] {
        let mut server = plain();
        server[field] = wrong;
        let text = mount.write("servers/mock", server).await.refused(400);
        assert!(text.contains(&format!("\"{field}\"")) && !text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn no_answer_ever_shows_a_secret_and_a_wrong_one_is_not_echoed() {
    let (_, mount) = mount().await;
    let mut server = plain();
    server["client_secrets"] = json!("s3cret-2, s3cret-3");
    mount.write("servers/mock", server).await.done();
    let shown = mount.read("servers/mock").await;
    assert!(!format!("{shown:?}").contains("s3cret"));
    assert_eq!(shown.data().as_object().unwrap().len(), 5);
    for (field, wrong) in
        [("client_secret", json!({ "x": "s3cret" })), ("client_secrets", json!([["s3cret"]]))]
    {
        let mut server = plain();
        server[field] = wrong;
        let text = mount.write("servers/mock", server).await.refused(400);
        assert!(text.contains(field) && !text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn names_with_colons_follow_the_rule_and_the_path_wins_over_the_body() {
    let (_, mount) = mount().await;
    for name in ["a:b", "idp.example/x@y.example:role", "foo/bar", "Foo"] {
        mount.write(&format!("servers/{name}"), plain()).await.done();
        mount.read(&format!("servers/{name}")).await.data();
    }
    mount.read("servers/foo").await.absent();
    for name in ["a:", "a:/b", "a/:/b"] {
        assert_eq!(
            mount.write(&format!("servers/{name}"), plain()).await.refused(404),
            "unsupported path",
            "{name}"
        );
    }
    let mut server = plain();
    server["name"] = json!("other");
    mount.write("servers/real", server).await.done();
    mount.read("servers/other").await.absent();
    let answer = mount.call(Operation::Read, "servers/real", json!({ "name": "x" })).await;
    assert_eq!(
        answer.warnings,
        [
            "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]"
        ]
    );
}

#[tokio::test]
async fn x32_the_operations_that_servers_do_not_have() {
    let (_, mount) = mount().await;
    for path in ["servers", "servers/"] {
        for operation in
            [Operation::Read, Operation::Update, Operation::Delete, Operation::Patch, Operation::Header]
        {
            assert_eq!(
                mount.call(operation, path, json!({})).await.refused(405),
                "unsupported operation",
                "{path}"
            );
        }
    }
    assert_eq!(mount.list("servers/mock").await.refused(405), "unsupported operation");
    assert_eq!(
        mount.call(Operation::Patch, "servers/mock", json!({})).await.refused(405),
        "unsupported operation"
    );
}
