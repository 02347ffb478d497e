//! What reads see: order, pages, seeks, sizes.

use std::future::Future;

use super::{Subject, deletes, folder, leaf, led, puts};
use crate::{Key, Seek};

pub(super) async fn run<F: Future<Output = Subject>>(make: &impl Fn() -> F) {
    an_empty_store_has_nothing(&led(make).await).await;
    a_record_is_read_as_it_was_written_until_it_is_deleted(&led(make).await).await;
    a_prefix_covers_itself_and_what_lies_below_and_nothing_beside(&led(make).await).await;
    a_walk_goes_on_behind_a_key_or_past_its_subtree(&led(make).await).await;
    keys_full_of_high_bytes_are_ordinary(&led(make).await).await;
    records_of_every_size_come_back_whole(&led(make).await).await;
    many_keys_come_once_each_and_in_order(&led(make).await).await;
    large_records_come_in_pages_of_bounded_size(&led(make).await).await;
}

async fn an_empty_store_has_nothing(subject: &Subject) {
    assert_eq!(subject.bytes(&Key::root().plain("a")).await, None);
    assert_eq!(subject.walk(&Key::root(), 10).await, []);
    assert!(subject.store.keys(&Key::root(), Seek::Start, 10).await.unwrap().is_empty());
}

async fn a_record_is_read_as_it_was_written_until_it_is_deleted(subject: &Subject) {
    let key = Key::root().plain("cred").plain("x");
    let first = subject.put(&key, b"one").await;
    assert_eq!(subject.bytes(&key).await.as_deref(), Some(b"one".as_slice()));
    assert!(subject.store.applied() >= first, "an answered commit is visible");
    subject.put(&key, b"two").await;
    assert_eq!(subject.bytes(&key).await.as_deref(), Some(b"two".as_slice()));
    subject.commit(deletes(&[&key])).await.unwrap();
    assert_eq!(subject.bytes(&key).await, None);
    assert_eq!(subject.walk(&Key::root(), 10).await, []);
    subject.commit(deletes(&[&key])).await.expect("deleting what is absent is fine");
}

/// Keys in and around `cred/<folder>`.
fn neighbourhood() -> (Key, Vec<Key>, Vec<Key>) {
    let cred = Key::root().plain("cred");
    let inside = folder(&cred, b"ab");
    let below = vec![
        inside.clone(),
        inside.plain("a"),
        inside.plain("a").plain("deep"),
        leaf(&inside, b""),
        leaf(&inside, b"\0"),
        leaf(&inside, &[0xff; 40]),
        folder(&inside, b"x").plain("y"),
    ];
    let beside = vec![
        cred.clone(),
        leaf(&cred, b"ab"),
        folder(&cred, b"a"),
        folder(&cred, b"abc"),
        folder(&cred, b"ac"),
        Key::root().plain("cre"),
        Key::root().plain("creds"),
        Key::root().plain("due"),
    ];
    (inside, below, beside)
}

async fn a_prefix_covers_itself_and_what_lies_below_and_nothing_beside(subject: &Subject) {
    let (prefix, mut below, beside) = neighbourhood();
    let all = below.iter().chain(&beside).map(|key| (key.clone(), key.as_bytes().to_vec()));
    subject.commit(puts(all)).await.unwrap();
    below.sort_unstable();
    for limit in 1..=below.len() + 1 {
        let walked = subject.walk(&prefix, limit).await;
        assert_eq!(walked.iter().map(|(key, ..)| key.clone()).collect::<Vec<_>>(), below, "pages of {limit}");
        assert!(walked.iter().all(|(key, bytes, _)| key.as_bytes() == bytes), "each key has its own record");
    }
    let keys = subject.store.keys(&prefix, Seek::Start, 100).await.unwrap();
    assert_eq!(keys, below, "keys alone come as pages do");
    assert_eq!(subject.walk(&Key::root(), 4).await.len(), below.len() + beside.len());
    assert_eq!(subject.walk(&Key::root().plain("absent"), 4).await, []);
}

