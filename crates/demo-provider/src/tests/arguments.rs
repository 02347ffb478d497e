use std::time::Duration;

use crate::{ClientAuth, IdTokenAlgorithm, Options, Redirects, Rotation};

fn read(line: &str) -> Result<Option<Options>, String> {
    Options::from_arguments(line.split_whitespace().map(str::to_owned))
}

#[test]
fn every_flag_reaches_its_option() {
    let line = "--listen 127.0.0.1:9000 --public-url https://id.example --access-ttl 1500ms --refresh-ttl=2h \
        --rotation grace:10 --client a:b:c --public-client app --redirect https://app.example/cb \
        --client-auth parameters --id-token-alg RS256 --person Ada --auto-approve --control --ledger-limit 5";
    let options = read(line).unwrap().unwrap();
    assert_eq!(options.listen.port(), 9000);
    assert_eq!(options.public_url.as_deref(), Some("https://id.example"));
    assert_eq!(options.access_life, Duration::from_millis(1500));
    assert_eq!(options.refresh_life, Some(Duration::from_hours(2)));
    assert_eq!(options.rotation, Rotation::Grace(Duration::from_secs(10)));
    let clients: Vec<_> =
        options.clients.iter().map(|client| (client.id.as_str(), client.secrets.concat())).collect();
    assert_eq!(clients, [("a", "b:c".to_owned()), ("app", String::new())]);
    assert!(
        options
            .clients
            .iter()
            .all(|client| matches!(&client.redirects, Redirects::Below(roots) if roots.len() == 1))
    );
    assert_eq!(
        (options.client_auth, options.id_token_algorithm),
        (ClientAuth::Parameters, IdTokenAlgorithm::Rs256)
    );
    assert_eq!((options.person.as_str(), options.ledger_limit), ("Ada", Some(5)));
    assert!(options.auto_approve && options.control);
}

#[test]
fn nothing_said_means_the_defaults() {
    let options = read("").unwrap().unwrap();
    assert_eq!(options.clients.len(), 1);
    assert_eq!(options.clients[0].id, "demo-client");
    assert_eq!((options.rotation, options.access_life), (Rotation::Single, Duration::from_secs(20)));
    assert!(!options.control && !options.auto_approve);
}

#[test]
fn what_is_not_understood_is_an_error_that_names_the_flag() {
    for line in [
        "--listen here",
        "--access-ttl 20d",
        "--access-ttl s",
        "--access-ttl -1",
        "--rotation twice",
        "--rotation grace:",
        "--client id",
        "--client-auth none",
        "--id-token-alg HS256",
        "--redirect cb",
        "--ledger-limit many",
        "--auto-approve=yes",
        "--unknown x",
        "--person",
    ] {
        let flag = line.split(['=', ' ']).next().unwrap();
        let error = read(line).err().unwrap_or_else(|| panic!("{line} was accepted"));
        assert!(error.contains(flag), "{line}: {error}");
    }
    assert!(read("--control --help").unwrap().is_none());
}
