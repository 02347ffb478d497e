use super::*;
use crate::barrier::{NAME_LIMIT, RECORD_LIMIT};
use crate::{Empty, RawBytes, Record};

/// The same record in a later version of the program.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct NewNote {
    words: Vec<String>,
}

impl Record for NewNote {
    const VERSION: u8 = 2;

    fn upgrade(version: u8, body: &[u8]) -> Result<Self, StorageError> {
        assert_eq!(version, Note::VERSION);
        let old = Note::decode(body)?;
        Ok(Self { words: old.text.split(' ').map(str::to_owned).collect() })
    }
}

#[tokio::test]
async fn an_older_version_is_upgraded_and_a_newer_one_refused() {
    let house = house().await;
    let place = Place::root().leaf("x");
    house.put(&place, "two words").await;
    let upgraded = house.view.get::<NewNote>(&place).await.unwrap().unwrap();
    assert_eq!(upgraded.words, ["two", "words"]);
    let mut changes = Changes::new();
    changes.put(&house.view, &place, &upgraded.value).unwrap();
    house.view.commit(changes).await.unwrap();
    let refused = house.view.get::<Note>(&place).await.unwrap_err();
    assert!(matches!(&refused, StorageError::Corrupt(text) if text.contains("version 2")), "{refused}");
    assert!(is_corrupt(&house.view.get::<Empty>(&place).await));
}

#[tokio::test]
async fn an_older_version_without_an_upgrade_is_refused() {
    #[derive(Serialize, Deserialize)]
    struct Third;
    impl Record for Third {
        const VERSION: u8 = 3;
    }
    let house = house().await;
    let place = Place::root().leaf("x");
    house.put(&place, "x").await;
    assert!(is_corrupt(&house.view.get::<Third>(&place).await));
}

#[tokio::test]
async fn a_record_that_does_not_read_as_its_type_says_so_without_quoting_it() {
    #[derive(Debug, Serialize, Deserialize)]
    struct Number {
        text: u64,
    }
    impl Record for Number {
        const VERSION: u8 = 1;
    }
    let house = house().await;
    let place = Place::root().leaf("x");
    house.put(&place, "canary").await;
    let error = house.view.get::<Number>(&place).await.unwrap_err();
    assert!(matches!(&error, StorageError::Corrupt(text) if !text.contains("canary")), "{error}");
}

#[tokio::test]
async fn numbers_keep_their_text() {
    #[derive(Serialize, Deserialize)]
    struct Data(Box<serde_json::value::RawValue>);
    impl Record for Data {
        const VERSION: u8 = 1;
    }
    let house = house().await;
    let json =
        r#"{"pi":3.14159265358979323846264338327950288,"e":1e400,"big":123456789012345678901234567890}"#;
    let place = Place::root().leaf("x");
    let mut changes = Changes::new();
    changes.put(&house.view, &place, &Data(serde_json::value::to_raw_value(json).unwrap())).unwrap();
    let raw: Box<serde_json::value::RawValue> = serde_json::from_str(json).unwrap();
    changes.put(&house.view, &place, &Data(raw)).unwrap();
    house.view.commit(changes).await.unwrap();
    assert_eq!(house.view.get::<Data>(&place).await.unwrap().unwrap().0.get(), json);
}

#[tokio::test]
async fn raw_bytes_and_empty_records_come_back_as_they_are() {
    let house = house().await;
    let (raw, empty) = (Place::root().leaf("raw"), Place::root().leaf("empty"));
    let bytes: Vec<u8> = (0..=255).collect();
    let mut changes = Changes::new();
    changes.put(&house.view, &raw, &RawBytes::new(bytes.clone())).unwrap();
    changes.put(&house.view, &empty, &Empty).unwrap();
    house.view.commit(changes).await.unwrap();
    assert_eq!(house.view.get::<RawBytes>(&raw).await.unwrap().unwrap().as_bytes(), bytes);
    assert_eq!(house.view.get::<Empty>(&empty).await.unwrap().unwrap().value, Empty);
    assert!(is_corrupt(&house.view.get::<Empty>(&raw).await), "an index entry has no body");
}

#[tokio::test]
async fn a_record_up_to_a_mebibyte_is_kept_and_a_larger_one_refused() {
    let house = house().await;
    let place = Place::root().leaf("x");
    // Version and, for JSON, `{"text":""}` are part of the record.
    let around = 1 + r#"{"text":""}"#.len();
    let largest = "x".repeat(RECORD_LIMIT - around);
    house.put(&place, &largest).await;
    assert_eq!(house.text(&place).await.as_deref(), Some(largest.as_str()));
    let too_large = |answer: Result<&mut Changes, StorageError>| {
        assert!(matches!(answer, Err(StorageError::TooLarge { limit: RECORD_LIMIT })), "{answer:?}");
    };
    too_large(Changes::new().put(&house.view, &place, &note(&format!("{largest}x"))));
    too_large(Changes::new().put(&house.view, &place, &RawBytes::new(vec![0; RECORD_LIMIT])));
    Changes::new().put(&house.view, &place, &RawBytes::new(vec![0; RECORD_LIMIT - 1])).unwrap();
}

#[tokio::test]
async fn a_name_of_any_allowed_length_has_an_id_that_fits_into_a_key() {
    let house = house().await;
    let longest = Place::root().leaf("n".repeat(NAME_LIMIT));
    house.put(&longest, "x").await;
    let id = house.view.id(&longest).unwrap();
    let index = Place::root().plain("by-id").plain(id.to_string());
    house.put(&index, "y").await;
    assert_eq!(house.text(&longest).await.as_deref(), Some("x"));
    assert_eq!(house.text(&index).await.as_deref(), Some("y"));
    assert_eq!(house.view.first(&Place::root().plain("by-id")).await.unwrap(), Some(index));
    let longer = Place::root().leaf("n".repeat(NAME_LIMIT + 1));
    for answer in [house.view.key(&longer), house.view.key(&Place::root().folder("n".repeat(NAME_LIMIT + 1)))]
    {
        assert!(matches!(answer, Err(StorageError::TooLarge { limit: NAME_LIMIT })));
    }
}

#[tokio::test]
async fn a_word_that_no_key_can_hold_is_refused() {
    let house = house().await;
    let word = Place::root().plain("w".repeat(1 << 16));
    assert!(matches!(house.view.key(&word), Err(StorageError::TooLarge { .. })));
}
