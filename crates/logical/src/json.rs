//! Reads the JSON of strangers, every bound in force while it is being read, and what was stored of it.
//!
//! A parser of our own, because the limits must hold before a tree exists, because serde's gives a meaning to two
//! private key names and rewrites numbers (`1e5` becomes `1e+5`), and because Go's leniencies (text that is no UTF-8,
//! half surrogates, a second value) are part of the wire. One pass, no look-back; the work per byte is constant.
//!
//! Invariants: never deeper than allowed on our own stack; a fault never holds what was read; numbers keep
//! their text; of equal keys the last wins.

use serde_json::{Map, Number, Value};

use vestal_storage::StorageError;

/// Bounds of one JSON body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// Arrays and objects within each other.
    pub depth: usize,
    /// Strings, keys included.
    pub strings: usize,
    /// Estimated bytes of the decoded tree.
    pub memory: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { depth: 128, strings: 1000, memory: (32 << 20) + (512 << 10) }
    }
}

/// What was let in once, with the levels of an envelope around it.
const STORED: JsonLimits = JsonLimits { depth: 256, strings: usize::MAX, memory: usize::MAX };

/// Why a body was not read. The text says what was met, never its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// It is no JSON.
    #[error("failed to decode JSON input: {0}")]
    Malformed(&'static str),
    /// It is another value.
    #[error("failed to decode JSON input: expected an object, found {0}")]
    NotAnObject(&'static str),
    /// It goes beyond a bound.
    #[error("refused JSON input due to high complexity: {0}")]
    Complex(&'static str),
}

const ENDS: JsonFault = JsonFault::Malformed("unexpected EOF");
const NO_VALUE: JsonFault = JsonFault::Malformed("invalid character looking for beginning of value");
const TOO_DEEP: JsonFault = JsonFault::Malformed("exceeded max depth");
const BAD_NUMBER: JsonFault = JsonFault::Malformed("invalid character in numeric literal");
const HUGE_NUMBER: JsonFault = JsonFault::Malformed("a number is out of range");
const BAD_ESCAPE: JsonFault = JsonFault::Malformed("invalid escape sequence in string");
const CONTROL: JsonFault = JsonFault::Malformed("invalid control character in string");
const TOO_MANY_STRINGS: JsonFault = JsonFault::Complex("exceeded maximum number of strings");
const TOO_MUCH_MEMORY: JsonFault = JsonFault::Complex("exceeded maximum estimated memory limits");

/// What a value costs beside its text: its own size, twice over for the growth of the array that holds it, and the
/// work and small allocations that it brings.
const VALUE_COST: usize = 128;
/// Longer numbers, and those with an exponent, are tried for being out of a float's range.
const PLAIN_NUMBER: usize = 300;

/// The members of the one object in `bytes`; nothing and `null` are no members.
pub fn object(bytes: &[u8], limits: &JsonLimits) -> Result<Map<String, Value>, JsonFault> {
    let mut reader = Reader::new(bytes, limits);
    if reader.next_byte().is_none() {
        return Ok(Map::new());
    }
    let value = reader.value()?;
    // What follows may be another value, which nobody reads.
    if reader.next_byte().is_some_and(|byte| !begins_value(byte)) {
        return Err(NO_VALUE);
    }
    match value {
        Value::Object(members) => Ok(members),
        Value::Null => Ok(Map::new()),
        Value::Bool(_) => Err(JsonFault::NotAnObject("a boolean")),
        Value::Number(_) => Err(JsonFault::NotAnObject("a number")),
        Value::String(_) => Err(JsonFault::NotAnObject("a string")),
        Value::Array(_) => Err(JsonFault::NotAnObject("an array")),
    }
}

/// What we wrote ourselves, of what a client had sent: numbers have the text that they came with.
pub fn stored(bytes: &[u8]) -> Result<Value, StorageError> {
    let mut reader = Reader::new(bytes, &STORED);
    let value = reader.value().ok().filter(|_| reader.next_byte().is_none());
    value.ok_or_else(|| StorageError::Corrupt("stored JSON cannot be read".to_owned()))
}

/// The same, of an object.
pub fn stored_object(bytes: &[u8]) -> Result<Map<String, Value>, StorageError> {
    match stored(bytes)? {
        Value::Object(members) => Ok(members),
        _ => Err(StorageError::Corrupt("stored JSON is no object".to_owned())),
    }
}

fn begins_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b't' | b'f' | b'n' | b'-' | b'0'..=b'9')
}

