//! The story from Python: a console program with the newest hvac, and a web app with the oldest one in a real browser.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "everything here is a test")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use vestal_e2e::house::House;
use vestal_e2e::process::{self, Running};
use vestal_e2e::server::{Keys, Server};
use vestal_e2e::until::until;
use vestal_e2e::{environment, http};

/// A program of the story with the settings that it reads from its environment.
fn python(house: &House, python: &Path, file: &str, token: &str) -> Command {
    let mut command = Command::new(python);
    command
        .arg(environment::story(file))
        .env("VAULT_ADDR", &house.server.address)
        .env("VAULT_TOKEN", token)
        .env("OAUTH_MOUNT", &house.names.mount)
        .env("OAUTH_SERVER", &house.names.server)
        .env("OAUTH_CREDENTIAL", &house.names.credential)
        .env("CLIENT_ID", &house.names.client_id)
        .env("CLIENT_SECRET", &house.secrets.client_secret)
        .env("AUTH_URL", house.auth_url())
        .env("TOKEN_URL", house.token_url())
        .env("REDIRECT_URL", &house.redirect)
        .env("KV_MOUNT", &house.names.kv_mount)
        .env("KV_PATH", &house.names.kv_path)
        .env("KV_KEY", &house.names.kv_key)
        .env("KV_VALUE", &house.secrets.kv_value)
        .env("POLICY", &house.names.policy);
    command
}

fn answer(command: &mut Command) -> Value {
    serde_json::from_str(&process::say(command).ok()).unwrap()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// The vault made and furnished by the console program; its tokens are remembered for the canary.
fn furnished(house: &mut House, interpreter: &Path) -> (Keys, String, String) {
    let made = answer(python(house, interpreter, "console.py", "").arg("furnish"));
    let shares: Vec<String> = serde_json::from_value(made["shares"].clone()).unwrap();
    let [root, reader, app] = ["root_token", "reader", "app"].map(|name| text(&made, name).to_owned());
    house.secrets.shares.clone_from(&shares);
    house.secrets.given.extend([root.clone(), reader.clone(), app.clone()]);
    (Keys { shares, root_token: root }, reader, app)
}

#[test]
fn a_console_program_with_the_newest_hvac_reads_a_live_token_for_ever() {
    let mut house = House::build("hvac-newest", None);
    let interpreter = environment::python_newest();
    let (keys, reader, app) = furnished(&mut house, &interpreter);
    let console = |house: &House, token: &str| python(house, &interpreter, "console.py", token);

    assert_eq!(
        answer(console(&house, &reader).arg("read"))["access_token"],
        Value::Null,
        "None before anybody connected"
    );
    let link = answer(console(&house, &app).arg("link"));
    let came_back = environment::follow_link(text(&link, "url"), &house.redirect);
    assert_eq!(came_back["state"], "12345");
    answer(console(&house, &app).args(["connect", text(&came_back, "code")]));

    let unseal = |server: &Server| {
        let mut command = Command::new(&interpreter);
        command.arg(environment::story("console.py")).env("VAULT_ADDR", &server.address);
        let done = answer(command.arg("unseal").args(&keys.shares[..2]));
        assert_eq!(done["sealed"], false);
    };
    house.stays_fresh(&unseal, &mut |house| {
        let read = answer(console(house, &reader).arg("read"));
        house.provider.name_of(text(&read, "access_token")).expect("a live token")
    });
    house.left_no_trace();
}

#[test]
fn a_web_app_with_the_oldest_hvac_asks_once_and_shows_the_name_for_ever() {
    let port = http::free_port();
    let mut house = House::build("hvac-oldest", Some(format!("http://127.0.0.1:{port}/auth")));
    let (keys, _, token) = furnished(&mut house, &environment::python_oldest());

    let mut app = python(&house, &environment::python_oldest(), "app.py", &token);
    app.env("USERINFO_URL", format!("{}/me", house.provider.issuer));
    app.env("SCOPES", "openid profile").env("PORT", port.to_string());
    let _app = Running::start(&mut app, &house.folder().join("app.log"));
    let home = format!("http://127.0.0.1:{port}/");
    until("the web app", 60, || http::ask("GET", &home, &[], None));

    let mut visits = 0;
    house.stays_fresh(&|server| server.unseal(&keys), &mut |_| {
        visits += 1;
        let seen = environment::use_app(&home);
        assert_eq!(seen["asked"], visits == 1, "visit {visits}: only the first asks for a login");
        text(&seen, "person").to_owned()
    });
    house.left_no_trace();
}
