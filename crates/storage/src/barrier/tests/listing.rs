use super::*;
use crate::Child;
use crate::testing::{Counting, FaultStore};

fn shown(children: &[Child]) -> Vec<String> {
    children.iter().map(Child::shown).collect()
}

#[tokio::test]
async fn a_list_shows_each_child_once_sorted_by_bytes_as_vault_does() {
    let house = house().await;
    let data = Place::root().plain("data");
    for path in ["b", "a/x", "a/y/z", "a", "a b", "a-b/c", "é", "Z", "a0"] {
        house.put(&data.clone().path(path), path).await;
    }
    let listed = house.view.list(&data).await.unwrap();
    assert_eq!(shown(&listed), ["Z", "a", "a b", "a-b/", "a/", "a0", "b", "é"]);
    assert_eq!(shown(&house.view.list(&data.clone().path("a/")).await.unwrap()), ["x", "y/"]);
    assert!(house.view.list(&data.clone().path("absent/")).await.unwrap().is_empty());
    assert!(house.view.list(&data.path("b/")).await.unwrap().is_empty(), "a leaf is no folder");
}

#[tokio::test]
async fn records_below_a_leaf_show_as_that_leaf_and_words_do_not_show() {
    let house = house().await;
    for place in [
        Place::root().leaf("doc").plain("1"),
        Place::root().leaf("doc").plain("2"),
        Place::root().plain("hidden"),
        Place::root(),
    ] {
        house.put(&place, "x").await;
    }
    assert_eq!(shown(&house.view.list(&Place::root()).await.unwrap()), ["doc"]);
    assert_eq!(house.view.list_plain(&Place::root()).await.unwrap(), ["hidden"]);
    assert_eq!(house.view.list_plain(&Place::root().leaf("doc")).await.unwrap(), ["1", "2"]);
}

#[tokio::test]
async fn what_lies_below_a_child_is_skipped_and_not_read() {
    let store = Arc::new(Counting::default());
    let house = house_on(Arc::clone(&store) as Arc<dyn Physical>, 1).await;
    for folder in 0..20 {
        let mut changes = Changes::new();
        for leaf in 0..500 {
            changes.put(&house.view, &Place::root().path(&format!("{folder}/{leaf}")), &note("x")).unwrap();
        }
        house.view.commit(changes).await.unwrap();
    }
    store.taken();
    assert_eq!(house.view.list(&Place::root()).await.unwrap().len(), 20);
    let (_, read, _) = store.taken();
    assert!(read < 400, "{read} of 10 000 keys were read to list 20 folders");
}

#[tokio::test]
async fn a_list_of_a_wide_folder_is_complete() {
    let house = house().await;
    let mut names: Vec<String> = (0..5000).map(|n| format!("n{n}")).collect();
    for chunk in names.chunks(500) {
        let mut changes = Changes::new();
        for name in chunk {
            changes.put(&house.view, &Place::root().leaf(name), &note("x")).unwrap();
        }
        house.view.commit(changes).await.unwrap();
    }
    names.sort_unstable();
    assert_eq!(shown(&house.view.list(&Place::root()).await.unwrap()), names);
}

#[tokio::test]
async fn a_list_that_the_store_refuses_is_refused_whole() {
    let store = FaultStore::in_memory();
    let house = house_on(Arc::clone(&store) as Arc<dyn Physical>, 1).await;
    for n in 0..300 {
        house.put(&Place::root().path(&format!("{n}")), "x").await;
    }
    store.at(store.operations() + 2, crate::testing::Fault::Refuse);
    assert!(matches!(house.view.list(&Place::root()).await, Err(StorageError::Unavailable(_))));
}
