//! An attack by clients that take memory and do not read responses, during the requests of an honest client: the memory
//! of the process stays within its budget and is released.
//!
//! With a small model and a few clients; `SHOWTELL_HANGUPS=200 SHOWTELL_SLOW_CLIENTS=64 SHOWTELL_SILENT_CLIENTS=64` with
//! `SHOWTELL_TEST_MODEL` and `SHOWTELL_TEST_ENCODER` is the long form, which also compares the latency with that of a
//! second server without attack. Both get requests in turn, so that other load of the machine cancels out.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use tests::load::{self, Answer, Server};
use tests::small_model;

/// `--memory` of the server, the default.
const MEMORY_MIB: f64 = 384.0;
/// Width and height of the largest accepted image.
const SIDE: u32 = 7071;
/// Threads that close their connections.
const AT_ONCE: usize = 16;
/// Requests of the honest client that measure its normal latency.
const CALM: usize = 100;
/// The fewest answered requests of the honest client during the attack: in the short and in the long form.
const DURING: [usize; 2] = [40, 400];
/// MiB that the process may keep in addition to 15 %, because a small model has only few MiB.
const KEPT_MIB: f64 = 24.0;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
#[expect(clippy::too_many_lines, reason = "one scenario, step by step")]
fn memory_stays_within_its_budget_and_is_released() {
    let is_long = std::env::var_os("SHOWTELL_HANGUPS").is_some();
    let hang_ups = setting("SHOWTELL_HANGUPS", 30);
    let slow_clients = setting("SHOWTELL_SLOW_CLIENTS", 16);
    let silent_clients = setting("SHOWTELL_SILENT_CLIENTS", 16);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let server = start(&folder.path().join("model"), &log);
    let address =
        server.address.trim_start_matches("http://").split('/').next().unwrap().to_owned();

    let control = start(&folder.path().join("control"), &folder.path().join("control.log"));
    let honest = Honest::default();
    let before = ask_both(&honest, &server, &control);
    let rest = server.resident_mib();
    server.forget_peak();
    let (worst, upload) = (worst_image(), large_form());
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let during = thread::scope(|scope| {
        let honest = scope.spawn(|| {
            let mut answers = Vec::new();
            while !over.load(Ordering::Relaxed) {
                answers.push(honest.ask(&server));
                answered.fetch_add(1, Ordering::Relaxed);
                sleep(Duration::from_millis(20));
            }
            answers
        });
        for _ in 0..slow_clients {
            scope.spawn(|| send_slowly(&address, &over));
        }
        for _ in 0..silent_clients {
            scope.spawn(|| never_read(&address, &upload, &over));
        }
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        if at >= hang_ups {
                            return;
                        }
                        disconnect(&address, &numbered(&worst, at));
                    }
                });
            }
        });
        // The attack continues until the honest client has sent enough requests.
        while answered.load(Ordering::Relaxed) < DURING[usize::from(is_long)] {
            sleep(Duration::from_millis(20));
        }
        over.store(true, Ordering::Relaxed);
        honest.join().unwrap()
    });
    let (peak, settled) = settle(&server, rest);
    let after = ask_both(&honest, &server, &control);

    let [calm, again] =
        [&before, &after].map(|answers| answers.each_ref().map(|them| median_ms(them)));
    let slower = (again[0] / again[1]) / (calm[0] / calm[1]);
    let captions = during.iter().filter(|answer| answer.status == Some(200)).count();
    let refused = during.iter().filter(|answer| answer.status == Some(429)).count();
    eprintln!(
        "resident MiB: {rest:.0} at rest, {peak:.0} at most ({:.2} of rest and budget), {:.0} after {:.1} s \
         ({:.2} of rest); honest client: {captions} captions and {refused} times 429 of {}, median ms here and at a \
         server left alone {calm:.1?} before, {again:.1?} after ({slower:.2})",
        peak / (rest + MEMORY_MIB),
        settled.0,
        settled.1.as_secs_f64(),
        settled.0 / rest,
        during.len(),
    );
    assert!(peak <= 1.1 * (rest + MEMORY_MIB), "{peak:.0} MiB of {rest:.0} + {MEMORY_MIB:.0}");
    assert!(!during.is_empty() && captions + refused == during.len(), "{during:?}");
    let log_text = fs::read_to_string(&log).unwrap();
    assert!(!log_text.contains("panick"), "{log_text}");
    let is_back = settled.0 <= 1.15 * rest || !is_long && settled.0 <= 1.15 * rest + KEPT_MIB;
    assert!(is_back, "{:.0} MiB are resident, at rest {rest:.0}", settled.0);
    assert!(!is_long || slower <= 1.2, "{calm:.1?} ms before, {again:.1?} ms after");
    assert!(after.iter().flatten().all(|answer| answer.status == Some(200)));
}

fn start(folder: &std::path::Path, log: &std::path::Path) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    command.args([
        "--port",
        "0",
        "--memory",
        &format!("{MEMORY_MIB}MiB"),
        "--log",
        "info",
        "--model",
    ]);
    if let Some(model) = std::env::var_os("SHOWTELL_TEST_MODEL").map(PathBuf::from) {
        command.arg(model);
    } else {
        fs::create_dir(folder).unwrap();
        small_model::write(folder);
        command.arg(folder);
    }
    if let Some(encoder) = std::env::var_os("SHOWTELL_TEST_ENCODER") {
        command.arg("--encoder").arg(encoder);
    }
    Server::start(command.stderr(File::create(log).unwrap()))
}

