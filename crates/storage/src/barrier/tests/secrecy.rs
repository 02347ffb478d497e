use super::*;
use crate::{Batch, Empty, Part};

const CANARY: &str = "canary";

#[tokio::test]
async fn nothing_that_a_user_chose_is_found_in_a_stored_key_or_value_or_a_debug_text() {
    let house = house().await;
    let places = [
        Place::root().plain("cred").leaf("canary"),
        Place::root().plain("cred").leaf("canary-with-more"),
        Place::root().plain("data").path("canary/canary/canary"),
        Place::root().plain("data").path("canary/"),
        Place::root().folder("canary").plain("word").leaf("canary"),
    ];
    let mut debug = Vec::new();
    for place in &places {
        house.put(place, "canary").await;
        let mut changes = Changes::new();
        let index = match house.view.id(place) {
            Ok(id) => Place::root().plain("due").plain(id.to_string()),
            Err(_) => Place::root().plain("due").plain("none"),
        };
        changes.put(&house.view, &index, &Empty).unwrap();
        debug.push(format!("{place:?} {:?} {changes:?}", house.view.key(place)));
        house.view.commit(changes).await.unwrap();
        let sub = house.view.sub(place);
        debug.push(format!("{sub:?}"));
    }
    let keys = house.view.keys(&Place::root(), None, 100).await.unwrap();
    let listed = house.view.list(&Place::root().plain("data")).await.unwrap();
    debug.push(format!("{:?} {keys:?} {listed:?}", house.barrier));
    for text in debug {
        assert!(!text.contains(CANARY), "{text}");
    }

    let forms: [Vec<u8>; 3] = [CANARY.into(), hex::encode(CANARY).into(), b"Y2FuYXJ5".to_vec()];
    let stored = house.stored().await;
    assert!(stored.len() > places.len());
    for (key, stored) in stored {
        for bytes in [key.as_bytes(), stored.sealed.as_bytes()] {
            for form in &forms {
                assert!(!bytes.windows(form.len()).any(|window| window == form), "{key:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_same_name_is_sealed_differently_under_each_parent_and_as_each_kind() {
    let house = house().await;
    let parents = [
        Place::root(),
        Place::root().plain("cred"),
        Place::root().plain("server"),
        Place::root().folder("name"),
        Place::root().folder("name").folder("name"),
        Place::root().leaf("name"),
    ];
    let mut sealed = Vec::new();
    for parent in parents {
        for part in [Part::Leaf("name".to_owned()), Part::Folder("name".to_owned())] {
            let key = house.view.key(&parent.clone().with(part)).unwrap();
            let bytes = match key.segments().unwrap().pop().unwrap() {
                crate::Segment::Leaf(bytes) | crate::Segment::Folder(bytes) => bytes,
                crate::Segment::Plain(word) => panic!("{word} is not sealed"),
            };
            sealed.push(bytes);
        }
    }
    let other = house.barrier.view(&Place::root().plain("logical").plain("mount-2"));
    sealed.push(other.id(&Place::root().leaf("name")).unwrap().as_bytes().to_vec());
    let all = sealed.len();
    sealed.sort_unstable();
    sealed.dedup();
    assert_eq!(sealed.len(), all);
}

#[tokio::test]
async fn an_emptied_barrier_answers_sealed_to_everyone_who_still_holds_it() {
    let house = house().await;
    let place = Place::root().plain("cred").leaf("x");
    house.put(&place, "x").await;
    let before = house.view.sub(&Place::root().plain("cred"));
    let mut made_before = Changes::new();
    made_before.put(&house.view, &place, &note("late")).unwrap();
    house.barrier.clone().empty();
    assert!(house.barrier.is_empty());

    let root = Place::root();
    let after = house.view.sub(&root);
    let anew = house.barrier.view(&root);
    for view in [&house.view, &before, &after, &anew] {
        for place in [&place, &root, &root.clone().plain("absent")] {
            assert!(is_sealed(&view.get::<Note>(place).await));
            assert!(is_sealed(&view.exists(place).await));
            assert!(is_sealed(&view.page::<Note>(place, None, 1).await));
            assert!(is_sealed(&view.keys(place, None, 1).await));
            assert!(is_sealed(&view.keys_up_to(place, "z", None, 1).await));
            assert!(is_sealed(&view.list(place).await));
            assert!(is_sealed(&view.list_plain(place).await));
            assert!(is_sealed(&view.first(place).await));
            assert!(is_sealed(&view.id(place)));
            assert!(is_sealed(&view.key(place)));
            assert!(is_sealed(&view.opened(place)));
            assert!(is_sealed(&Changes::new().put(view, place, &Empty)));
            assert!(is_sealed(&Changes::new().delete(view, place)));
        }
    }
    assert!(is_sealed(&house.barrier.commit(made_before).await));
    assert!(is_sealed(&house.barrier.commit(Changes::new()).await));
    assert!(is_sealed(&house.barrier.commit_sealed(Batch::default()).await));
    assert!(is_sealed(&house.barrier.id("token", b"x")));
    assert!(is_sealed(&house.barrier.rewrap(None, 10).await));
    assert!(is_sealed(&house.barrier.rotated_keyring(0)));
    assert!(is_sealed(&house.barrier.replace_keyring(Keyring::generate(&SeededEntropy::new(1), 0))));
    assert_eq!(house.stored().await.len(), 1, "nothing was written");
}
