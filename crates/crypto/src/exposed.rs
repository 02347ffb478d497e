//! Writes secrets out, for records that are about to be sealed and for answers whose purpose is the secret.
//!
//! Named in an attribute (`#[serde(serialize_with = "vestal_crypto::exposed::serialize")]`), it makes each
//! place where a secret leaves its wrapper findable by one search. It does not know where the text goes.

use std::collections::BTreeMap;

use serde::ser::{Serialize, Serializer};

use crate::SecretString;

/// What may be written out in the clear when a field asks for it.
pub trait Exposable {
    /// Writes the secret itself.
    fn expose_to<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// Writes `secret` in the clear; to be named in a `serialize_with` attribute.
pub fn serialize<T: Exposable + ?Sized, S: Serializer>(secret: &T, serializer: S) -> Result<S::Ok, S::Error> {
    secret.expose_to(serializer)
}

/// Lets serde's own containers reach the contents through [`Exposable`].
struct InTheClear<'a, T: ?Sized>(&'a T);

impl<T: Exposable + ?Sized> Serialize for InTheClear<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.expose_to(serializer)
    }
}

impl Exposable for SecretString {
    fn expose_to<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<T: Exposable> Exposable for Option<T> {
    fn expose_to<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(InTheClear).serialize(serializer)
    }
}

impl<T: Exposable> Exposable for Vec<T> {
    fn expose_to<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(InTheClear))
    }
}

impl<T: Exposable> Exposable for BTreeMap<String, T> {
    fn expose_to<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, secret)| (name, InTheClear(secret))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Record {
        #[serde(serialize_with = "crate::exposed::serialize")]
        one: SecretString,
        #[serde(serialize_with = "crate::exposed::serialize", skip_serializing_if = "Option::is_none")]
        maybe: Option<SecretString>,
        #[serde(serialize_with = "crate::exposed::serialize")]
        many: Vec<SecretString>,
        #[serde(serialize_with = "crate::exposed::serialize")]
        named: BTreeMap<String, SecretString>,
    }

    #[test]
    fn every_form_of_a_secret_field_survives_a_round_trip() {
        let cases = [
            r#"{"one":"a","maybe":"b","many":["c","d"],"named":{"e":"f"}}"#,
            r#"{"one":"","many":[],"named":{}}"#,
        ];
        for json in cases {
            let record: Record = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&record).unwrap(), json);
        }
    }
}