/// A client that sends small photos, each of them once.
#[derive(Default)]
struct Honest(AtomicUsize);

impl Honest {
    fn ask(&self, server: &Server) -> Answer {
        let at = self.0.fetch_add(1, Ordering::Relaxed) as u32;
        let colour = image::Rgb(at.to_le_bytes()[..3].try_into().unwrap());
        let mut bytes = std::io::Cursor::new(Vec::new());
        let photo = image::RgbImage::from_pixel(320, 240, colour);
        photo.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        load::once(&server.address, &bytes.into_inner())
    }
}

/// The same client at both servers, in turn.
fn ask_both(honest: &Honest, server: &Server, control: &Server) -> [Vec<Answer>; 2] {
    let pairs = (0..CALM).map(|_| (honest.ask(server), honest.ask(control)));
    let (here, there) = pairs.unzip();
    [here, there]
}

fn median_ms(answers: &[Answer]) -> f64 {
    load::percentile(answers.iter(), 0.5)
}

/// The peak of the resident memory, and the resident memory once it is released or after half a minute, with the time.
fn settle(server: &Server, rest: f64) -> (f64, (f64, Duration)) {
    let start = Instant::now();
    loop {
        let (now, took) = (server.resident_mib(), start.elapsed());
        if now <= 1.15 * rest || took > Duration::from_secs(30) {
            return (server.peak_mib(), (now, took));
        }
        sleep(Duration::from_millis(200));
    }
}

/// A small PNG file with the largest pixels: 16 bits, transparent, all 0.
fn worst_image() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header().unwrap();
    let mut rows = writer.stream_writer().unwrap();
    let row = vec![0; 8 * SIDE as usize];
    for _ in 0..SIDE {
        rows.write_all(&row).unwrap();
    }
    rows.finish().unwrap();
    writer.finish().unwrap();
    bytes
}

/// The PNG with one more chunk of bytes after its header.
fn with_chunk(png: &[u8], data: &[u8]) -> Vec<u8> {
    const HEADER: usize = 33;
    let named = [b"teSt", data].concat();
    let length = (data.len() as u32).to_be_bytes();
    let checksum = crc32fast::hash(&named).to_be_bytes();
    [&png[..HEADER], &length, &named, &checksum, &png[HEADER..]].concat()
}

/// The same image as another file.
fn numbered(png: &[u8], number: usize) -> Vec<u8> {
    with_chunk(png, number.to_string().as_bytes())
}

fn head(path: &str, kind: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    )
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    stream
}

fn disconnect(address: &str, photo: &[u8]) {
    let mut stream = connect(address);
    // It may be refused and the connection closed before all is sent.
    let _ = stream.write_all(head("/api/caption", "image/png", photo.len()).as_bytes());
    let _ = stream.write_all(photo);
    sleep(Duration::from_millis(50));
}

/// Declares 9 MB, sends one, and then a little from time to time.
fn send_slowly(address: &str, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let mut stream = connect(address);
        let _ = stream.write_all(head("/api/caption", "image/png", 9_000_000).as_bytes());
        let _ = stream.write_all(&vec![0; 1_000_000]);
        while !over.load(Ordering::Relaxed) && stream.write_all(&[0; 100]).is_ok() {
            sleep(Duration::from_millis(100));
        }
    }
}

/// Sends the same form repeatedly and never reads a response.
fn never_read(address: &str, form: &[u8], over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let mut stream = connect(address);
        let kind = "multipart/form-data; boundary=x";
        loop {
            let sent = stream
                .write_all(head("/", kind, form.len()).as_bytes())
                .and_then(|()| stream.write_all(form));
            if sent.is_err() || over.load(Ordering::Relaxed) {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        sleep(Duration::from_millis(100));
    }
}

/// Four photos of 9 MB each, of few pixels.
fn large_form() -> Vec<u8> {
    let mut form = Vec::new();
    for shade in 0..4 {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let image = image::RgbImage::from_pixel(40, 30, image::Rgb([shade, 1, 2]));
        image.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        form.extend(
            b"--x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"x.png\"\r\n\r\n",
        );
        form.extend(with_chunk(&bytes.into_inner(), &vec![0; 9_000_000]));
        form.extend(b"\r\n");
    }
    form.extend(b"--x--\r\n");
    form
}

#[test]
fn a_server_whose_output_is_not_read_continues() {
    let folder = tempfile::tempdir().unwrap();
    small_model::write(folder.path());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut child = Command::new(env!("CARGO_BIN_EXE_serve"))
        .args(["--port", &port.to_string(), "--model"])
        .arg(folder.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ready = format!("http://127.0.0.1:{port}/ready");
    let end = Instant::now() + Duration::from_mins(1);
    while ureq::get(&ready).call().is_err() && child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "the server does not answer");
        sleep(Duration::from_millis(50));
    }
    let lives = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    let mut log_text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log_text).unwrap();
    assert!(lives && !log_text.contains("panick"), "{log_text}");
}