struct Reader<'a> {
    rest: &'a [u8],
    depth: usize,
    strings: usize,
    memory: usize,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], limits: &JsonLimits) -> Self {
        Self { rest: bytes, depth: limits.depth, strings: limits.strings, memory: limits.memory }
    }

    /// The next byte that is no blank; it stays unread.
    fn next_byte(&mut self) -> Option<u8> {
        let blanks = self.rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.skip(blanks);
        self.rest.first().copied()
    }

    fn skip(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(count).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    fn spend(&mut self, bytes: usize) -> Result<(), JsonFault> {
        self.memory = self.memory.checked_sub(bytes).ok_or(TOO_MUCH_MEMORY)?;
        Ok(())
    }

    fn value(&mut self) -> Result<Value, JsonFault> {
        self.spend(VALUE_COST)?;
        match self.next_byte().ok_or(ENDS)? {
            b'{' => self.nested(Self::members),
            b'[' => self.nested(Self::elements),
            b'"' => self.string().map(Value::String),
            b't' => self.literal(b"true", Value::Bool(true)),
            b'f' => self.literal(b"false", Value::Bool(false)),
            b'n' => self.literal(b"null", Value::Null),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(NO_VALUE),
        }
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Result<Value, JsonFault>) -> Result<Value, JsonFault> {
        self.depth = self.depth.checked_sub(1).ok_or(TOO_DEEP)?;
        self.skip(1);
        let value = inner(self)?;
        self.depth += 1;
        Ok(value)
    }

    fn members(&mut self) -> Result<Value, JsonFault> {
        const AFTER_KEY: JsonFault = JsonFault::Malformed("invalid character after object key");
        const AFTER_PAIR: JsonFault = JsonFault::Malformed("invalid character after object key:value pair");
        const NO_KEY: JsonFault =
            JsonFault::Malformed("invalid character looking for beginning of object key string");
        let mut members = Map::new();
        if self.next_byte() == Some(b'}') {
            self.skip(1);
            return Ok(Value::Object(members));
        }
        loop {
            self.expect(b'"', NO_KEY)?;
            let key = self.string()?;
            self.expect(b':', AFTER_KEY)?;
            self.skip(1);
            let value = self.value()?;
            members.insert(key, value);
            if self.closes(b'}', AFTER_PAIR)? {
                return Ok(Value::Object(members));
            }
        }
    }

    fn elements(&mut self) -> Result<Value, JsonFault> {
        const AFTER_ELEMENT: JsonFault = JsonFault::Malformed("invalid character after array element");
        let mut elements = Vec::new();
        if self.next_byte() == Some(b']') {
            self.skip(1);
            return Ok(Value::Array(elements));
        }
        // The first element makes room for four.
        self.spend(VALUE_COST)?;
        loop {
            elements.push(self.value()?);
            if self.closes(b']', AFTER_ELEMENT)? {
                return Ok(Value::Array(elements));
            }
        }
    }

    fn expect(&mut self, wanted: u8, otherwise: JsonFault) -> Result<(), JsonFault> {
        match self.next_byte() {
            Some(byte) if byte == wanted => Ok(()),
            Some(_) => Err(otherwise),
            None => Err(ENDS),
        }
    }

    /// Reads a comma or the closing bracket; tells which.
    fn closes(&mut self, bracket: u8, otherwise: JsonFault) -> Result<bool, JsonFault> {
        let byte = self.next_byte().ok_or(ENDS)?;
        if byte != bracket && byte != b',' {
            return Err(otherwise);
        }
        self.skip(1);
        Ok(byte == bracket)
    }

    fn literal(&mut self, word: &'static [u8], value: Value) -> Result<Value, JsonFault> {
        if self.rest.starts_with(word) {
            self.skip(word.len());
            return Ok(value);
        }
        Err(if word.starts_with(self.rest) {
            ENDS
        } else {
            JsonFault::Malformed("invalid character in literal")
        })
    }

    fn number(&mut self) -> Result<Value, JsonFault> {
        let start = self.rest;
        if self.rest.first() == Some(&b'-') {
            self.skip(1);
        }
        if self.rest.first() == Some(&b'0') {
            self.skip(1);
        } else {
            self.digits()?;
        }
        if self.rest.first() == Some(&b'.') {
            self.skip(1);
            self.digits()?;
        }
        let exponent = matches!(self.rest.first(), Some(b'e' | b'E'));
        if exponent {
            self.skip(1);
            if matches!(self.rest.first(), Some(b'+' | b'-')) {
                self.skip(1);
            }
            self.digits()?;
        }
        let (text, _) = start.split_at_checked(start.len() - self.rest.len()).unwrap_or((start, &[]));
        let text = str::from_utf8(text).map_err(|_| BAD_NUMBER)?;
        self.spend(text.len())?;
        if (exponent || text.len() > PLAIN_NUMBER) && text.parse::<f64>().is_ok_and(f64::is_infinite) {
            return Err(HUGE_NUMBER);
        }
        // Keeps the text as it was written; reading it a second time would not.
        Ok(Value::Number(Number::from_string_unchecked(text.to_owned())))
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let count = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(if self.rest.is_empty() { ENDS } else { BAD_NUMBER });
        }
        self.skip(count);
        Ok(())
    }

    fn string(&mut self) -> Result<String, JsonFault> {
        self.strings = self.strings.checked_sub(1).ok_or(TOO_MANY_STRINGS)?;
        self.skip(1);
        let mut text = Vec::new();
        loop {
            let plain =
                self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20)).ok_or(ENDS)?;
            self.spend(plain)?;
            text.extend_from_slice(self.skip(plain));
            match self.skip(1) {
                b"\"" => return Ok(lossy(text)),
                b"\\" => self.escape(&mut text)?,
                _ => return Err(CONTROL),
            }
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), JsonFault> {
        let letter = self.skip(1).first().copied().ok_or(ENDS)?;
        let byte = match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(text),
            _ => return Err(BAD_ESCAPE),
        };
        self.spend(1)?;
        text.push(byte);
        Ok(())
    }

    /// Half a surrogate pair becomes the replacement character.
    fn unicode(&mut self, text: &mut Vec<u8>) -> Result<(), JsonFault> {
        let unit = self.code_unit()?;
        let mut code = u32::from(unit);
        if (0xD800..0xDC00).contains(&unit) && self.rest.starts_with(b"\\u") {
            let before = self.rest;
            self.skip(2);
            let low = self.code_unit()?;
            if (0xDC00..0xE000).contains(&low) {
                code = 0x10000 + ((code - 0xD800) << 10) + (u32::from(low) - 0xDC00);
            } else {
                self.rest = before;
            }
        }
        let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.spend(c.len_utf8())?;
        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn code_unit(&mut self) -> Result<u16, JsonFault> {
        let digits = self.skip(4);
        if digits.iter().any(|byte| !byte.is_ascii_hexdigit()) {
            return Err(BAD_ESCAPE);
        }
        let digits = str::from_utf8(digits).map_err(|_| BAD_ESCAPE)?;
        if digits.len() < 4 {
            return Err(ENDS);
        }
        u16::from_str_radix(digits, 16).map_err(|_| BAD_ESCAPE)
    }
}

fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests;
