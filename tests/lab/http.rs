//! As much of HTTP/1.1 as the lab speaks: one request or answer at a time on a kept connection, both ways.
//!
//! It knows nothing of what is asked or answered. Bodies need a Content-Length; chunked ones are refused, not misread.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const LINE_LIMIT: u64 = 8 * 1024;
const HEADER_LIMIT: usize = 100;

pub type Connection = BufReader<TcpStream>;

/// What somebody asked.
pub struct Request {
    pub path: String,
    /// The asker closes the connection after the answer.
    pub last: bool,
}

/// What came back, without the body.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The connection can carry another request.
    pub kept: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// The next request of a connection, or None when the other side has closed it.
pub async fn read_request(connection: &mut Connection) -> Result<Option<Request>> {
    let Some(first) = read_line(connection).await? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(_method), Some(path), Some(protocol)) = (words.next(), words.next(), words.next()) else {
        return Err(bad("not an HTTP request"));
    };
    let request = Request { path: path.to_owned(), last: protocol == "HTTP/1.0" };
    let headers = read_headers(connection).await?;
    read_body(connection, &headers).await?;
    let last = request.last || closes(&headers);
    Ok(Some(Request { last, ..request }))
}

/// Writes one answer.
pub async fn write_answer(connection: &mut Connection, status: u16, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
    let mut text = format!("HTTP/1.1 {status} {}\r\nContent-Length: {}\r\n", if status < 400 { "OK" } else { "Error" }, body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    connection.get_mut().write_all(&bytes).await
}

/// Sends GET `path` on an open connection and reads the answer.
pub async fn get(connection: &mut Connection, host: &str, path: &str) -> Result<Answer> {
    let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: flightdeck-lab\r\n\r\n");
    connection.get_mut().write_all(text.as_bytes()).await?;
    let first = read_line(connection).await?.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(|| bad("not an HTTP answer"))?;
    let headers = read_headers(connection).await?;
    read_body(connection, &headers).await?;
    Ok(Answer { status, kept: !closes(&headers), headers })
}

async fn read_line(connection: &mut Connection) -> Result<Option<String>> {
    let mut line = Vec::new();
    connection.take(LINE_LIMIT).read_until(b'\n', &mut line).await?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned())),
        Some(_) => Err(bad("a line that does not end")),
    }
}

async fn read_headers(connection: &mut Connection) -> Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    while headers.len() < HEADER_LIMIT {
        let line = read_line(connection).await?.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?;
        match line.split_once(':') {
            _ if line.is_empty() => return Ok(headers),
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => return Err(bad("a header without a colon")),
        }
    }
    Err(bad("too many headers"))
}

/// Reads a body and forgets it.
async fn read_body(connection: &mut Connection, headers: &[(String, String)]) -> Result<()> {
    let value = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    if value("transfer-encoding").is_some() {
        return Err(bad("a chunked body"));
    }
    let length: u64 = match value("content-length") {
        Some(text) => text.parse().map_err(|_| bad("a Content-Length that is no number"))?,
        None => 0,
    };
    let read = tokio::io::copy_buf(&mut connection.take(length), &mut tokio::io::sink()).await?;
    if read < length { Err(Error::from(ErrorKind::UnexpectedEof)) } else { Ok(()) }
}

fn closes(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, value)| name == "connection" && value.eq_ignore_ascii_case("close"))
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}
