//! A server with prepared responses.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};

/// A server that sends one response after the other to any requests, and ends.
#[derive(Debug)]
pub struct Answers {
    address: SocketAddr,
    requests: JoinHandle<Vec<String>>,
}

impl Answers {
    /// Starts it on a free port.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn start(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("the port is bound");
        let one = move |answer: Vec<u8>| {
            let (mut stream, _) = listener.accept().expect("a client comes");
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let lines = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>();
            // The client may close the connection before the end.
            let _ = stream.write_all(&answer);
            lines.join("\n").to_lowercase()
        };
        let requests = thread::spawn(move || answers.into_iter().map(one).collect());
        Self { address, requests }
    }

    /// An address on it.
    #[must_use]
    pub fn address(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Waits for the end; returns the head of each request in lower case.
    ///
    /// # Panics
    /// If the server panicked.
    #[must_use]
    pub fn requests(self) -> Vec<String> {
        self.requests.join().expect("the server ends")
    }
}

/// A response with this status, these header lines (each ends in `\r\n`) and this body.
#[must_use]
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n").as_bytes(), body].concat()
}

/// A response with a whole file.
#[must_use]
pub fn whole(body: &[u8]) -> Vec<u8> {
    answer("200 OK", &format!("Content-Length: {}\r\n", body.len()), body)
}
