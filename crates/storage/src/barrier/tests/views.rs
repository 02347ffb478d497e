use std::sync::{Arc, Mutex};

use super::*;
use crate::testing::{FaultStore, every_crash};
use crate::{Empty, Part, SegmentId, Stamp, Watcher};

#[test]
fn a_path_is_folders_and_a_leaf_and_with_a_trailing_slash_folders_alone() {
    let folder = |name: &str| Part::Folder(name.to_owned());
    let leaf = |name: &str| Part::Leaf(name.to_owned());
    let cases: [(&str, Vec<Part>); 8] = [
        ("", vec![]),
        ("a", vec![leaf("a")]),
        ("a/", vec![folder("a")]),
        ("a/b/c", vec![folder("a"), folder("b"), leaf("c")]),
        ("a/b/", vec![folder("a"), folder("b")]),
        ("/", vec![folder("")]),
        ("/a", vec![folder(""), leaf("a")]),
        ("a//b", vec![folder("a"), folder(""), leaf("b")]),
    ];
    for (path, parts) in cases {
        let place = Place::root().path(path);
        assert_eq!(place.parts(), parts, "{path:?}");
        assert_eq!(place.named_path(), path);
        assert_eq!(Place::root().plain("data").join(&place).named_path(), path, "words are left out");
    }
}

#[tokio::test]
async fn a_record_carries_the_number_of_its_commit_and_reads_back() {
    let house = house().await;
    let place = Place::root().plain("cred").leaf("alice/bob");
    assert_eq!(house.text(&place).await, None);
    assert!(!house.view.exists(&place).await.unwrap());
    let seq = house.put(&place, "one").await;
    let found = house.view.get::<Note>(&place).await.unwrap().unwrap();
    assert_eq!((found.text.as_str(), found.stamp), ("one", Stamp::from(seq)));
    assert_eq!(house.view.stamp(&place).await.unwrap(), Some(Stamp::from(seq)));
    assert_eq!(house.barrier.applied(), seq);
    let mut changes = Changes::new();
    changes.delete(&house.view, &place).unwrap().expect(&house.view, &place, found.stamp).unwrap();
    house.view.commit(changes).await.unwrap();
    assert!(!house.view.exists(&place).await.unwrap());
}

#[tokio::test]
async fn a_leaf_and_a_folder_of_the_same_name_are_different_places() {
    let house = house().await;
    let (leaf, below) = (Place::root().path("a"), Place::root().path("a/b"));
    let word = Place::root().plain("a");
    for place in [&leaf, &below, &word] {
        house.put(place, &format!("{place:?}")).await;
    }
    for place in [&leaf, &below, &word] {
        assert_eq!(house.text(place).await, Some(format!("{place:?}")));
    }
}

