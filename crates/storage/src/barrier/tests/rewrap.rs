use vestal_crypto::{ClearHeader, RootKey, Sealed};

use super::*;
use crate::testing::{Fault, FaultStore, Target};
use crate::{Batch, Op, StampRule};

fn rotate(house: &House) {
    let next = house.barrier.rotated_keyring(1).unwrap();
    house.barrier.replace_keyring(next).unwrap();
}

async fn rewrap_all(barrier: &Barrier, limit: usize) -> usize {
    let (mut count, mut cursor) = (0, None);
    loop {
        let page = barrier.rewrap(cursor.as_ref(), limit).await.unwrap();
        count += page.count;
        cursor = page.next;
        if cursor.is_none() {
            return count;
        }
    }
}

async fn outdated(house: &House) -> usize {
    let stored = house.stored().await;
    let old = |stored: &&(Key, Stored)| house.barrier.with_keyring(|keys| keys.is_outdated(&stored.1.sealed));
    stored.iter().filter(|stored| old(stored).unwrap()).count()
}

#[tokio::test]
async fn rewrapping_moves_every_record_to_the_newest_term_and_changes_nothing_else() {
    let house = house().await;
    let places: Vec<Place> = (0..25).map(|n| Place::root().path(&format!("f{}/{n}", n % 3))).collect();
    for place in &places {
        house.put(place, &format!("{place:?}")).await;
    }
    rotate(&house);
    house.put(&places[0], "new").await;
    let before = house.view.page::<Note>(&Place::root(), None, 100).await.unwrap();
    assert_eq!(outdated(&house).await, 24, "new writes use the new term, old records open with theirs");
    assert_eq!(rewrap_all(&house.barrier, 10).await, 24);
    assert_eq!(outdated(&house).await, 0);
    assert_eq!(rewrap_all(&house.barrier, 10).await, 0, "there is nothing left to do");
    let after = house.view.page::<Note>(&Place::root(), None, 100).await.unwrap();
    assert_eq!(format!("{after:?}"), format!("{before:?}"), "places, values and stamps");
}

#[tokio::test]
async fn what_lies_outside_the_barrier_is_left_alone() {
    let house = house().await;
    let entropy = SeededEntropy::new(9);
    let root = RootKey::generate(&entropy);
    let wrapped = house.barrier.with_keyring(|keyring| keyring.wrap(&root, &entropy)).unwrap();
    let header = Sealed::clear(ClearHeader::from_bytes(b"seal configuration".as_slice()));
    let core = Key::root().plain("core");
    let put = |word: &str, sealed| Op::Put { key: core.plain(word), sealed, stamp: StampRule::New };
    let ops = vec![put("keyring", wrapped.clone()), put("seal", header.clone())];
    house.barrier.commit_sealed(Batch { ops, ..Batch::default() }).await.unwrap();
    house.put(&Place::root().leaf("x"), "x").await;
    rotate(&house);
    assert_eq!(rewrap_all(&house.barrier, 1).await, 1);
    for (word, sealed) in [("keyring", wrapped), ("seal", header)] {
        assert_eq!(house.store.get(&core.plain(word)).await.unwrap().unwrap().sealed, sealed, "{word}");
    }
}

#[tokio::test]
async fn a_record_changed_during_rewrapping_keeps_its_change() {
    let store = FaultStore::in_memory();
    let house = house_on(Arc::clone(&store) as Arc<dyn Physical>, 1).await;
    let place = |name: &str| Place::root().leaf(name);
    for name in ["changed", "deleted", "old-term", "untouched"] {
        house.put(&place(name), "old").await;
    }
    // Sealed before the rotation, committed after: a record that rewrapping has to meet a second time.
    let mut late = Changes::new();
    late.put(&house.view, &place("old-term"), &note("new")).unwrap();
    rotate(&house);
    store.next(Target::Commit, Fault::Hold);
    let barrier = house.barrier.clone();
    let rewrapping = tokio::spawn(async move { barrier.rewrap(None, 100).await });
    store.holding(1).await;
    house.put(&place("changed"), "new").await;
    late.delete(&house.view, &place("deleted")).unwrap();
    let seq = house.view.commit(late).await.unwrap();
    store.let_go();
    assert_eq!(rewrapping.await.unwrap().unwrap().count, 2, "the late one and the untouched one");
    assert_eq!(outdated(&house).await, 0);
    for (name, text) in
        [("changed", Some("new")), ("deleted", None), ("old-term", Some("new")), ("untouched", Some("old"))]
    {
        assert_eq!(house.text(&place(name)).await.as_deref(), text, "{name}");
    }
    assert_eq!(house.view.stamp(&place("old-term")).await.unwrap(), Some(seq.into()));
}

#[tokio::test]
async fn a_keyring_that_lacks_the_newest_term_is_refused() {
    let house = house().await;
    let old = house.barrier.with_keyring(Clone::clone).unwrap();
    rotate(&house);
    assert!(is_conflict(&house.barrier.replace_keyring(old)));
    assert_eq!(house.barrier.with_keyring(Keyring::term).unwrap(), 2);
}
