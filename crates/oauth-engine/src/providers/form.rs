//! Escapes values for queries, forms and the Basic header, in the way that providers know from Go's `url.QueryEscape`.
//!
//! The WHATWG rules of the `url` crate escape `~` and let `*` be; who compares addresses or secrets as text would see
//! another one.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but letters, digits and `-_.~`; the space has a sign of its own.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

/// One value.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string().replace(' ', "+")
}

/// `a=1&b=2`, in the order given.
pub(crate) fn pairs<N: AsRef<str>, V: AsRef<str>>(pairs: impl IntoIterator<Item = (N, V)>) -> String {
    let written = pairs
        .into_iter()
        .map(|(name, value)| format!("{}={}", encoded(name.as_ref()), encoded(value.as_ref())));
    written.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_unreserved_is_escaped_and_a_space_is_a_plus() {
        let cases = [
            ("azAZ09-_.~", "azAZ09-_.~"),
            ("a b", "a+b"),
            ("+", "%2B"),
            ("~!*()'", "~%21%2A%28%29%27"),
            ("/?&=%:@", "%2F%3F%26%3D%25%3A%40"),
            ("ä\n\u{0}", "%C3%A4%0A%00"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(encoded(text), expected, "{text:?}");
        }
        assert_eq!(pairs([("b", "1*"), ("a", "~ ")]), "b=1%2A&a=~+");
    }
}