#[tokio::test]
async fn a_view_reaches_only_what_lies_below_it() {
    let house = house().await;
    let other = house.barrier.view(&Place::root().plain("logical").plain("mount-2"));
    let team = house.view.sub(&Place::root().path("team/"));
    put(&other, &Place::root().leaf("x"), "other").await.unwrap();
    put(&team, &Place::root().leaf("x"), "team").await.unwrap();
    house.put(&Place::root().leaf("x"), "own").await;
    assert_eq!(house.text(&Place::root().path("team/x")).await.as_deref(), Some("team"));
    let page = team.page::<Note>(&Place::root(), None, 10).await.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!((&page.items[0].place, page.items[0].value.text.as_str()), (&Place::root().leaf("x"), "team"));
    assert_eq!(house.view.page::<Note>(&Place::root(), None, 10).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn pages_go_on_where_they_ended_until_nothing_is_left() {
    let house = house().await;
    let mut names: Vec<String> = (0..25).map(|n| format!("name-{n}")).collect();
    let cred = Place::root().plain("cred");
    for name in &names {
        house.put(&cred.clone().leaf(name), name).await;
    }
    let (mut found, mut pages, mut cursor) = (Vec::new(), 0, None);
    loop {
        let page = house.view.page::<Note>(&cred, cursor.as_ref(), 10).await.unwrap();
        pages += 1;
        for item in page.items {
            let id = house.view.id(&item.place).unwrap();
            assert_eq!((item.place.name(), Some(id)), (Some(item.value.text.as_str()), item.id));
            found.push(item.value.text);
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    found.sort_unstable();
    names.sort_unstable();
    assert_eq!((found, pages), (names, 4), "three pages of records, and one that says there are no more");
}

#[tokio::test]
async fn an_id_outlives_deletion_and_leads_back_to_its_record_and_name() {
    let house = house().await;
    let place = Place::root().plain("cred").leaf("alice/bob");
    let id = house.view.id(&place).unwrap();
    house.put(&place, "one").await;
    let mut changes = Changes::new();
    changes.delete(&house.view, &place).unwrap();
    house.view.commit(changes).await.unwrap();
    house.put(&place, "two").await;
    assert_eq!(house.view.id(&place).unwrap(), id);
    let word = id.to_string();
    assert!(word.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let by_id = Place::root().plain("cred").id(&SegmentId::parse(&word).unwrap());
    assert_eq!(house.text(&by_id).await.as_deref(), Some("two"));
    assert_eq!(house.view.opened(&by_id).unwrap(), place);
    assert_eq!(SegmentId::parse("not hex"), None);
    let elsewhere = Place::root().plain("server").id(&id);
    assert!(is_corrupt(&house.view.opened(&elsewhere)), "an id means nothing under another parent");
    for no_leaf in [Place::root(), Place::root().plain("a"), Place::root().folder("a")] {
        assert!(house.view.id(&no_leaf).is_err());
    }
}

#[tokio::test]
async fn what_is_due_before_an_instant_is_one_bounded_range() {
    let house = house().await;
    let server = |name: &str| {
        let id = house.view.id(&Place::root().plain("server").leaf(name)).unwrap();
        Place::root().plain("due").plain(id.to_string())
    };
    let hex = |millis: u64| format!("{millis:016x}");
    let mut changes = Changes::new();
    for (name, millis) in [("s", 5), ("s", 10), ("s", 0xffff), ("s", 11), ("t", 1), ("t", 100)] {
        let id = house.view.id(&Place::root().plain("cred").leaf(format!("{name}{millis}"))).unwrap();
        changes.put(&house.view, &server(name).plain(hex(millis)).plain(id.to_string()), &Empty).unwrap();
    }
    house.view.commit(changes).await.unwrap();
    let due = async |limit: usize, up_to: u64| {
        let (mut instants, mut cursor) = (Vec::new(), None);
        loop {
            let page =
                house.view.keys_up_to(&server("s"), &hex(up_to), cursor.as_ref(), limit).await.unwrap();
            instants.extend(page.items.iter().map(|item| item.place.word(2).unwrap().to_owned()));
            cursor = page.next;
            if cursor.is_none() {
                return instants;
            }
        }
    };
    for limit in [1, 2, 3, 100] {
        assert_eq!(due(limit, 5).await, Vec::<String>::new(), "the bound itself is left out");
        assert_eq!(due(limit, 11).await, [hex(5), hex(10)]);
        assert_eq!(due(limit, u64::MAX).await, [hex(5), hex(10), hex(11), hex(0xffff)]);
    }
    let page = house.view.keys_up_to(&server("s"), &hex(11), None, 10).await.unwrap();
    let found = &page.items[1];
    let cred = Place::root().plain("cred").id(&SegmentId::parse(found.place.word(3).unwrap()).unwrap());
    assert_eq!(house.view.opened(&cred).unwrap().name(), Some("s10"));
    let first = house.view.first(&server("s")).await.unwrap().unwrap();
    assert_eq!(first.word(2), Some(hex(5).as_str()));
    assert_eq!(house.view.first(&server("u")).await.unwrap(), None);
    let mut servers: Vec<String> = ["s", "t"].map(|name| server(name).word(1).unwrap().to_owned()).into();
    servers.sort_unstable();
    assert_eq!(house.view.list_plain(&Place::root().plain("due")).await.unwrap(), servers);
}

#[tokio::test]
async fn changes_of_several_views_hold_together_or_not_at_all() {
    let house = house().await;
    let system = house.barrier.view(&Place::root().plain("sys"));
    let place = Place::root().leaf("x");
    let stamp = Stamp::from(house.put(&place, "old").await);
    let both = |expected: Stamp| {
        let (mut changes, mut more) = (Changes::new(), Changes::new());
        changes.put(&house.view, &place, &note("new")).unwrap();
        more.put(&system, &place, &note("sys")).unwrap().reserved();
        more.expect_absent(&system, &place).unwrap().expect(&house.view, &place, expected).unwrap();
        changes.join(more);
        assert_eq!(changes.len(), 2);
        changes
    };
    assert!(is_conflict(&house.barrier.commit(both(Stamp(stamp.0 + 1))).await));
    assert_eq!(house.text(&place).await.as_deref(), Some("old"));
    assert!(!system.exists(&place).await.unwrap());
    house.barrier.commit(both(stamp)).await.unwrap();
    assert_eq!(house.text(&place).await.as_deref(), Some("new"));
    assert!(system.exists(&place).await.unwrap());
    assert!(is_conflict(&house.barrier.commit(both(stamp)).await), "both expectations fail now");
}

#[tokio::test]
async fn no_changes_are_durable_without_a_commit_but_a_bare_expectation_is_checked() {
    let house = house().await;
    let place = Place::root().leaf("x");
    let seq = house.put(&place, "one").await;
    assert!(Changes::new().is_empty());
    assert_eq!(house.view.commit(Changes::new()).await.unwrap(), seq);
    let mut bare = Changes::new();
    bare.expect_absent(&house.view, &place).unwrap();
    assert!(!bare.is_empty());
    assert!(is_conflict(&house.view.commit(bare).await));
}

#[tokio::test]
async fn a_deposed_leader_writes_no_more() {
    let house = house().await;
    let place = Place::root().leaf("x");
    house.store.leadership().acquire().await.unwrap();
    assert!(matches!(put(&house.view, &place, "late").await, Err(StorageError::Fenced)));
    assert_eq!(house.text(&place).await, None, "reading goes on");
}

#[derive(Default)]
struct Heard(Mutex<Vec<Key>>);

impl Watcher for Heard {
    fn committed(&self, _: Seq, keys: &[Key]) {
        self.0.lock().unwrap().extend_from_slice(keys);
    }
}

#[tokio::test]
async fn a_watcher_hears_the_keys_that_the_view_names() {
    let house = house().await;
    let heard = Arc::new(Heard::default());
    let watcher: Arc<dyn Watcher> = heard.clone();
    house.barrier.watch(Arc::downgrade(&watcher));
    let place = Place::root().plain("cred").leaf("a");
    house.put(&place, "one").await;
    assert_eq!(*heard.0.lock().unwrap(), [house.view.key(&place).unwrap()]);
}

#[tokio::test]
async fn ids_of_the_barrier_are_stable_hex_and_differ_by_domain() {
    let house = house().await;
    let id = house.barrier.id("token", b"hvs.secret").unwrap();
    assert_eq!((id.len(), house.barrier.id("token", b"hvs.secret").unwrap()), (64, id.clone()));
    assert_ne!(house.barrier.id("accessor", b"hvs.secret").unwrap(), id);
}

/// Moves a record back and forth; gives back where it was last acknowledged to be, if anywhere.
async fn moves(store: Arc<FaultStore>) -> Option<&'static str> {
    let Ok(epoch) = store.leadership().acquire().await else { return None };
    let entropy = Arc::new(SeededEntropy::new(1));
    let view =
        Barrier::open(store, Keyring::generate(entropy.as_ref(), 0), epoch, entropy).view(&Place::root());
    let mut acknowledged = None;
    put(&view, &Place::root().path("a/x"), "wanderer").await.ok()?;
    acknowledged.replace("a/x");
    for (from, to) in [("a/x", "b"), ("b", "a/x"), ("a/x", "b")] {
        let (old, new) = (Place::root().path(from), Place::root().path(to));
        let Ok(Some(found)) = view.get::<Note>(&old).await else { break };
        let mut changes = Changes::new();
        changes.put(&view, &new, &found.value).unwrap().expect_absent(&view, &new).unwrap();
        changes.delete(&view, &old).unwrap().expect(&view, &old, found.stamp).unwrap();
        if view.commit(changes).await.is_err() {
            break;
        }
        acknowledged.replace(to);
    }
    acknowledged
}

#[tokio::test]
async fn a_record_that_moves_is_in_one_place_after_a_crash_at_any_operation() {
    let crashes = every_crash(moves, async |store, acknowledged: Option<&'static str>| {
        let house = house_on(store, 1).await;
        let view = house.barrier.view(&Place::root());
        let page = view.page::<Note>(&Place::root(), None, 10).await.unwrap();
        let places: Vec<String> = page.items.iter().map(|item| item.place.named_path()).collect();
        assert!(places.len() <= 1, "never in two places");
        assert!(acknowledged.is_none() || places.len() == 1, "an acknowledged record is not lost");
    })
    .await;
    assert_eq!(crashes, 16, "leadership, a put, and three times a read and a move");
}
