//! Doors to Prometheus that ask who is there: by password, by token, by the header that names a tenant.
//!
//! It knows the head of a request and nothing of what is asked. One request a connection.

use std::process::Command;

use std::os::unix::process::CommandExt;

use color_eyre::eyre::Result;
use futures::future::try_join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use crate::http::{self, Connection};
use crate::place::Place;
use crate::{process, prometheus};

pub const GUARD: &str = "guard";

/// Port, header in small letters, and what it has to say. The password is `flightdeck:secret`.
const DOORS: [(u16, &str, &str); 3] = [
    (9091, "authorization", "Basic ZmxpZ2h0ZGVjazpzZWNyZXQ="),
    (9092, "authorization", "Bearer prometheus-token"),
    (9093, "x-scope-orgid", "shop"),
];

/// Starts it unless it runs.
pub fn start(place: &Place) -> Result<()> {
    let mut guard = Command::new("/proc/self/exe");
    guard.arg0("lab").args([GUARD, "--name", &place.name, "--cluster", &place.cluster.to_string()]);
    process::start(place, GUARD, guard)
}

/// Runs until it is killed.
pub async fn run(place: &Place) -> Result<()> {
    try_join_all(DOORS.iter().map(|door| keep(place, *door))).await?;
    Ok(())
}

async fn keep(place: &Place, (port, header, wanted): (u16, &'static str, &'static str)) -> Result<()> {
    let door = TcpListener::bind((place.address(0, 3), port)).await?;
    let behind = prometheus::address(place);
    loop {
        let (stream, _) = door.accept().await?;
        let behind = behind.clone();
        tokio::task::spawn_local(async move {
            // What a broken connection means is the asker's business.
            let _ = pass(Connection::new(stream), &behind, header, wanted).await;
        });
    }
}

async fn pass(mut asker: Connection, behind: &str, header: &str, wanted: &str) -> std::io::Result<()> {
    let Some(request) = http::read_request(&mut asker).await? else { return Ok(()) };
    if request.header(header) != Some(wanted) {
        let headers = [("Connection", "close"), ("WWW-Authenticate", "Basic")];
        return http::write_answer(&mut asker, 401, &headers, b"Unauthorized\n").await;
    }
    let mut upstream = TcpStream::connect(behind).await?;
    let mut head = format!("{} {} HTTP/1.1\r\nHost: {behind}\r\nConnection: close\r\n", request.method, request.path);
    for (name, value) in request.headers.iter().filter(|(name, _)| name == "content-type" || name == "accept") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", request.body.len()));
    upstream.write_all(head.as_bytes()).await?;
    upstream.write_all(&request.body).await?;
    copy(&mut upstream.take(u64::MAX), asker.get_mut()).await?;
    asker.get_mut().shutdown().await
}
