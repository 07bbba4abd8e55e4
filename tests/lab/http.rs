//! As much of HTTP/1.1 as the lab speaks: one request or answer at a time on a kept connection, both ways.
//!
//! It knows nothing of what is asked or answered. Bodies need a Content-Length; chunked ones are refused, not misread.
#![allow(dead_code, reason = "the lab and the faults of tests each use a part of it")]

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const LINE_LIMIT: u64 = 8 * 1024;
const HEADER_LIMIT: usize = 100;
const BODY_LIMIT: u64 = 8 * 1024 * 1024;

pub type Connection = BufReader<TcpStream>;

/// What somebody asked.
#[derive(Clone)]
pub struct Request {
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in small letters.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
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

impl Request {
    /// `name` in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }
}

impl Answer {
    /// `name` in small letters.
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }
}

/// The next request of a connection, or None when the other side has closed it.
pub async fn read_request(connection: &mut Connection) -> Result<Option<Request>> {
    let Some(first) = read_line(connection).await? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some(method), Some(path), Some(protocol)) = (words.next(), words.next(), words.next()) else {
        return Err(bad("not an HTTP request"));
    };
    let headers = read_headers(connection).await?;
    let body = read_body(connection, &headers).await?;
    let last = protocol == "HTTP/1.0" || closes(&headers);
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), headers, body, last }))
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

/// Sends GET `path` on an open connection and reads the answer. `ConnectionAborted`: closed before the answer's first byte.
pub async fn get(connection: &mut Connection, host: &str, path: &str, headers: &[(String, String)]) -> Result<Answer> {
    let mut text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: flightdeck-lab\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let first = async {
        connection.get_mut().write_all(text.as_bytes()).await?;
        read_line(connection).await?.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))
    };
    let first = first.await.map_err(|error| match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe => Error::from(ErrorKind::ConnectionAborted),
        _ => error,
    })?;
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

async fn read_body(connection: &mut Connection, headers: &[(String, String)]) -> Result<Vec<u8>> {
    if value(headers, "transfer-encoding").is_some() {
        return Err(bad("a chunked body"));
    }
    let length: u64 = match value(headers, "content-length") {
        Some(text) => text.parse().map_err(|_| bad("a Content-Length that is no number"))?,
        None => 0,
    };
    if length > BODY_LIMIT {
        return Err(bad("a body that is too long"));
    }
    let mut body = Vec::new();
    let read = connection.take(length).read_to_end(&mut body).await?;
    if (read as u64) < length { Err(Error::from(ErrorKind::UnexpectedEof)) } else { Ok(body) }
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn closes(headers: &[(String, String)]) -> bool {
    value(headers, "connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}
