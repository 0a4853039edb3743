//! Responses before the end of a request, malformed heads, and clients that do not read.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use serve::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::sockets::{Listening, read_all};

/// More bytes than the buffers of a socket.
const LARGE: usize = 12_000_000;
/// Attempts of each client.
const TIMES: usize = 5;

fn head(request_line: &str, more: &str, length: usize) -> String {
    format!("{request_line} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {length}\r\n\r\n")
}

/// The error code in the body of a response.
fn code_in(answer: &str) -> String {
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let body = serde_json::from_str::<Value>(body).unwrap_or_default();
    body["error"]["code"].as_str().unwrap_or(answer).to_owned()
}

fn with_key() -> Options {
    Options { api_key: Some("s3cret".parse().unwrap()), ..Options::default() }
}

/// A form with too many photos and a long rest.
fn too_many() -> Vec<u8> {
    let part = "--x\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nx\r\n";
    let mut body = part.repeat(Options::default().max_photos + 1).into_bytes();
    body.resize(LARGE, b'-');
    body
}

#[tokio::test]
async fn a_client_that_sends_everything_first_can_read_the_error() {
    let open = Listening::start(Options::default()).await;
    let locked = Listening::start(with_key()).await;
    let zeros = vec![0; LARGE];
    let form = "Content-Type: multipart/form-data; boundary=x\r\n";
    for _ in 0..TIMES {
        for (server, line, more, body, status, code) in [
            (&open, "POST /nothing", "", &zeros, 404, "not_found"),
            (&open, "POST /v1/models", "", &zeros, 405, "wrong_method"),
            (&locked, "POST /v1/chat/completions", "", &zeros, 401, "no_key"),
            (&open, "PUT /api/caption", "", &zeros, 405, "wrong_method"),
            (&open, "POST /api/caption", "", &zeros, 413, "body_too_large"),
            (&open, "POST /api/captions", form, &too_many(), 413, "too_many_photos"),
            (&locked, "POST /api/caption", "", &zeros, 401, "no_key"),
        ] {
            let mut connection = server.connect().await;
            let head = head(line, more, body.len());
            connection.write_all(head.as_bytes()).await.unwrap();
            connection.write_all(body).await.unwrap();
            let answer = read_all(&mut connection).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
            assert!(answer.contains("\r\nconnection: close\r\n"), "{line}: {answer}");
            assert_eq!(code_in(&answer), code);
        }
    }
}

#[tokio::test]
async fn a_small_unread_body_does_not_end_the_connection() {
    let server = Listening::start(Options::default()).await;
    let mut connection = server.connect().await;
    for _ in 0..3 {
        let request = head("POST /nothing", "", 20_000) + &"x".repeat(20_000);
        connection.write_all(request.as_bytes()).await.unwrap();
        let answer = one_answer(&mut connection).await;
        assert!(answer.starts_with("HTTP/1.1 404") && !answer.contains("connection:"), "{answer}");
    }
    // In chunks, without a declared length.
    let chunked = "POST /nothing HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection.write_all((chunked.to_owned() + "3\r\nabc\r\n0\r\n\r\n").as_bytes()).await.unwrap();
    assert!(!one_answer(&mut connection).await.contains("connection:"));
}

