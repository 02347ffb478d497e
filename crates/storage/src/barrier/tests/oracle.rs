//! Random lives of a view, compared with a sorted map.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::{Child, Part};

type Oracle = BTreeMap<Place, String>;

#[derive(Debug, Clone)]
enum Step {
    Put(Place, String),
    Delete(Place),
}

/// Few names, so that places meet; odd ones among them.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "ab", "a b", "", "é", "a/b", "b/", "\0"]).prop_map(str::to_owned),
        1 => ".{0,12}",
    ]
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        prop::sample::select(vec!["a", "due", "0000"]).prop_map(|word| Part::Plain(word.to_owned())),
        name().prop_map(Part::Leaf),
        name().prop_map(Part::Folder),
    ]
}

fn place(parts: std::ops::Range<usize>) -> impl Strategy<Value = Place> {
    prop::collection::vec(part(), parts).prop_map(|parts| parts.into_iter().fold(Place::root(), Place::with))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (place(0..4), "[a-z]{0,20}").prop_map(|(place, text)| Step::Put(place, text)),
        1 => place(0..4).prop_map(Step::Delete),
    ]
}

fn below<'o>(oracle: &'o Oracle, prefix: &'o Place) -> impl Iterator<Item = (&'o Place, &'o String)> {
    oracle.iter().filter(|(place, _)| place.parts().starts_with(prefix.parts()))
}

fn next_parts(oracle: &Oracle, folder: &Place) -> BTreeSet<Part> {
    below(oracle, folder).filter_map(|(place, _)| place.parts().get(folder.parts().len()).cloned()).collect()
}

async fn agrees(house: &House, oracle: &Oracle, prefix: &Place, limit: usize) {
    let (mut walked, mut keys, mut cursor) = (Oracle::new(), BTreeSet::new(), None);
    loop {
        let page = house.view.page::<Note>(prefix, cursor.as_ref(), limit).await.unwrap();
        assert!(page.items.len() <= limit);
        for item in page.items {
            assert_eq!(house.view.stamp(&item.place).await.unwrap(), Some(item.stamp));
            assert!(walked.insert(item.place, item.value.text).is_none(), "each record comes once");
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    loop {
        let page = house.view.keys(prefix, cursor.as_ref(), limit).await.unwrap();
        keys.extend(page.items.into_iter().map(|item| item.place));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Oracle = below(oracle, prefix).map(|(place, text)| (place.clone(), text.clone())).collect();
    assert_eq!(keys, expected.keys().cloned().collect());
    assert_eq!(walked, expected);

    let parts = next_parts(oracle, prefix);
    let mut children: Vec<Child> = parts
        .iter()
        .filter_map(|part| match part {
            Part::Leaf(name) => Some(Child::Leaf(name.clone())),
            Part::Folder(name) => Some(Child::Folder(name.clone())),
            Part::Plain(_) | Part::Id(_) => None,
        })
        .collect();
    children.sort_by_key(|child| (child.shown().into_bytes(), matches!(child, Child::Folder(_))));
    assert!(house.view.list(prefix).await.unwrap() == children);
    let words: Vec<String> = parts
        .iter()
        .filter_map(|part| if let Part::Plain(word) = part { Some(word.clone()) } else { None })
        .collect();
    assert_eq!(house.view.list_plain(prefix).await.unwrap(), words);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_view_is_a_sorted_map_of_places(
        steps in prop::collection::vec(step(), 1..40),
        absent in place(0..4),
        limit in 1_usize..9,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let house = house().await;
            // Another mount with the same places must not shine through.
            let other = house.barrier.view(&Place::root().plain("logical").plain("mount-2"));
            let mut oracle = Oracle::new();
            for step in &steps {
                match step {
                    Step::Put(place, text) => {
                        house.put(place, text).await;
                        put(&other, place, "other").await.unwrap();
                        oracle.insert(place.clone(), text.clone());
                    }
                    Step::Delete(place) => {
                        let mut changes = Changes::new();
                        changes.delete(&house.view, place).unwrap();
                        house.view.commit(changes).await.unwrap();
                        oracle.remove(place);
                    }
                }
            }
            let mut prefixes: BTreeSet<Place> = [Place::root(), absent].into();
            for Step::Put(place, _) | Step::Delete(place) in &steps {
                assert_eq!(house.text(place).await.as_ref(), oracle.get(place));
                for depth in 1..=place.parts().len() {
                    prefixes.insert(place.parts()[..depth].iter().cloned().fold(Place::root(), Place::with));
                }
            }
            for prefix in &prefixes {
                agrees(&house, &oracle, prefix, limit).await;
            }
        });
    }
}
