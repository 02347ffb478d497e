//! Just enough HTTP/1.1 for a test to ask a server on loopback, without the product's own client.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// A status and a JSON body, `Null` where there is none.
pub type Answer = (u16, Value);

/// Asks `http://host:port/path`; `None` when nobody answers, or the answer breaks off.
pub fn ask(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&Value>) -> Option<Answer> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let body = body.map(ToString::to_string).unwrap_or_default();
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    let length = body.len();
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );

    let mut stream = TcpStream::connect(host).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    parsed(&String::from_utf8(answer).ok()?)
}

/// An answer that has arrived whole; a server that is killed may leave any part of one.
fn parsed(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    assert!(!head.contains("transfer-encoding"), "a test's answers are small and whole");
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(body.len(), |length| length.parse().expect("a length is a number"));
    if body.len() < length {
        return None;
    }
    assert_eq!(body.len(), length, "more than was announced");
    Some((status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

/// Where `http://host:port/path` sends a browser, if it does.
pub fn redirected(url: &str) -> Option<String> {
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    let mut stream = TcpStream::connect(host).ok()?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, _) = answer.split_once("\r\n\r\n")?;
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map(|(_, value)| value.to_owned())
}

/// A parameter of a URL that holds nothing that needs escaping.
pub fn query_value(url: &str, name: &str) -> Option<String> {
    let (_, query) = url.split_once('?')?;
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

/// A port of loopback that nobody used a moment ago.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a listener has an address").port()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::parsed;

    #[test]
    fn an_answer_that_breaks_off_anywhere_is_none() {
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        assert_eq!(parsed(whole), Some((200, json!({ "a": 1 }))));
        for end in 0..whole.len() {
            assert_eq!(parsed(whole.get(..end).unwrap()), None, "after {end} bytes");
        }
        assert_eq!(parsed("HTTP/1.1 204 No Content\r\n\r\n"), Some((204, Value::Null)));
    }
}
