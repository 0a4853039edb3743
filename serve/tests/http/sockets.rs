//! Connections: slow ones, too many of them, and shutdown.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use serve::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::process::serve;
use crate::{app_with, photo, png};

/// A server on a free port.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<bool>,
}

impl Listening {
    pub(crate) async fn start(options: Options) -> Self {
        let app: Router = app_with(options.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let ended =
            tokio::spawn(async move { serve::listen(listener, app, &options, stopped).await });
        Self { address, stop, ended }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a new connection and reads until the server closes it.
    pub(crate) async fn send(&self, bytes: &[u8]) -> String {
        let mut connection = self.connect().await;
        // The server may answer and close before it has read everything.
        let _ = connection.write_all(bytes).await;
        read_all(&mut connection).await
    }

    /// Whether the server captions a photo.
    pub(crate) async fn is_well(&self) -> bool {
        self.send(&post(&photo())).await.starts_with("HTTP/1.1 200")
    }
}

pub(crate) async fn read_all(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = timeout(Duration::from_secs(20), connection.read_to_end(&mut answer)).await;
    let _ = read.expect("the server closes the connection");
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /api/caption HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn a_connection_without_a_head_is_closed() {
    let header_time = Duration::from_millis(100).into();
    let server = Listening::start(Options { header_time, ..Options::default() }).await;
    let answer = server.send(b"GET /health HTTP/1.1\r\nHost:").await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(server.send(b"").await, "");
    assert!(server.is_well().await);
}

#[tokio::test]
async fn a_connection_above_the_limit_waits() {
    let server = Listening::start(Options { connections: 1, ..Options::default() }).await;
    let mut first = server.connect().await;
    first.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    first.read_exact(&mut [0; 12]).await.unwrap();
    let early = timeout(Duration::from_millis(200), server.is_well()).await;
    assert!(early.is_err(), "a second connection was served during the first");
    drop(first);
    assert!(server.is_well().await);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = Listening::start(Options::default()).await;
    let answer =
        server.send(&post(&vec![0; Options::default().max_upload.bytes() as usize + 1])).await;
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "{answer}");
    assert!(server.is_well().await);
}

#[tokio::test]
async fn broken_connections_do_not_harm() {
    let server = Listening::start(Options { queue: 2, ..Options::default() }).await;
    let whole = post(&png(900, 900, [1, 2, 3]));
    for at in [1, 30, whole.len() / 2, whole.len()] {
        let mut connection = server.connect().await;
        connection.write_all(&whole[..at]).await.unwrap();
        // Half closed, then closed.
        connection.shutdown().await.unwrap();
        sleep(Duration::from_millis(20)).await;
    }
    for rubbish in [b"\0\0\0\0".as_slice(), b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n"] {
        assert!(!server.send(rubbish).await.starts_with("HTTP/1.1 2"));
    }
    assert!(server.is_well().await);
}

#[tokio::test]
async fn running_requests_end_before_the_server() {
    let server = Listening::start(Options::default()).await;
    let mut connection = server.connect().await;
    let whole = post(&png(3000, 3000, [1, 2, 3]));
    connection.write_all(&whole[..whole.len() - 1]).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.stop.send(()).unwrap();
    sleep(Duration::from_millis(50)).await;
    connection.write_all(&whole[whole.len() - 1..]).await.unwrap();
    let answer = read_all(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(server.ended.await.unwrap());
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn shutdown_does_not_wait_for_endless_requests() {
    let shutdown_time = Duration::from_millis(100).into();
    let server = Listening::start(Options { shutdown_time, ..Options::default() }).await;
    let mut connection = server.connect().await;
    connection.write_all(&post(&photo())[..80]).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    server.stop.send(()).unwrap();
    assert!(!server.ended.await.unwrap());
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = serve().args(["--model", "nowhere", "--port", &port]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains(&port) && error.contains("--port"), "{error}");
}

#[test]
fn invalid_limits_are_refused() {
    for [flag, value] in [
        ["--deadline", "0"],
        ["--deadline", "soon"],
        ["--body-time", "-1"],
        ["--header-time", "inf"],
        ["--queue", "0"],
        ["--max-batch", "0"],
        ["--max-photos", "0"],
        ["--decoders", "0"],
        ["--memory", "0"],
        ["--memory", "1MiB"],
        ["--max-upload", "10 apples"],
        ["--max-upload", "1GiB"],
        ["--api-key", ""],
        ["--api-key", "two words"],
    ] {
        let output = serve().arg(format!("{flag}={value}")).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flag} {value}: {error}");
        assert!(error.contains(flag), "{error}");
    }
}
