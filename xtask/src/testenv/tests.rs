use std::cell::Cell;

use super::stamped;

#[test]
fn a_part_is_made_once_and_again_only_when_its_list_changes_or_it_was_not_finished() {
    let folder = std::env::temp_dir().join(format!("vestal-xtask-stamp-{}", std::process::id()));
    let count = Cell::new(0);
    let make = |inputs: &str, works: bool| {
        stamped(&folder, inputs, || {
            count.set(count.get() + 1);
            assert_eq!(std::fs::read_dir(&folder)?.count(), 0, "a part is made in an empty folder");
            std::fs::write(folder.join("content"), inputs)?;
            if works { Ok(()) } else { anyhow::bail!("no network") }
        })
    };
    assert!(make("one", false).is_err());
    assert!(make("one", true).is_ok());
    assert!(make("one", true).is_ok());
    assert_eq!(count.get(), 2, "unfinished: again; finished: not again");
    assert!(make("two", true).is_ok());
    assert_eq!(count.get(), 3, "another list");
    std::fs::remove_dir_all(&folder).unwrap();
}
