//! What OpenBao answered, recorded once; we answer the same.

use crate::{Ask, acl};

const CAPABILITIES: &str = include_str!("recorded/capabilities.txt");
const REQUESTS: &str = include_str!("recorded/requests.txt");

/// The sets of a file: policies, and the parts of each line that was recorded for them.
fn sets(file: &str) -> Vec<(Vec<String>, Vec<Vec<&str>>)> {
    let mut sets: Vec<(Vec<String>, Vec<Vec<&str>>)> = Vec::new();
    for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let latest = sets.last_mut();
        match (line, line.strip_prefix("> "), latest) {
            ("=", _, _) => sets.push((Vec::new(), Vec::new())),
            ("-", _, Some((policies, _))) => policies.push(String::new()),
            (_, Some(parts), Some((_, lines))) => lines.push(parts.split(" > ").collect()),
            (text, None, Some((policies, _))) => {
                let policy = policies.last_mut().unwrap();
                policy.push_str(text);
                policy.push('\n');
            }
            (stray, ..) => panic!("before the first set: {stray}"),
        }
    }
    sets
}

#[test]
fn capabilities_are_those_that_were_recorded() {
    let mut cases = 0;
    for (policies, lines) in sets(CAPABILITIES) {
        let acl = acl(&policies);
        for line in lines {
            let [path, capabilities] = line[..] else { panic!("{line:?}") };
            assert_eq!(acl.capabilities(path).join(" "), capabilities, "{path} by {policies:#?}");
            cases += 1;
        }
    }
    assert!(cases > 500, "{cases}");
}

#[test]
fn requests_are_let_through_as_was_recorded() {
    let (mut allowed, mut denied) = (0, 0);
    for (policies, lines) in sets(REQUESTS) {
        let acl = acl(&policies);
        for line in lines {
            let [word, path, data, wrap, outcome] = line[..] else { panic!("{line:?}") };
            let ask = Ask {
                wrap: wrap.parse().ok(),
                ..Ask::new(word, path).with(&serde_json::from_str(data).unwrap())
            };
            let found = ask.allowed(&acl);
            assert_eq!(found, outcome == "allowed", "{line:?} by {policies:#?}");
            *(if found { &mut allowed } else { &mut denied }) += 1;
        }
    }
    assert!(allowed > 100 && denied > 100, "{allowed} {denied}");
}
