//! Builds the same tree from JSON.
//!
//! JSON as RFC 8259 has it, except that a comma may stand before a closing bracket, as HCL readers have always allowed.
//! What is cut short, or goes on after the object, is refused: half a policy is no policy.

use crate::cursor::Cursor;
use crate::{Body, Item, Key, MAX_DEPTH, ParseError, Position, Value, labels, number};

pub(crate) fn parse(text: &str) -> Result<Body, ParseError> {
    let mut reader = Reader { cursor: Cursor::new(text), depth: 0 };
    reader.skip();
    let body = reader.object()?;
    reader.skip();
    match reader.cursor.peek() {
        None => labels::join(body),
        Some(_) => Err(ParseError::new(reader.cursor.at(), "expected the end after the JSON object")),
    }
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    depth: usize,
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.cursor.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
    }

    /// What is wrong here, in terms of what was expected.
    fn missing(&self, expected: &str) -> ParseError {
        let found = if self.cursor.peek().is_none() { "the end" } else { "something else" };
        ParseError::expected(self.cursor.at(), expected, found)
    }

    /// Passes over an opening bracket.
    fn enter(&mut self) -> Result<(), ParseError> {
        if self.depth > MAX_DEPTH {
            return Err(ParseError::too_deep(self.cursor.at()));
        }
        self.depth += 1;
        self.cursor.bump();
        self.skip();
        Ok(())
    }

    /// Passes over what may stand after a member: `true` if that was the closing bracket.
    fn leave(&mut self, close: char, expected: &str) -> Result<bool, ParseError> {
        self.skip();
        let comma = self.cursor.eat(',');
        self.skip();
        if self.cursor.eat(close) {
            self.depth -= 1;
            return Ok(true);
        }
        if comma { Ok(false) } else { Err(self.missing(expected)) }
    }

    fn object(&mut self) -> Result<Body, ParseError> {
        self.enter()?;
        let mut items = Vec::new();
        if self.cursor.eat('}') {
            self.depth -= 1;
            return Ok(Body { items });
        }
        loop {
            let at = self.cursor.at();
            if self.cursor.peek() != Some('"') {
                return Err(self.missing("a quoted key or `}`"));
            }
            let key = Key { text: self.text()?, quoted: true, at };
            self.skip();
            if !self.cursor.eat(':') {
                return Err(self.missing("`:`"));
            }
            self.skip();
            let value = self.value()?;
            items.push(Item { keys: vec![key], value, assigned: true });
            if self.leave('}', "`,` or `}`")? {
                return Ok(Body { items });
            }
        }
    }

    fn list(&mut self) -> Result<Value, ParseError> {
        self.enter()?;
        let mut values = Vec::new();
        if self.cursor.eat(']') {
            self.depth -= 1;
            return Ok(Value::List(values));
        }
        loop {
            values.push(self.value()?);
            if self.leave(']', "`,` or `]`")? {
                return Ok(Value::List(values));
            }
        }
    }

    fn value(&mut self) -> Result<Value, ParseError> {
        match self.cursor.peek() {
            Some('{') => self.object().map(Value::Object),
            Some('[') => self.list(),
            Some('"') => self.text().map(Value::Text),
            Some('-' | '0'..='9') => self.number(),
            Some(letter) if letter.is_ascii_lowercase() => self.word(),
            _ => Err(self.missing("a value")),
        }
    }

    fn word(&mut self) -> Result<Value, ParseError> {
        let at = self.cursor.at();
        match self.cursor.take_while(|c| c.is_ascii_alphanumeric()) {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            "null" => Ok(Value::Null),
            _ => Err(ParseError::expected(at, "a value", "a bare word")),
        }
    }

    fn number(&mut self) -> Result<Value, ParseError> {
        let at = self.cursor.at();
        let text = self.cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
        if !is_number(text) {
            return Err(ParseError::new(at, "the number is malformed"));
        }
        number::of_json(at, text)
    }

    fn text(&mut self) -> Result<String, ParseError> {
        let start = self.cursor.at();
        self.cursor.bump();
        let mut text = String::new();
        loop {
            let at = self.cursor.at();
            match self.cursor.bump() {
                None => return Err(ParseError::new(start, "the quoted text that starts here does not end")),
                Some('\n' | '\r' | '\0') => {
                    return Err(ParseError::new(at, "a quoted text must end on its own line"));
                }
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape(at)?),
                Some(other) => text.push(other),
            }
        }
    }

    fn escape(&mut self, at: Position) -> Result<char, ParseError> {
        match self.cursor.bump() {
            Some(same @ ('"' | '\\' | '/')) => Ok(same),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some('n') => Ok('\n'),
            Some('r') => Ok('\r'),
            Some('t') => Ok('\t'),
            Some('u') => self.code(at),
            _ => Err(ParseError::new(at, "unknown escape")),
        }
    }

    /// A `\u` escape, or two that make one character.
    fn code(&mut self, at: Position) -> Result<char, ParseError> {
        let no_character = || ParseError::new(at, "the escape stands for no character");
        let first = self.unit(at)?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first).ok_or_else(no_character);
        }
        if !(self.cursor.eat('\\') && self.cursor.eat('u')) {
            return Err(no_character());
        }
        let second = self.unit(at)?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or_else(no_character)?;
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + low).ok_or_else(no_character)
    }

    fn unit(&mut self, at: Position) -> Result<u32, ParseError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.cursor.bump().and_then(|c| c.to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| ParseError::new(at, "the escape needs 4 digits"))?;
        }
        Ok(unit)
    }
}

/// Whether RFC 8259 calls this a number.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = whole.len() > 1 && whole.starts_with('0');
    digits(whole) && !leading_zero && fraction.is_none_or(digits) && exponent.is_none_or(digits)
}
