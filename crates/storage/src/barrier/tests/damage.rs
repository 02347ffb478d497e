use vestal_crypto::Sealed;

use super::*;
use crate::{Batch, Op, StampRule};

/// Puts bytes into the store behind the barrier's back.
async fn plant(house: &House, key: &Key, bytes: Vec<u8>) {
    let op = Op::Put { key: key.clone(), sealed: Sealed::read_back(bytes), stamp: StampRule::Keep };
    let batch = Batch { ops: vec![op], epoch: house.barrier.epoch(), ..Batch::default() };
    house.store.commit(batch).await.unwrap();
}

async fn remove(house: &House, key: &Key) {
    let ops = vec![Op::Delete { key: key.clone() }];
    house.store.commit(Batch { ops, epoch: house.barrier.epoch(), ..Batch::default() }).await.unwrap();
}

#[tokio::test]
async fn damage_to_any_byte_of_a_record_is_noticed() {
    let house = house().await;
    let place = Place::root().plain("cred").leaf("alice");
    house.put(&place, "some text that is long enough").await;
    let key = house.view.key(&place).unwrap();
    let intact = house.stored().await.remove(0).1.sealed.into_bytes();
    let mut damaged: Vec<Vec<u8>> = (0..intact.len()).map(|length| intact[..length].to_vec()).collect();
    for at in 0..intact.len() {
        for bit in [1, 0x80] {
            let mut bytes = intact.clone();
            bytes[at] ^= bit;
            damaged.push(bytes);
        }
    }
    damaged.push([intact.as_slice(), b"x"].concat());
    damaged.push(vec![0xff; 2000]);
    for bytes in damaged {
        plant(&house, &key, bytes.clone()).await;
        assert!(is_corrupt(&house.view.get::<Note>(&place).await), "{bytes:?}");
        assert!(is_corrupt(&house.view.page::<Note>(&Place::root(), None, 10).await), "{bytes:?}");
    }
    plant(&house, &key, intact).await;
    assert!(house.text(&place).await.is_some());
}

#[tokio::test]
async fn damage_to_any_byte_of_a_name_is_noticed() {
    let house = house().await;
    let folder = Place::root().plain("data");
    let place = folder.clone().path("team/password");
    house.put(&place, "x").await;
    let (key, stored) = house.stored().await.remove(0);
    let start = house.view.key(&folder).unwrap().as_bytes().len();
    remove(&house, &key).await;
    let mut tried = 0;
    for at in start..key.as_bytes().len() {
        for bit in [1, 0x40] {
            let mut bytes = key.as_bytes().to_vec();
            bytes[at] ^= bit;
            // Only what is still a path of segments can lie in a store.
            let Some(damaged) = Key::decode(&bytes) else { continue };
            plant(&house, &damaged, stored.sealed.clone().into_bytes()).await;
            let answer = house.view.page::<Note>(&folder, None, 10).await;
            assert!(is_corrupt(&answer), "byte {at}: {answer:?}");
            assert!(is_corrupt(&house.view.keys(&folder, None, 10).await) || bytes[at] == 1, "byte {at}");
            assert_eq!(house.text(&place).await, None);
            remove(&house, &damaged).await;
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
    plant(&house, &key, stored.sealed.into_bytes()).await;
    assert_eq!(house.text(&place).await.as_deref(), Some("x"));
}

#[tokio::test]
async fn a_record_moved_to_another_place_does_not_open() {
    let house = house().await;
    let (mine, theirs) = (Place::root().leaf("mine"), Place::root().leaf("theirs"));
    house.put(&mine, "x").await;
    let sealed = house.stored().await.remove(0).1.sealed;
    plant(&house, &house.view.key(&theirs).unwrap(), sealed.into_bytes()).await;
    assert!(is_corrupt(&house.view.get::<Note>(&theirs).await));
    assert_eq!(house.text(&mine).await.as_deref(), Some("x"));
}

#[tokio::test]
async fn a_header_in_the_clear_is_no_record() {
    let house = house().await;
    let place = Place::root().leaf("x");
    let key = house.view.key(&place).unwrap();
    plant(&house, &key, b"\0{\"text\":\"forged\"}".to_vec()).await;
    assert!(is_corrupt(&house.view.get::<Note>(&place).await));
}

#[tokio::test]
async fn another_keyring_finds_nothing_by_name_and_opens_nothing() {
    let house = house().await;
    house.put(&Place::root().path("a/b"), "x").await;
    house.put(&Place::root().plain("word"), "x").await;
    let stranger = house_on(Arc::clone(&house.store), 2).await;
    assert_eq!(stranger.text(&Place::root().path("a/b")).await, None);
    assert!(is_corrupt(&stranger.view.get::<Note>(&Place::root().plain("word")).await));
    assert!(is_corrupt(&stranger.view.page::<Note>(&Place::root(), None, 10).await));
    assert!(is_corrupt(&stranger.view.keys(&Place::root(), None, 10).await));
    assert!(is_corrupt(&stranger.view.list(&Place::root()).await));
}
