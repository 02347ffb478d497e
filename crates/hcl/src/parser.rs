//! Builds the tree of an HCL 1 text.

use crate::scanner::{Scanner, Token};
use crate::{Body, Item, Key, MAX_DEPTH, ParseError, Position, Value};

pub(crate) fn parse(text: &str) -> Result<Body, ParseError> {
    // Line ends are one character inside heredocs too, whatever system wrote the file.
    let unix = text.contains("\r\n").then(|| text.replace("\r\n", "\n"));
    let mut parser =
        Parser { scanner: Scanner::new(unix.as_deref().unwrap_or(text)), pushed_back: None, depth: 0 };
    parser.body(false)
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    pushed_back: Option<(Position, Token)>,
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Result<(Position, Token), ParseError> {
        match self.pushed_back.take() {
            Some(token) => Ok(token),
            None => self.scanner.next(),
        }
    }

    /// Items up to the closing brace of a nested body, or to the end of the text.
    fn body(&mut self, nested: bool) -> Result<Body, ParseError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (_, Token::CloseBrace) if nested => break,
                (_, Token::End) if !nested => break,
                (at, Token::End) => return Err(ParseError::expected(at, "a key or `}`", Token::End)),
                first => items.push(self.item(first)?),
            }
            match self.next()? {
                (_, Token::Comma) => {}
                other => self.pushed_back = Some(other),
            }
        }
        Ok(Body { items })
    }

    fn item(&mut self, first: (Position, Token)) -> Result<Item, ParseError> {
        let mut keys = Vec::new();
        let mut next = first;
        loop {
            let (at, token) = next;
            match token {
                Token::Name(text) => keys.push(Key { text, quoted: false, at }),
                Token::Quoted(text) => keys.push(Key { text, quoted: true, at }),
                Token::Assign if keys.len() == 1 => {
                    let start = self.next()?;
                    return Ok(Item { keys, value: self.value(start)?, assigned: true });
                }
                Token::OpenBrace if !keys.is_empty() => {
                    return Ok(Item { keys, value: self.object(at)?, assigned: false });
                }
                other => {
                    let expected = match keys.len() {
                        0 => "a key",
                        1 => "`=`, `{` or a label",
                        _ => "`{` or a label",
                    };
                    return Err(ParseError::expected(at, expected, other));
                }
            }
            next = self.next()?;
        }
    }

    fn value(&mut self, (at, token): (Position, Token)) -> Result<Value, ParseError> {
        match token {
            Token::Quoted(text) => Ok(Value::Text(text)),
            Token::Literal(value) => Ok(value),
            Token::OpenBrace => self.object(at),
            Token::OpenBracket => self.nested(at, Self::list),
            other => Err(ParseError::expected(at, "a value", other)),
        }
    }

    fn object(&mut self, at: Position) -> Result<Value, ParseError> {
        self.nested(at, |parser| parser.body(true).map(Value::Object))
    }

    fn list(&mut self) -> Result<Value, ParseError> {
        let mut values = Vec::new();
        let mut separated = true;
        loop {
            match self.next()? {
                (_, Token::CloseBracket) => return Ok(Value::List(values)),
                (_, Token::Comma) => separated = true,
                (at, other) if !separated => return Err(ParseError::expected(at, "`,` or `]`", other)),
                (at, Token::End) => return Err(ParseError::expected(at, "a value or `]`", Token::End)),
                first => {
                    values.push(self.value(first)?);
                    separated = false;
                }
            }
        }
    }

    fn nested(
        &mut self,
        at: Position,
        read: impl FnOnce(&mut Self) -> Result<Value, ParseError>,
    ) -> Result<Value, ParseError> {
        if self.depth == MAX_DEPTH {
            return Err(ParseError::too_deep(at));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }
}
