//! Files are fetched from a server of the tests' own, which keeps its word or does not.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use data::digest;
use data::download::{Checksum, Source};
use tempfile::TempDir;
use tests::answers::{Answers, answer, whole};

const WHOLE: &[u8] = b"what lies at a public address";

/// The file from byte `from` on.
fn rest(from: usize) -> Vec<u8> {
    let (last, length) = (WHOLE.len() - 1, WHOLE.len() - from);
    let range = format!("Content-Range: bytes {from}-{last}/{}\r\n", WHOLE.len());
    let headers = format!("{range}Content-Length: {length}\r\n");
    answer("206 Partial Content", &headers, &WHOLE[from..])
}

/// An answer that promises the whole file and breaks off.
fn broken(length: usize) -> Vec<u8> {
    answer("200 OK", &format!("Content-Length: {}\r\n", WHOLE.len()), &WHOLE[..length])
}

fn source(address: String) -> Source {
    let checksum = Checksum::Sha256(digest::of_bytes(WHOLE));
    Source { address, checksum, bytes: Some(WHOLE.len() as u64) }
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("fetched/file.bin")
    }

    fn part(&self) -> PathBuf {
        self.0.path().join("fetched/file.bin.part")
    }

    /// Fetches from a server with these answers; gives the problem, if there is one, and what was asked.
    fn fetch(&self, answers: Vec<Vec<u8>>) -> (Option<String>, Vec<String>) {
        let server = Answers::start(answers);
        let source = source(server.address("a/file.bin"));
        assert_eq!(source.file_name(), "file.bin");
        let mut last = 0;
        let done = source.fetch(&self.file(), &mut |bytes, _| last = bytes);
        assert!(done.is_err() || Some(last) == source.bytes);
        (done.err().map(|error| error.to_string()), server.asked())
    }
}

#[test]
fn a_file_is_fetched_whole() {
    let place = Place::new();
    let (problem, asked) = place.fetch(vec![whole(WHOLE)]);
    assert_eq!((problem, asked.len()), (None, 1));
    assert!(asked[0].starts_with("get /a/file.bin") && !asked[0].contains("range"));
    assert_eq!(fs::read(place.file()).unwrap(), WHOLE);
    assert!(!place.part().exists());
}

#[test]
fn a_broken_download_goes_on_where_it_ended() {
    let place = Place::new();
    let (problem, asked) = place.fetch(vec![broken(9), rest(9)]);
    assert_eq!(problem, None);
    assert!(asked[1].contains("range: bytes=9-"), "{asked:?}");
    assert_eq!(fs::read(place.file()).unwrap(), WHOLE);
}

#[test]
fn a_truncated_file_is_told_and_kept_for_the_next_time() {
    let place = Place::new();
    let nothing = answer("206 Partial Content", "Content-Range: bytes 9-28/29\r\n", b"");
    let (problem, _) = place.fetch(vec![broken(9), nothing]);
    let problem = problem.unwrap();
    assert!(problem.contains("after 9 of 29 bytes"), "{problem}");
    assert!(!place.file().exists());
    assert_eq!(fs::read(place.part()).unwrap(), &WHOLE[..9]);
    let (problem, _) = place.fetch(vec![rest(9)]);
    assert_eq!(problem, None);
    assert_eq!(fs::read(place.file()).unwrap(), WHOLE);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let place = Place::new();
    let (problem, _) = place.fetch(vec![broken(9), whole(WHOLE)]);
    assert_eq!(problem, None);
    assert_eq!(fs::read(place.file()).unwrap(), WHOLE);
}

#[test]
fn what_is_another_file_is_refused() {
    let other = WHOLE.to_ascii_uppercase();
    let longer = [WHOLE, b"!"].concat();
    for (body, part) in [(&other, "is another file"), (&longer, "longer than 29 bytes")] {
        let place = Place::new();
        let (problem, _) = place.fetch(vec![whole(body)]);
        let problem = problem.unwrap();
        let file = place.file();
        let told = [part, file.to_str().unwrap(), "file.bin:", &digest::of_bytes(WHOLE)];
        assert!(told.iter().all(|part| problem.contains(part)), "{problem}");
        assert!(!file.exists() && !place.part().exists());
    }
}

#[test]
fn what_a_server_refuses_is_told() {
    let place = Place::new();
    let (problem, _) = place.fetch(vec![answer("404 Not Found", "Content-Length: 0\r\n", b"")]);
    let problem = problem.unwrap();
    assert!(problem.contains("404") && problem.contains("by hand"), "{problem}");
    assert!(!place.file().exists());
    fs::write(place.part(), &WHOLE[..4]).unwrap();
    let elsewhere = answer("206 Partial Content", "Content-Range: bytes 2-28/29\r\n", b"");
    assert!(place.fetch(vec![elsewhere]).0.unwrap().contains("206"));
    assert_eq!(fs::read(place.part()).unwrap(), &WHOLE[..4]);
}

#[test]
fn a_file_that_was_fetched_by_hand_is_taken_if_it_is_the_one() {
    let place = Place::new();
    let source = source("http://127.0.0.1:1/file.bin".to_owned());
    let problem = source.fetch(&place.file(), &mut |_, _| ()).unwrap_err().to_string();
    assert!(problem.contains("127.0.0.1:1") && problem.contains("after 0 of 29"), "{problem}");
    fs::write(place.file(), WHOLE).unwrap();
    source.fetch(&place.file(), &mut |_, _| ()).unwrap();
    fs::write(place.file(), "another").unwrap();
    let problem = source.fetch(&place.file(), &mut |_, _| ()).unwrap_err().to_string();
    assert!(problem.contains("is another file") && problem.contains("remove it"), "{problem}");
    assert_eq!(fs::read(place.file()).unwrap(), b"another");
}

/// Fetches a file of which only the MD5 is published.
fn fetch_of_unknown_length(place: &Place, answers: Vec<Vec<u8>>) -> Option<String> {
    let server = Answers::start(answers);
    // md5sum of WHOLE.
    let checksum = Checksum::Md5("9690975ec1f0721859992d02a91b5f33".to_owned());
    let source = Source { address: server.address("file.bin"), checksum, bytes: None };
    source.fetch(&place.file(), &mut |_, _| ()).err().map(|error| error.to_string())
}

#[test]
fn the_server_says_how_long_a_file_is_where_nobody_else_does() {
    let place = Place::new();
    assert_eq!(fetch_of_unknown_length(&place, vec![broken(9), rest(9)]), None);
    assert_eq!(fs::read(place.file()).unwrap(), WHOLE);
    let place = Place::new();
    // It was whole, but the name was not given to it any more.
    fs::create_dir_all(place.part().parent().unwrap()).unwrap();
    fs::write(place.part(), WHOLE).unwrap();
    let ended = answer("416 Range Not Satisfiable", "Content-Length: 0\r\n", b"");
    assert_eq!(fetch_of_unknown_length(&place, vec![ended]), None);
    assert_eq!(fs::read(place.file()).unwrap(), WHOLE);
    let place = Place::new();
    let endless = answer("200 OK", "", &WHOLE[..9]);
    let problem = fetch_of_unknown_length(&place, vec![endless]).unwrap();
    assert!(
        problem.contains("is another file")
            && problem.contains("(MD5 9690975ec1f0721859992d02a91b5f33)"),
        "{problem}"
    );
}
