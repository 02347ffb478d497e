//! The story from Rust, with vaultrs 0.8: stock calls where it has them, an endpoint of one's own where it has none.
#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use std::collections::HashMap;

use rustify::endpoint::Endpoint;
use rustify::enums::{RequestMethod, RequestType, ResponseType};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use vaultrs::client::{Client, VaultClient, VaultClientSettingsBuilder};
use vaultrs::{api, kv1, kv2, sys, token};
use vestal_e2e::environment;
use vestal_e2e::house::House;
use vestal_e2e::provider::PERSON;

/// `auth-code-url` answers a write, which none of vaultrs' own calls does.
struct AuthCodeUrl {
    mount: String,
    ask: Value,
}

impl Endpoint for AuthCodeUrl {
    type Response = Value;

    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        format!("{}/auth-code-url", self.mount)
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::POST
    }

    fn body(&self) -> Result<Option<Vec<u8>>, rustify::errors::ClientError> {
        Ok(Some(self.ask.to_string().into_bytes()))
    }
}

fn client(address: &str, token: &str) -> VaultClient {
    let settings = VaultClientSettingsBuilder::default().address(address).token(token).build().unwrap();
    VaultClient::new(settings).unwrap()
}

#[test]
fn vaultrs_reads_a_live_token_for_ever() {
    let runtime = Runtime::new().unwrap();
    let mut house = House::build("vaultrs", None);
    let address = house.server.address.clone();
    let mut vault = client(&address, "");

    let made = runtime.block_on(sys::start_initialization(&vault, 3, 2, None)).unwrap();
    let unseal = |shares: &[String]| {
        let vault = client(&address, "");
        for share in shares {
            runtime.block_on(sys::unseal(&vault, Some(share.clone()), None, None)).unwrap();
        }
    };
    unseal(&made.keys_base64[..2]);
    vault.set_token(&made.root_token);
    house.secrets.shares.clone_from(&made.keys_base64);
    house.secrets.given.push(made.root_token.clone());

    let reader = runtime.block_on(furnish(&vault, &house));
    house.secrets.given.push(reader.clone());
    let names = &house.names;

    let ask = json!({
        "server": names.server, "redirect_url": house.redirect, "scopes": "openid profile", "state": "12345",
    });
    let endpoint = AuthCodeUrl { mount: names.mount.clone(), ask };
    let link = runtime.block_on(api::exec_with_result(&vault, endpoint)).unwrap();
    let came_back = environment::follow_link(link["url"].as_str().unwrap(), &house.redirect);
    let code = came_back["code"].as_str().unwrap();
    let credential = format!("creds/{}", names.credential);
    let answer =
        HashMap::from([("server", &*names.server), ("code", code), ("redirect_url", &*house.redirect)]);
    runtime.block_on(kv1::set(&vault, &names.mount, &credential, &answer)).unwrap();

    let reads = client(&address, &reader);
    assert!(
        runtime
            .block_on(kv1::get::<Value>(
                &reads,
                &house.names.mount,
                &format!("servers/{}", house.names.server)
            ))
            .is_err(),
        "the policy allows nothing but the credential"
    );
    house.stays_fresh(&|_| unseal(&made.keys_base64[1..]), &mut |house| {
        let read: Value = runtime.block_on(kv1::get(&reads, &house.names.mount, &credential)).unwrap();
        let name = house.provider.name_of(read["access_token"].as_str().unwrap());
        assert_eq!(name.as_deref(), Some(PERSON));
        name.unwrap()
    });
    house.left_no_trace();
}

/// Mounts, server, a static secret, a policy; answers a token that may read the credential and nothing else.
async fn furnish(vault: &VaultClient, house: &House) -> String {
    let names = &house.names;
    sys::mount::enable(vault, &names.mount, "oauthapp", None).await.unwrap();
    let server = HashMap::from([
        ("provider", json!("custom")),
        ("client_id", json!(names.client_id)),
        ("client_secret", json!(house.secrets.client_secret)),
        ("provider_options", json!({ "auth_code_url": house.auth_url(), "token_url": house.token_url() })),
    ]);
    kv1::set(vault, &names.mount, &format!("servers/{}", names.server), &server).await.unwrap();

    let mut options = api::sys::requests::EnableEngineRequest::builder();
    options.options(HashMap::from([("version".to_owned(), "2".to_owned())]));
    sys::mount::enable(vault, &names.kv_mount, "kv", Some(&mut options)).await.unwrap();
    let secret = HashMap::from([(names.kv_key.clone(), house.secrets.kv_value.clone())]);
    kv2::set(vault, &names.kv_mount, &names.kv_path, &secret).await.unwrap();
    let kept: HashMap<String, String> = kv2::read(vault, &names.kv_mount, &names.kv_path).await.unwrap();
    assert_eq!(kept, secret);

    sys::policy::set(vault, &names.policy, &house.policy()).await.unwrap();
    let mut asked = api::token::requests::CreateTokenRequest::builder();
    asked.policies(vec![names.policy.clone()]);
    token::new(vault, Some(&mut asked)).await.unwrap().client_token
}
