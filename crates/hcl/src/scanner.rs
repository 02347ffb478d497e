//! Cuts HCL 1 into tokens.

use std::fmt;

use crate::cursor::Cursor;
use crate::{ParseError, Position, Value, number, strings};

/// One token. Texts are already unescaped.
pub(crate) enum Token {
    Name(String),
    Quoted(String),
    /// A number, a boolean or a heredoc: what can be a value but never a key.
    Literal(Value),
    Assign,
    Comma,
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    End,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(_) => f.write_str("a bare word"),
            Self::Quoted(_) => f.write_str("a quoted text"),
            Self::Literal(value) => f.write_str(value.kind()),
            Self::Assign => f.write_str("`=`"),
            Self::Comma => f.write_str("`,`"),
            Self::OpenBrace => f.write_str("`{`"),
            Self::CloseBrace => f.write_str("`}`"),
            Self::OpenBracket => f.write_str("`[`"),
            Self::CloseBracket => f.write_str("`]`"),
            Self::End => f.write_str("the end"),
        }
    }
}

pub(crate) struct Scanner<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { cursor: Cursor::new(text) }
    }

    /// The next token and where it starts; comments and blanks are passed over.
    pub(crate) fn next(&mut self) -> Result<(Position, Token), ParseError> {
        self.skip()?;
        let at = self.cursor.at();
        let Some(first) = self.cursor.peek() else { return Ok((at, Token::End)) };
        let token = match first {
            '"' => Token::Quoted(strings::quoted(&mut self.cursor)?),
            '<' => Token::Literal(Value::Text(strings::heredoc(&mut self.cursor)?)),
            '0'..='9' => Token::Literal(number::scan(&mut self.cursor)?),
            '-' | '.' if self.cursor.peek_second().is_some_and(|c| c.is_ascii_digit()) => {
                Token::Literal(number::scan(&mut self.cursor)?)
            }
            '=' => self.single(Token::Assign),
            ',' => self.single(Token::Comma),
            '{' => self.single(Token::OpenBrace),
            '}' => self.single(Token::CloseBrace),
            '[' => self.single(Token::OpenBracket),
            ']' => self.single(Token::CloseBracket),
            letter if begins_name(letter) => self.word(),
            _ => return Err(ParseError::new(at, "this character has no meaning here")),
        };
        Ok((at, token))
    }

    fn single(&mut self, token: Token) -> Token {
        self.cursor.bump();
        token
    }

    fn word(&mut self) -> Token {
        match self.cursor.take_while(|c| begins_name_or_digit(c) || c == '-' || c == '.') {
            "true" => Token::Literal(Value::Bool(true)),
            "false" => Token::Literal(Value::Bool(false)),
            name => Token::Name(name.to_owned()),
        }
    }

    fn skip(&mut self) -> Result<(), ParseError> {
        loop {
            self.cursor.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            let at = self.cursor.at();
            match (self.cursor.peek(), self.cursor.peek_second()) {
                (Some('#'), _) | (Some('/'), Some('/')) => {
                    self.cursor.take_while(|c| c != '\n');
                }
                (Some('/'), Some('*')) => self.block_comment(at)?,
                _ => return Ok(()),
            }
        }
    }

    fn block_comment(&mut self, start: Position) -> Result<(), ParseError> {
        self.cursor.bump();
        self.cursor.bump();
        loop {
            self.cursor.take_while(|c| c != '*');
            if self.cursor.bump().is_none() {
                return Err(ParseError::new(start, "the comment that starts here does not end"));
            }
            if self.cursor.eat('/') {
                return Ok(());
            }
        }
    }
}

fn begins_name(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

pub(crate) fn begins_name_or_digit(c: char) -> bool {
    begins_name(c) || c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric())
}