async fn a_walk_goes_on_behind_a_key_or_past_its_subtree(subject: &Subject) {
    let (prefix, mut below, beside) = neighbourhood();
    subject.commit(puts(below.iter().chain(&beside).map(|key| (key.clone(), vec![1])))).await.unwrap();
    below.sort_unstable();
    let absent = [prefix.plain("aa"), leaf(&prefix, b"zz"), folder(&prefix, b"x"), folder(&prefix, b"")];
    for from in below.iter().chain(&absent).chain(&beside) {
        let after: Vec<Key> = below.iter().filter(|key| *key > from).cloned().collect();
        let past: Vec<Key> = after.iter().filter(|key| !from.covers(key)).cloned().collect();
        for (seek, expected) in [(Seek::After(from), after), (Seek::Past(from), past)] {
            let keys = subject.store.keys(&prefix, seek, 100).await.unwrap();
            assert_eq!(keys, expected, "keys, {seek:?}");
            let page = subject.store.page(&prefix, seek, 100).await.unwrap();
            assert_eq!(page.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), expected, "page, {seek:?}");
        }
    }
    let nothing = subject.store.keys(&prefix, Seek::Past(&prefix), 100).await.unwrap();
    assert!(nothing.is_empty(), "nothing is past the prefix and still below it");
}

async fn keys_full_of_high_bytes_are_ordinary(subject: &Subject) {
    let parent = leaf(&Key::root(), &[0xff; 3]);
    let mut keys: Vec<Key> =
        (0..4).map(|n| leaf(&parent, &vec![0xff; n])).chain([parent.clone(), parent.plain("z")]).collect();
    subject.commit(puts(keys.iter().map(|key| (key.clone(), vec![7])))).await.unwrap();
    keys.sort_unstable();
    let walked: Vec<Key> = subject.walk(&parent, 2).await.into_iter().map(|(key, ..)| key).collect();
    assert_eq!(walked, keys);
    let past = subject.store.keys(&Key::root(), Seek::Past(&parent), 10).await.unwrap();
    assert!(past.is_empty(), "nothing is past the last subtree");
}

async fn records_of_every_size_come_back_whole(subject: &Subject) {
    let sizes = [1, 100, 4096, (64 << 10) - 1, 64 << 10, (64 << 10) + 1, 200_000, (1 << 20) + 64];
    let keys: Vec<Key> = sizes.iter().map(|size| Key::root().plain(&format!("{size:08}"))).collect();
    let body = |size: usize| (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect::<Vec<u8>>();
    for (key, size) in keys.iter().zip(sizes) {
        subject.put(key, &body(size)).await;
    }
    for (key, size) in keys.iter().zip(sizes) {
        assert!(subject.bytes(key).await.unwrap() == body(size), "a record of {size} bytes");
    }
    let walked = subject.walk(&Key::root(), 3).await;
    assert_eq!(walked.iter().map(|(key, ..)| key.clone()).collect::<Vec<_>>(), keys);
    assert!(walked.iter().zip(sizes).all(|((_, bytes, _), size)| *bytes == body(size)));
    // A large record that becomes small, or goes, leaves nothing behind.
    for key in &keys {
        subject.put(key, b"small").await;
    }
    assert!(subject.walk(&Key::root(), 3).await.iter().all(|(_, bytes, _)| bytes == b"small"));
    for (key, size) in keys.iter().zip(sizes) {
        subject.put(key, &body(size)).await;
    }
    subject.commit(deletes(&keys.iter().collect::<Vec<_>>())).await.unwrap();
    assert_eq!(subject.walk(&Key::root(), 3).await, []);
    assert_eq!(subject.store.keys(&Key::root(), Seek::Start, 10).await.unwrap(), []);
}

async fn many_keys_come_once_each_and_in_order(subject: &Subject) {
    let parent = Key::root().plain("many");
    let mut keys: Vec<Key> =
        (0..3000_u32).map(|n| leaf(&parent, &n.wrapping_mul(2_654_435_761).to_be_bytes())).collect();
    for chunk in keys.chunks(100) {
        subject.commit(puts(chunk.iter().map(|key| (key.clone(), key.as_bytes().to_vec())))).await.unwrap();
    }
    keys.sort_unstable();
    let walked = subject.walk(&parent, 97).await;
    assert_eq!(walked.len(), keys.len());
    assert!(
        walked
            .iter()
            .zip(&keys)
            .all(|((key, bytes, _), expected)| key == expected && bytes == key.as_bytes())
    );
}

async fn large_records_come_in_pages_of_bounded_size(subject: &Subject) {
    let parent = Key::root().plain("large");
    let keys: Vec<Key> = (0..24_u8).map(|n| leaf(&parent, &[n])).collect();
    for key in &keys {
        subject.put(key, &vec![9; 1 << 20]).await;
    }
    let page = subject.store.page(&parent, Seek::Start, 1000).await.unwrap();
    assert!(!page.is_empty() && page.len() < keys.len(), "24 MiB are no single page");
    let walked = subject.walk(&parent, 1000).await;
    assert_eq!(walked.into_iter().map(|(key, ..)| key).collect::<Vec<_>>(), keys);
}
