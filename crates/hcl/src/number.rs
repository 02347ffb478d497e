//! Reads the numbers of HCL 1: decimal, hexadecimal, octal, fractions and exponents.

use crate::cursor::Cursor;
use crate::{ParseError, Position, Value};

/// Reads a number; the caller has seen a digit, a `-` before a digit, or a `.` before a digit.
pub(crate) fn scan(cursor: &mut Cursor<'_>) -> Result<Value, ParseError> {
    let at = cursor.at();
    let negative = cursor.eat('-');
    if cursor.peek() == Some('0') && matches!(cursor.peek_second(), Some('x' | 'X')) {
        cursor.bump();
        cursor.bump();
        let digits = cursor.take_while(|c| c.is_ascii_hexdigit());
        return integer(at, negative, digits, 16);
    }
    let whole = cursor.take_while(|c| c.is_ascii_digit());
    let fraction = cursor.eat('.').then(|| cursor.take_while(|c| c.is_ascii_digit()));
    let exponent = exponent(cursor);
    if fraction.is_none() && exponent.is_none() {
        let octal = whole.len() > 1 && whole.starts_with('0');
        return integer(at, negative, whole, if octal { 8 } else { 10 });
    }
    let sign = if negative { "-" } else { "" };
    let text =
        format!("{sign}{whole}.{}e{}", fraction.unwrap_or_default(), exponent.as_deref().unwrap_or("0"));
    float(at, &text)
}

/// The number that JSON calls by this text, which holds only digits, signs, a point and an exponent.
pub(crate) fn of_json(at: Position, text: &str) -> Result<Value, ParseError> {
    match text.strip_prefix('-') {
        _ if text.contains(['.', 'e', 'E']) => float(at, text),
        Some(digits) => integer(at, true, digits, 10),
        None => integer(at, false, text, 10),
    }
}

fn exponent(cursor: &mut Cursor<'_>) -> Option<String> {
    if !matches!(cursor.peek(), Some('e' | 'E')) {
        return None;
    }
    cursor.bump();
    let sign = if cursor.eat('-') {
        "-"
    } else {
        cursor.eat('+');
        ""
    };
    Some(format!("{sign}{}", cursor.take_while(|c| c.is_ascii_digit())))
}

fn integer(at: Position, negative: bool, digits: &str, radix: u32) -> Result<Value, ParseError> {
    let sign = if negative { "-" } else { "" };
    let signed = format!("{sign}{digits}");
    i64::from_str_radix(&signed, radix).map(Value::Integer).map_err(|failure| {
        use std::num::IntErrorKind::{NegOverflow, PosOverflow};
        let reason = match failure.kind() {
            PosOverflow | NegOverflow => "the number does not fit in 64 bits",
            _ if radix == 8 => "a number that starts with 0 is octal, it has only the digits 0 to 7",
            _ => "expected digits, the number has none",
        };
        ParseError::new(at, reason)
    })
}

fn float(at: Position, text: &str) -> Result<Value, ParseError> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    number.map(Value::Float).ok_or_else(|| ParseError::new(at, "the number is malformed or out of range"))
}
