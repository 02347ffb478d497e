//! Reads `a=1&b=2`, in an address and in a form.
//!
//! Invariant: of what cannot be read, an address loses that pair and a form is refused whole, as in Go. It does not
//! know what any name means.

use serde_json::{Map, Value};

use crate::path::decode;

/// Name and value of every pair of an address that can be read.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query.split('&').filter_map(|pair| read(pair.as_bytes()).ok().flatten())
}

/// The pairs as request data: one value is a text, several are a list.
pub(crate) fn data(pairs: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut data = Map::new();
    for (name, value) in pairs {
        let value = Value::String(value);
        match data.get_mut(&name) {
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => drop(data.insert(name, value)),
        }
    }
    data
}

/// A form as request data: several values are joined with commas. `None` if it cannot be read.
pub(crate) fn form(body: &[u8]) -> Option<Map<String, Value>> {
    let mut data = Map::new();
    for pair in body.split(|&byte| byte == b'&') {
        let Some((name, value)) = read(pair).ok()? else { continue };
        match data.get_mut(&name) {
            Some(Value::String(values)) => {
                values.push(',');
                values.push_str(&value);
            }
            _ => drop(data.insert(name, Value::String(value))),
        }
    }
    Some(data)
}

/// How many pairs there are, without reading them.
pub(crate) fn count(text: &[u8]) -> usize {
    text.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()).count()
}

struct Unreadable;

fn read(pair: &[u8]) -> Result<Option<(String, String)>, Unreadable> {
    if pair.is_empty() {
        return Ok(None);
    }
    if pair.contains(&b';') {
        return Err(Unreadable);
    }
    let mut halves = pair.splitn(2, |&byte| byte == b'=');
    let mut half = || decode(halves.next().unwrap_or_default(), true).ok_or(Unreadable);
    let (name, value) = (half()?, half()?);
    Ok(Some((text(name), text(value))))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_address_becomes_data_and_loses_what_cannot_be_read() {
        let query = "x=1&x=2&x=3&y=&z&=q&%41=b&a%zz=1&b=%zz&c;d=1&e=1&c+d=e+f&inv=%ff&&a=b=c";
        let expected = json!({
            "": "q", "A": "b", "c d": "e f", "e": "1", "inv": "\u{fffd}", "x": ["1", "2", "3"], "y": "", "z": "",
            "a": "b=c",
        });
        assert_eq!(Value::Object(data(pairs(query))), expected);
    }

    #[test]
    fn a_form_joins_what_is_repeated_and_is_refused_whole() {
        let table: [(&[u8], Option<Value>); 9] = [
            (b"a=1&b=2", Some(json!({"a": "1", "b": "2"}))),
            (b"a=1&a=2", Some(json!({"a": "1,2"}))),
            (b"a", Some(json!({"a": ""}))),
            (b"=x", Some(json!({"": "x"}))),
            (b"&&a=1", Some(json!({"a": "1"}))),
            (b"a=b+c%20d", Some(json!({"a": "b c d"}))),
            (b"", Some(json!({}))),
            (b"a=%zz", None),
            (b"a=1;b=2", None),
        ];
        for (body, expected) in table {
            assert_eq!(form(body).map(Value::Object), expected, "{}", String::from_utf8_lossy(body));
        }
    }
}
