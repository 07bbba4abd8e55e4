//! A Prometheus that does what a real one cannot be brought to do: it passes on to the real one until it is told otherwise.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it does with a question.
#[derive(Clone, Copy, Debug)]
pub enum Does {
    /// Asks the real one.
    PassesOn,
    /// Answers with a status and a text.
    Answers(u16, &'static str),
    /// Takes it and says nothing.
    Hangs,
    /// Closes the connection.
    Cuts,
}

/// It listens until the test's process ends.
pub struct Scripted {
    pub url: String,
    does: Arc<Mutex<Does>>,
}

impl Scripted {
    /// Before a real one.
    pub fn before(real: &str) -> Scripted {
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", door.local_addr().unwrap());
        let does = Arc::new(Mutex::new(Does::PassesOn));
        let (real, script) = (real.to_owned(), does.clone());
        std::thread::spawn(move || {
            for asker in door.incoming().map_while(Result::ok) {
                let (real, does) = (real.clone(), *script.lock().unwrap());
                // What a broken connection means is the asker's business.
                std::thread::spawn(move || serve(asker, &real, does).ok());
            }
        });
        Scripted { url, does }
    }

    pub fn now(&self, does: Does) {
        *self.does.lock().unwrap() = does;
    }
}

fn serve(mut asker: TcpStream, real: &str, does: Does) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        asker.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    match does {
        Does::PassesOn => {
            let first = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
            let mut real = TcpStream::connect(real)?;
            write!(real, "{first}\r\nHost: prometheus\r\nConnection: close\r\n\r\n")?;
            std::io::copy(&mut real, &mut asker)?;
        }
        Does::Answers(status, body) => {
            write!(asker, "HTTP/1.1 {status} Scripted\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())?;
        }
        Does::Hangs => {
            // Until the asker gives up.
            std::io::copy(&mut asker, &mut std::io::sink())?;
        }
        Does::Cuts => {}
    }
    Ok(())
}
