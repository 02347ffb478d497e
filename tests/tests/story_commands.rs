//! The story of part 1, command by command: with the stock command line of OpenBao, and with our own in its place.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "everything here is a test"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use vestal_e2e::house::House;
use vestal_e2e::process::{self, Running, Said};
use vestal_e2e::provider::PERSON;
use vestal_e2e::server::Server;
use vestal_e2e::until::until;
use vestal_e2e::{environment, http};

/// A command line, with a home of its own for the token it keeps.
struct Terminal {
    program: PathBuf,
    address: String,
    home: PathBuf,
    token: Option<String>,
}

impl Terminal {
    fn new(program: PathBuf, address: &str, folder: &Path) -> Self {
        let home = folder.join("home");
        std::fs::create_dir_all(&home).unwrap();
        Self { program, address: address.to_owned(), home, token: None }
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(line).env("HOME", &self.home).env("VAULT_ADDR", &self.address).env_remove("VAULT_TOKEN");
        if let Some(token) = &self.token {
            command.env("VAULT_TOKEN", token);
        }
        command
    }

    fn says(&self, line: &[&str]) -> Said {
        process::say(&mut self.command(line))
    }

    /// What a command prints when it goes well.
    fn ok(&self, line: &[&str]) -> String {
        self.says(line).ok()
    }

    /// A command whose last line of output is known.
    fn tells(&self, line: &[&str], expected: &str) {
        let out = self.ok(line);
        assert_eq!(out.trim_end(), expected, "{line:?}");
    }

    /// One field of an answer.
    fn field(&self, name: &str, line: &[&str]) -> String {
        let field = format!("-field={name}");
        let verbs = if matches!(line[0], "token" | "kv") { 2 } else { 1 };
        let (verbs, rest) = line.split_at(verbs);
        self.ok(&[verbs, &[&field], rest].concat()).trim_end().to_owned()
    }
}

/// The value that a table of two columns shows for a key.
fn shown<'t>(table: &'t str, key: &str) -> &'t str {
    table
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))
        .unwrap_or_else(|| panic!("no {key} in:\n{table}"))
        .trim()
}

/// A server in dev mode, and where it says it listens.
fn start_dev_server(folder: &Path, root_token: &str) -> (Running, String) {
    let port = http::free_port();
    let log = folder.join("dev.log");
    let mut start = Command::new(environment::vestal());
    start.args(["server", "-dev", &format!("-dev-root-token-id={root_token}")]);
    start.arg(format!("-dev-listen-address=127.0.0.1:{port}")).env("HOME", folder);
    let server = Running::start(&mut start, &log);
    let address = format!("http://127.0.0.1:{port}");
    until("the dev server", 60, || http::ask("GET", &format!("{address}/v1/sys/health"), &[], None));
    let greeting = until("what the dev server says", 10, || {
        let text = std::fs::read_to_string(&log).unwrap();
        text.contains("Root Token").then_some(text)
    });
    assert!(greeting.lines().any(|line| line.trim() == format!("Root Token: {root_token}")), "{greeting}");
    assert!(greeting.lines().any(|line| line.trim().starts_with("Unseal Key: ")), "{greeting}");
    assert!(greeting.contains(&address), "{greeting}");
    (server, address)
}

/// Part 1 of the story: its table from the first row to the last, against a server in dev mode.
fn the_table(tag: &str, program: PathBuf) {
    const ROOT: &str = "root-token-of-the-table";
    let house = House::build(&format!("table-{tag}"), None);
    let (provider, redirect) = (&house.provider, &house.redirect);
    let (_server, address) = start_dev_server(house.folder(), ROOT);
    let terminal = Terminal::new(program, &address, house.folder());

    // log in
    let login = terminal.ok(&["login", ROOT]);
    assert_eq!(shown(&login, "token"), ROOT);
    assert!(!shown(&login, "token_accessor").is_empty());
    assert_eq!((shown(&login, "token_duration"), shown(&login, "token_policies")), ("∞", "[\"root\"]"));

    // enable
    terminal.tells(
        &["secrets", "enable", "oauthapp"],
        "Success! Enabled the oauthapp secrets engine at: oauthapp/",
    );
    terminal.tells(
        &["secrets", "enable", "-path=oauth2", "oauthapp"],
        "Success! Enabled the oauthapp secrets engine at: oauth2/",
    );

    // server
    let client_id = format!("client_id={}", house.names.client_id);
    let client_secret = format!("client_secret={}", house.secrets.client_secret);
    let auth_url = format!("provider_options=auth_code_url={}", house.auth_url());
    let token_url = format!("provider_options=token_url={}", house.token_url());
    terminal.tells(
        &[
            "write",
            "oauthapp/servers/webex-myapp",
            "provider=custom",
            &client_id,
            &client_secret,
            &auth_url,
            &token_url,
        ],
        "Success! Data written to: oauthapp/servers/webex-myapp",
    );

    // link
    let redirect_url = format!("redirect_url={redirect}");
    let link = terminal.ok(&[
        "write",
        "oauthapp/auth-code-url",
        "server=webex-myapp",
        &redirect_url,
        "scopes=openid,profile",
        "state=12345",
    ]);
    let came_back = environment::follow_link(shown(&link, "url"), redirect);
    assert_eq!(came_back["state"], "12345");

    // code
    let code = format!("code={}", came_back["code"].as_str().unwrap());
    terminal.tells(
        &["write", "oauthapp/creds/testauth", "server=webex-myapp", &code, &redirect_url],
        "Success! Data written to: oauthapp/creds/testauth",
    );

    // read
    let read = terminal.ok(&["read", "oauthapp/creds/testauth"]);
    assert_eq!(shown(&read, "server"), "webex-myapp");
    assert_eq!(shown(&read, "type"), "Bearer");
    assert!(shown(&read, "expire_time").starts_with("20"), "{read}");

    // use
    assert_eq!(provider.name_of(shown(&read, "access_token")).as_deref(), Some(PERSON));

    // delete
    terminal.tells(
        &["delete", "oauthapp/creds/testauth"],
        "Success! Data deleted (if it existed) at: oauthapp/creds/testauth",
    );
    let absent = terminal.says(&["read", "oauthapp/creds/testauth"]).failed(2);
    assert!(absent.contains("No value found at oauthapp/creds/testauth"), "{absent}");
}

