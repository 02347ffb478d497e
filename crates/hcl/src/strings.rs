//! Reads quoted texts and heredocs.
//!
//! A `${…}` is kept as it stands: between its braces quotes, line ends and escapes mean nothing to us.

use crate::cursor::Cursor;
use crate::{ParseError, Position};

/// Reads a quoted text; the cursor stands on its opening quote.
pub(crate) fn quoted(cursor: &mut Cursor<'_>) -> Result<String, ParseError> {
    let start = cursor.at();
    cursor.bump();
    let mut text = String::new();
    loop {
        let at = cursor.at();
        match cursor.bump() {
            None | Some('\0') => return Err(unfinished(start)),
            Some('\n') => return Err(ParseError::new(at, "a quoted text must end on its own line")),
            Some('"') => return Ok(text),
            Some('\\') => text.push(escape(cursor, at)?),
            Some('$') if cursor.peek() == Some('{') => interpolation(cursor, start, &mut text)?,
            Some(other) => text.push(other),
        }
    }
}

fn unfinished(start: Position) -> ParseError {
    ParseError::new(start, "the quoted text that starts here does not end")
}

/// Copies `${…}` with its inner braces; the `$` has been read.
fn interpolation(cursor: &mut Cursor<'_>, start: Position, text: &mut String) -> Result<(), ParseError> {
    text.push('$');
    let mut open = 0_usize;
    loop {
        let at = cursor.at();
        let next = cursor.bump().filter(|&c| c != '\0').ok_or_else(|| unfinished(start))?;
        match next {
            '{' => open += 1,
            '}' => open -= 1,
            '\\' => {
                // Kept as written, but it must be an escape.
                let before = cursor.rest();
                escape(cursor, at)?;
                let length = before.len() - cursor.rest().len();
                text.push('\\');
                text.push_str(before.get(..length).unwrap_or_default());
                continue;
            }
            _ => {}
        }
        text.push(next);
        if open == 0 {
            return Ok(());
        }
    }
}

/// The character that an escape stands for; its backslash, at `at`, has been read.
fn escape(cursor: &mut Cursor<'_>, at: Position) -> Result<char, ParseError> {
    let plain = match cursor.peek() {
        Some('a') => '\u{7}',
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('v') => '\u{b}',
        Some(same @ ('\\' | '"')) => same,
        Some('x') => return coded(cursor, at, 2, 16),
        Some('u') => return coded(cursor, at, 4, 16),
        Some('U') => return coded(cursor, at, 8, 16),
        Some('0'..='7') => return digits(cursor, at, 3, 8),
        _ => return Err(ParseError::new(at, "unknown escape")),
    };
    cursor.bump();
    Ok(plain)
}

fn coded(cursor: &mut Cursor<'_>, at: Position, count: usize, radix: u32) -> Result<char, ParseError> {
    cursor.bump();
    digits(cursor, at, count, radix)
}

fn digits(cursor: &mut Cursor<'_>, at: Position, count: usize, radix: u32) -> Result<char, ParseError> {
    let mut code = 0_u32;
    for _ in 0..count {
        let digit = cursor.peek().and_then(|c| c.to_digit(radix));
        let digit = digit.ok_or_else(|| ParseError::new(at, format!("the escape needs {count} digits")))?;
        // Eight hexadecimal digits just fit; what is no character is refused below.
        code = code * radix + digit;
        cursor.bump();
    }
    // Short escapes name bytes; a byte above 127 alone is no text.
    let bound = if count < 4 { 0x7f } else { u32::from(char::MAX) };
    let decoded = char::from_u32(code).filter(|_| code <= bound);
    decoded.ok_or_else(|| ParseError::new(at, "the escape stands for no character"))
}

/// Reads a heredoc; the cursor stands on its first `<`.
pub(crate) fn heredoc(cursor: &mut Cursor<'_>) -> Result<String, ParseError> {
    let start = cursor.at();
    cursor.bump();
    if !cursor.eat('<') {
        return Err(ParseError::new(start, "expected `<<` and the name of a heredoc"));
    }
    let indented = cursor.eat('-');
    let anchor = cursor.take_while(crate::scanner::begins_name_or_digit);
    if anchor.is_empty() {
        return Err(ParseError::new(cursor.at(), "expected the name that ends the heredoc"));
    }
    if !cursor.eat('\n') {
        return Err(ParseError::new(
            cursor.at(),
            "expected the end of the line after the name of the heredoc",
        ));
    }
    let mut text = String::new();
    loop {
        let line = cursor.take_while(|c| c != '\n');
        if line.contains('\0') || (line.is_empty() && cursor.peek().is_none()) {
            return Err(ParseError::new(start, "the heredoc that starts here does not end"));
        }
        let margin = line.trim_end_matches('\r').strip_suffix(anchor).filter(|margin| is_margin(margin));
        if let Some(margin) = margin {
            cursor.eat('\n');
            return Ok(if indented { without_margin(&text, margin) } else { text + margin });
        }
        text.push_str(line);
        if cursor.eat('\n') {
            text.push('\n');
        }
    }
}

fn is_margin(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r'))
}

/// The lines without the margin of the closing name; unchanged if any line lacks it.
fn without_margin(text: &str, margin: &str) -> String {
    let lines = || text.split_inclusive('\n');
    if lines().all(|line| line.starts_with(margin)) {
        lines().filter_map(|line| line.strip_prefix(margin)).collect()
    } else {
        text.to_owned()
    }
}
