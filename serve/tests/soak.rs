//! The server under full load for `SHOWTELL_SOAK_MINUTES` (default: two seconds), with some hostile requests; with a small
//! model, or that of `SHOWTELL_TEST_MODEL`.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use tests::load::{self, Answer, Server};
use tests::small_model;

const CLIENTS: usize = 32;
/// One hostile request in this number.
const HOSTILE_OF: usize = 20;
/// Parts that the time is divided into, for the memory in each.
const PARTS: usize = 20;
/// The fewest captioned photos.
const CAPTIONS: usize = 200;
/// MiB that the last quarter may have above 1.05 of the first, because a small model has only few MiB.
const MORE_MIB: f64 = 8.0;

#[test]
fn the_server_survives_load_and_hostile_requests() {
    let minutes =
        std::env::var("SHOWTELL_SOAK_MINUTES").ok().map(|text| text.parse::<f64>().unwrap());
    let time = Duration::from_secs_f64(60.0 * minutes.unwrap_or(1.0 / 30.0));
    let folder = tempfile::tempdir().unwrap();
    let small = || {
        small_model::write(folder.path());
        folder.path().to_path_buf()
    };
    let model = std::env::var_os("SHOWTELL_TEST_MODEL").map_or_else(small, PathBuf::from);
    let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
    // A cache smaller than the photos, so that it is always full.
    command
        .args(["--port", "0", "--log", "error", "--queue", "24", "--cache", "20", "--model"])
        .arg(&model);
    if let Some(encoder) = std::env::var_os("SHOWTELL_TEST_ENCODER") {
        command.arg("--encoder").arg(encoder);
    }
    let server = Server::start(&mut command);
    let (bodies, expected) = bodies(&server);

    let mut memory = Vec::new();
    let mut counts = HashMap::<_, usize>::new();
    // A busy machine may need more parts.
    while memory.len() < PARTS || counts.get(&Some(200)).is_none_or(|captions| *captions < CAPTIONS)
    {
        assert!(memory.len() < 20 * PARTS, "too few captions: {counts:?}");
        let answers = load::closed(&server.address, &bodies, CLIENTS, time / PARTS as u32);
        for answer in &answers {
            check(answer, &expected);
            *counts.entry(answer.status).or_default() += 1;
        }
        memory.push(server.resident_mib());
    }
    eprintln!("answers by status: {counts:?}; resident MiB: {memory:.0?}");
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let quarter = memory.len() / 4;
    let (first, last) = (mean(&memory[..quarter]), mean(&memory[memory.len() - quarter..]));
    let most = 1.05 * first + if minutes.is_some() { 0.0 } else { MORE_MIB };
    assert!(last <= most, "memory grew from {first:.0} to {last:.0} MiB: {memory:?}");
    // It still gives the same answers. Under load any request may be refused by a full queue.
    for (body, expected) in bodies.iter().zip(&expected).take(4 * HOSTILE_OF) {
        let again = load::once(&server.address, body);
        check(&Answer { body: 0, ..again.clone() }, std::slice::from_ref(expected));
        let status = again.status.unwrap_or_default();
        assert_eq!(status == 200, expected.is_some(), "{status}");
        assert!([200, 400, 413, 422].contains(&status), "{status}");
    }
}

/// The bodies, and the caption of each photo (`None` if it has to be refused).
fn bodies(server: &Server) -> (Vec<Vec<u8>>, Vec<Option<String>>) {
    let mut bodies = photos();
    let hostile = hostile(&bodies[0]);
    let mut expected = Vec::new();
    for body in &bodies {
        let answer = load::once(&server.address, body);
        assert_eq!(answer.status, Some(200), "{}", answer.text);
        expected.push(Some(caption_in(&answer.text)));
    }
    for at in 0..bodies.len() / (HOSTILE_OF - 1) {
        bodies.insert(HOSTILE_OF * at, hostile[at % hostile.len()].clone());
        expected.insert(HOSTILE_OF * at, None);
    }
    bodies.rotate_left(1);
    expected.rotate_left(1);
    (bodies, expected)
}

fn caption_in(text: &str) -> String {
    let answer: Value = serde_json::from_str(text).unwrap();
    answer["caption"].as_str().unwrap().to_owned()
}

/// Real photos if they are available, else generated ones.
fn photos() -> Vec<Vec<u8>> {
    if let Some(folder) = tests::shared("photos") {
        return tests::files_in(&folder).iter().map(|file| fs::read(file).unwrap()).collect();
    }
    let drawn = |shade: u8| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let image = image::RgbImage::from_pixel(320, 240, image::Rgb([shade, 90, 255 - shade]));
        image.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
        bytes.into_inner()
    };
    (0..200).map(drawn).collect()
}

fn hostile(photo: &[u8]) -> Vec<Vec<u8>> {
    // A PNG with a declared size of 100,000 × 100,000 pixels.
    let mut bomb =
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\x01\x86\xa0\0\x01\x86\xa0\x08\x02\0\0\0".to_vec();
    bomb.extend(crc32fast::hash(&bomb[12..29]).to_be_bytes());
    vec![
        b"<html><script>alert(1)</script>".to_vec(),
        bomb,
        photo[..photo.len() / 3].to_vec(),
        vec![0xff; (10 << 20) + 1],
        [b"GIF89a", photo].concat(),
    ]
}

/// A photo gets its own caption or a refusal by load; anything else gets its own error.
fn check(answer: &Answer, expected: &[Option<String>]) {
    match (&expected[answer.body], answer.status) {
        (Some(caption), Some(200)) => assert_eq!(caption_in(&answer.text), *caption),
        (_, Some(429 | 503 | 504)) | (None, Some(400 | 413 | 415 | 422)) => {}
        (None, status) => panic!("a hostile request got {status:?}: {}", answer.text),
        (Some(_), status) => panic!("a photo got {status:?}: {}", answer.text),
    }
}