#[tokio::test]
async fn a_client_that_expects_100_continue_is_answered_without_its_body() {
    let server = Listening::start(with_key()).await;
    let mut connection = server.connect().await;
    let head = head("POST /api/caption", "Expect: 100-continue\r\n", 1000);
    connection.write_all(head.as_bytes()).await.unwrap();
    let answer = read_all(&mut connection).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_never_stops_sending_is_disconnected() {
    let server = Listening::start(Options::default()).await;
    let mut connection = server.connect().await;
    let megabyte = vec![0; 1_000_000];
    connection.write_all(head("POST /nothing", "", 1 << 40).as_bytes()).await.unwrap();
    let sent = async {
        let mut sent = 0;
        while connection.write_all(&megabyte).await.is_ok() {
            sent += 1;
        }
        sent
    };
    let sent = timeout(Duration::from_secs(20), sent).await.expect("it is disconnected");
    assert!(sent > LARGE / megabyte.len(), "{sent} MB were taken");
}

#[tokio::test]
async fn a_client_that_still_sends_is_disconnected_for_other_connections() {
    let server = Listening::start(Options { connections: 3, ..Options::default() }).await;
    let mut refused = server.connect().await;
    refused.write_all(head("POST /nothing", "", LARGE).as_bytes()).await.unwrap();
    assert!(one_answer(&mut refused).await.starts_with("HTTP/1.1 404"));
    refused.write_all(&[0; 1000]).await.unwrap();
    let _second = server.connect().await;
    assert!(server.is_well().await);
    let sending = async { while refused.write_all(&[0; 1000]).await.is_ok() {} };
    timeout(Duration::from_secs(20), sending).await.expect("it is disconnected");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_disconnected() {
    let write_time = Duration::from_millis(200).into();
    let server =
        Listening::start(Options { write_time, connections: 1, ..Options::default() }).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut silent = socket.connect(server.address).await.unwrap();
    // Responses of some 10 kB each, one of which exceeds the buffers.
    let requests = "GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(5000);
    let asking = tokio::spawn(async move {
        let _ = silent.write_all(requests.as_bytes()).await;
        silent
    });
    assert!(server.is_well().await, "the only permit was not released");
    let mut silent = asking.await.unwrap();
    let mut rest = Vec::new();
    let read = timeout(Duration::from_secs(20), silent.read_to_end(&mut rest)).await.unwrap();
    assert!(read.is_err(), "the connection ended as if the response were complete");
}

#[tokio::test]
async fn malformed_heads_are_answered_with_json_errors() {
    let server = Listening::start(Options::default()).await;
    let (long, larger) = ("x".repeat(70_000), "x".repeat(1_000_000));
    for (request, status, code) in [
        (format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"), 414, "uri_too_long"),
        (format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {larger}\r\n\r\n"), 431, "head_too_large"),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(200)), 431, "head_too_large"),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400, "bad_request"),
        ("GET /\u{7f}\u{1} HTTP/1.1\r\n\r\n".to_owned(), 400, "bad_request"),
        ("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n".to_owned(), 400, "bad_request"),
    ] {
        let start = &request[..request.len().min(40)];
        let answer = server.send(request.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{start}: {answer}");
        assert_eq!(code_in(&answer), code, "{start}");
        assert!(answer.contains("\r\ncontent-type: application/json\r\n"), "{answer}");
    }
    // After a response on the same connection as well.
    let both = server.send(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nrubbish\r\n\r\n").await;
    assert!(both.starts_with("HTTP/1.1 200") && both.contains("bad_request"), "{both}");
}

/// Sends `LARGE` bytes to each of the addresses with urllib, and prints the statuses.
const PYTHON: &str = r"
import sys, urllib.error, urllib.request
for method, address in zip(sys.argv[2::2], sys.argv[3::2]):
    try:
        request = urllib.request.Request(address, bytes(int(sys.argv[1])), method=method)
        print(urllib.request.urlopen(request).status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except OSError as error:
        print(error)
";
/// The same with the `fetch` of Node.
const NODE: &str = r"
const [size, ...requests] = process.argv.slice(2);
for (let at = 0; at < requests.length; at += 2) {
  const request = { method: requests[at], body: Buffer.alloc(Number(size)) };
  const status = await fetch(requests[at + 1], request).then((answer) => answer.text().then(() => answer.status), String);
  console.log(status);
}
";
/// The same with curl, with and without `Expect: 100-continue`.
const CURL: &str = r#"
size=$1; shift
while [ $# -gt 0 ]; do
  head -c "$size" /dev/zero | curl --silent --output /dev/null --write-out '%{http_code}\n' --request "$1" \
    --header "Expect:$EXPECT" --data-binary @- "$2" || echo "curl ended with $?"
  shift 2
done
"#;

#[tokio::test(flavor = "multi_thread")]
async fn real_clients_see_the_error() {
    let open = Listening::start(Options::default()).await;
    let locked = Listening::start(with_key()).await;
    let cases = [
        ("POST", format!("http://{}/wrong/path", open.address), "404"),
        ("POST", format!("http://{}/api/caption", locked.address), "401"),
        ("PUT", format!("http://{}/api/caption", open.address), "405"),
        ("POST", format!("http://{}/api/caption", open.address), "413"),
    ];
    for (program, options, script, expect) in [
        ("python3", &["-"][..], PYTHON, ""),
        ("node", &["--input-type=module", "-"], NODE, ""),
        ("bash", &["-s"], CURL, ""),
        ("bash", &["-s"], CURL, " 100-continue"),
    ] {
        let mut command = Command::new(program);
        command.args(options).arg(LARGE.to_string()).env("EXPECT", expect);
        for _ in 0..TIMES {
            command.args(cases.iter().flat_map(|(method, address, _)| [*method, address.as_str()]));
        }
        let Some(output) = spawn_blocking(move || run(command, script)).await.unwrap() else {
            tests::skip(&format!("no {program} (`make setup PART=browser` installs Node.js)"));
            continue;
        };
        let statuses = output.lines().collect::<Vec<_>>();
        let expected = cases.iter().map(|(.., status)| *status).cycle().take(cases.len() * TIMES);
        assert_eq!(statuses, expected.collect::<Vec<_>>(), "{program}{expect}");
    }
}

/// The output of a program that reads its script from standard input; `None` if it is not installed.
fn run(mut command: Command, script: &str) -> Option<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .ok()?;
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    Some(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap())
}

/// Reads the next response, whose length is in its head.
async fn one_answer(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split("content-length: ").nth(1).unwrap();
            if body.len() >= length.split("\r\n").next().unwrap().parse().unwrap() {
                return text;
            }
        }
        let read = timeout(Duration::from_secs(20), connection.read_buf(&mut answer)).await;
        assert!(read.unwrap().unwrap() > 0, "closed after {text}");
    }
}