/// The story in production: initialised, unsealed, a token that can read one credential, a static secret beside it; killed and
/// restarted, and fresh for ever.
fn production(tag: &str, program: PathBuf) {
    let mut house = House::build(&format!("production-{tag}"), None);
    let mut operator = Terminal::new(program.clone(), &house.server.address, house.folder());

    let sealed = operator.says(&["status"]);
    assert_eq!(sealed.code, Some(2), "status of a sealed server: {}", sealed.out);
    let made = operator.ok(&["operator", "init", "-key-shares=3", "-key-threshold=2", "-format=json"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let shares: Vec<String> = serde_json::from_value(made["unseal_keys_b64"].clone()).unwrap();
    let root = made["root_token"].as_str().unwrap().to_owned();
    house.secrets.shares.clone_from(&shares);
    house.secrets.given.push(root.clone());
    unseal(&operator, &shares);
    assert_eq!(shown(&operator.ok(&["status"]), "Sealed"), "false");
    operator.token = Some(root);

    let reader = furnish_and_connect(&mut house, &operator);
    let reads =
        Terminal { token: Some(reader), ..Terminal::new(program.clone(), &operator.address, house.folder()) };
    let denied =
        reads.says(&["read", &format!("{}/servers/{}", house.names.mount, house.names.server)]).failed(2);
    assert!(denied.contains("permission denied"), "{denied}");

    let folder = house.folder().to_owned();
    let open = |server: &Server| unseal(&Terminal::new(program.clone(), &server.address, &folder), &shares);
    house.stays_fresh(&open, &mut |house| {
        let access_token = reads.field("access_token", &["read", &house.credential_path()]);
        house.provider.name_of(&access_token).expect("a live token")
    });
    let kv_path = format!("{}/{}", house.names.kv_mount, house.names.kv_path);
    let kept = operator.field(&house.names.kv_key, &["kv", "get", &kv_path]);
    assert_eq!(kept, house.secrets.kv_value, "static secrets survive beside it");
    house.left_no_trace();
}

fn unseal(terminal: &Terminal, shares: &[String]) {
    for share in &shares[..2] {
        terminal.ok(&["operator", "unseal", share]);
    }
}

/// Everything an operator does once; answers a token that may read the credential and nothing else.
fn furnish_and_connect(house: &mut House, operator: &Terminal) -> String {
    let (names, redirect) = (&house.names, &house.redirect);
    operator.ok(&["secrets", "enable", &format!("-path={}", names.mount), "oauthapp"]);
    operator.ok(&[
        "write",
        &format!("{}/servers/{}", names.mount, names.server),
        "provider=custom",
        &format!("client_id={}", names.client_id),
        &format!("client_secret={}", house.secrets.client_secret),
        &format!("provider_options=auth_code_url={}", house.auth_url()),
        &format!("provider_options=token_url={}", house.token_url()),
    ]);
    let server = format!("server={}", names.server);
    let redirect_url = format!("redirect_url={redirect}");
    let ask = format!("{}/auth-code-url", names.mount);
    let url = operator
        .field("url", &["write", &ask, &server, &redirect_url, "scopes=openid,profile", "state=12345"]);
    let came_back = environment::follow_link(&url, redirect);
    let code = format!("code={}", came_back["code"].as_str().unwrap());
    operator.ok(&["write", &house.credential_path(), &server, &code, &redirect_url]);

    operator.ok(&["secrets", "enable", &format!("-path={}", names.kv_mount), "-version=2", "kv"]);
    let kv_path = format!("{}/{}", names.kv_mount, names.kv_path);
    operator.ok(&["kv", "put", &kv_path, &format!("{}={}", names.kv_key, house.secrets.kv_value)]);

    process::say_to(&mut operator.command(&["policy", "write", &names.policy, "-"]), &house.policy()).ok();
    let reader = operator.field("token", &["token", "create", &format!("-policy={}", names.policy)]);
    house.secrets.given.push(reader.clone());
    reader
}

#[test]
fn the_table_of_the_story_with_the_stock_command_line() {
    the_table("bao", environment::bao());
}

#[test]
fn the_table_of_the_story_with_our_own_command_line() {
    the_table("vestal", environment::vestal());
}

#[test]
fn in_production_the_stock_command_line_reads_a_live_token_for_ever() {
    production("bao", environment::bao());
}

#[test]
fn in_production_our_own_command_line_reads_a_live_token_for_ever() {
    production("vestal", environment::vestal());
}
