//! Just enough HTTP/1.1 for a load program: one connection that is kept, one question at a time, buffers that are used again.
//!
//! Invariants: an answer is read to its last byte before the next question goes out; what this does not understand ends the
//! run. Knows nothing of what is asked.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A question, ready to be sent, and what must be found in the answer's body.
pub(super) struct Ask {
    request: Vec<u8>,
    expected: Vec<u8>,
}

impl Ask {
    pub(super) fn new(method: &str, path: &str, token: &str, body: &str, expected: &str) -> Self {
        let length = body.len();
        let request = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Vault-Token: {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        Self { request: request.into_bytes(), expected: expected.as_bytes().to_vec() }
    }
}

/// One kept connection.
pub(super) struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    body: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, received: Vec::with_capacity(64 << 10), body: Vec::with_capacity(64 << 10) })
    }

    /// Sends a question and reads its whole answer; an answer other than the expected one is an error.
    pub(super) async fn exchange(&mut self, ask: &Ask) -> io::Result<()> {
        self.stream.write_all(&ask.request).await?;
        self.received.clear();
        let status = loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the server has closed the connection",
                ));
            }
            if let Some(status) = whole(&self.received, &mut self.body)? {
                break status;
            }
        };
        if (200..300).contains(&status) && contains(&self.body, &ask.expected) {
            return Ok(());
        }
        let line = String::from_utf8_lossy(&ask.request);
        let line = line.lines().next().unwrap_or_default();
        Err(io::Error::other(format!("{line}: {status} {}", String::from_utf8_lossy(&self.body))))
    }
}

/// The status, once the answer is there to its end; its body is then in `body`.
fn whole(received: &[u8], body: &mut Vec<u8>) -> io::Result<Option<u16>> {
    let Some((head, rest)) = cut(received, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(head).map_err(io::Error::other)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status: u16 = status.ok_or_else(|| io::Error::other("no status line"))?;
    let mut length = (status == 204).then_some(0);
    let mut chunked = false;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok();
        }
        chunked |= name.eq_ignore_ascii_case("transfer-encoding");
    }
    body.clear();
    if chunked {
        return Ok(chunks(rest, body)?.then_some(status));
    }
    let length: usize = length.ok_or_else(|| io::Error::other("an answer of unknown length"))?;
    let Some(text) = rest.get(..length) else { return Ok(None) };
    if rest.len() > length {
        return Err(io::Error::other("more than one answer"));
    }
    body.extend_from_slice(text);
    Ok(Some(status))
}

/// Collects the chunks; whether the last one has come.
fn chunks(mut rest: &[u8], body: &mut Vec<u8>) -> io::Result<bool> {
    while let Some((size, after)) = cut(rest, b"\r\n") {
        let size = std::str::from_utf8(size).map_err(io::Error::other)?;
        let size = usize::from_str_radix(size, 16).map_err(io::Error::other)?;
        let Some(chunk) = after.get(..size + 2) else { return Ok(false) };
        if size == 0 {
            return Ok(true);
        }
        body.extend_from_slice(chunk.get(..size).unwrap_or_default());
        rest = after.get(size + 2..).unwrap_or_default();
    }
    Ok(false)
}

fn cut<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}

fn contains(bytes: &[u8], expected: &[u8]) -> bool {
    expected.is_empty() || bytes.windows(expected.len()).any(|window| window == expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Option<(u16, String)> {
        let mut body = Vec::new();
        let status = whole(answer.as_bytes(), &mut body).unwrap();
        status.map(|status| (status, String::from_utf8(body).unwrap()))
    }

    #[test]
    fn an_answer_is_read_when_its_last_byte_is_there_and_not_before() {
        let cases = [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", 200, "hello"),
            ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nX: y\r\n\r\n", 404, ""),
            ("HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", 204, ""),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\na\r\nlo, world!\r\n0\r\n\r\n",
                200,
                "hello, world!",
            ),
        ];
        for (answer, status, body) in cases {
            assert_eq!(read(answer), Some((status, body.to_owned())), "{answer}");
            for end in 0..answer.len() {
                assert_eq!(read(&answer[..end]), None, "{answer} up to {end}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for answer in [
            "HTTP/1.1 200 OK\r\nX: y\r\n\r\n",
            "nonsense\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
        ] {
            assert!(whole(answer.as_bytes(), &mut Vec::new()).is_err(), "{answer}");
        }
    }
}
