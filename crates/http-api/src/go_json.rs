//! Writes JSON as Go's encoder does: safe inside HTML, one line, a newline at the end.
//!
//! Invariant: `<`, `>`, `&`, U+2028 and U+2029 never appear raw. Knows nothing of what it writes.

use std::io;

use bytes::Bytes;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

const SPECIAL: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];

struct HtmlSafe;

impl Formatter for HtmlSafe {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        // 0xE2 leads the two line separators; everything else special is one byte.
        if !text.bytes().any(|byte| matches!(byte, b'<' | b'>' | b'&' | 0xE2)) {
            return writer.write_all(text.as_bytes());
        }
        for piece in text.split_inclusive(SPECIAL) {
            let special = piece.chars().next_back().filter(|last| SPECIAL.contains(last));
            writer.write_all(piece.strip_suffix(SPECIAL).unwrap_or(piece).as_bytes())?;
            if let Some(special) = special {
                write!(writer, "\\u{:04x}", u32::from(special))?;
            }
        }
        Ok(())
    }
}

/// One line of JSON.
pub(crate) fn line<T: Serialize>(content: &T) -> Result<Bytes, serde_json::Error> {
    let mut out = Vec::with_capacity(512);
    content.serialize(&mut Serializer::with_formatter(&mut out, HtmlSafe))?;
    out.push(b'\n');
    Ok(out.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_as_go_escapes_it() {
        let table = [
            ("<>&", "\"\\u003c\\u003e\\u0026\"\n"),
            ("a<b", "\"a\\u003cb\"\n"),
            ("\u{2028}x\u{2029}", "\"\\u2028x\\u2029\"\n"),
            ("\u{2020}", "\"\u{2020}\"\n"),
            (
                "\0\u{1}\u{8}\u{c}\n\r\té😀\"\\/\u{7f}",
                "\"\\u0000\\u0001\\b\\f\\n\\r\\té😀\\\"\\\\/\u{7f}\"\n",
            ),
            ("", "\"\"\n"),
        ];
        for (text, written) in table {
            assert_eq!(line(&text).unwrap(), written.as_bytes(), "{text:?}");
        }
    }

    #[test]
    fn keys_are_escaped_too() {
        assert_eq!(line(&serde_json::json!({"<": 1})).unwrap(), &b"{\"\\u003c\":1}\n"[..]);
    }
}
