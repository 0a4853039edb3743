//! Downloads from a local server that answers correctly or breaks off.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::path::PathBuf;

use common::digest;
use download::{Checksum, Source};
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

/// An answer with the length of the whole file that breaks off.
fn broken(length: usize) -> Vec<u8> {
    answer("200 OK", &format!("Content-Length: {}\r\n", WHOLE.len()), &WHOLE[..length])
}

fn source(address: String) -> Source {
    let checksum = Checksum::Sha256(digest::of_bytes(WHOLE));
    Source { address, checksum, bytes: Some(WHOLE.len() as u64) }
}

struct Target(TempDir);

impl Target {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("fetched/file.bin")
    }

    fn part(&self) -> PathBuf {
        self.0.path().join("fetched/file.bin.part")
    }

    /// Fetches from a server with these answers; returns the error, if there is one, and the requests.
    fn fetch(&self, answers: Vec<Vec<u8>>) -> (Option<String>, Vec<String>) {
        let server = Answers::start(answers);
        let source = source(server.address("a/file.bin"));
        assert_eq!(source.file_name(), "file.bin");
        let mut last = 0;
        let done = source.fetch(&self.file(), &mut |bytes, _| last = bytes);
        assert!(done.is_err() || Some(last) == source.bytes);
        (done.err().map(|error| error.to_string()), server.requests())
    }
}

#[test]
fn a_file_is_fetched_whole() {
    let target = Target::new();
    let (problem, asked) = target.fetch(vec![whole(WHOLE)]);
    assert_eq!((problem, asked.len()), (None, 1));
    assert!(asked[0].starts_with("get /a/file.bin") && !asked[0].contains("range"));
    assert_eq!(fs::read(target.file()).unwrap(), WHOLE);
    assert!(!target.part().exists());
}

#[test]
fn an_interrupted_download_is_resumed() {
    let target = Target::new();
    let (problem, asked) = target.fetch(vec![broken(9), rest(9)]);
    assert_eq!(problem, None);
    assert!(asked[1].contains("range: bytes=9-"), "{asked:?}");
    assert_eq!(fs::read(target.file()).unwrap(), WHOLE);
}

#[test]
fn a_truncated_file_is_reported_and_kept_for_the_next_run() {
    let target = Target::new();
    let nothing = answer("206 Partial Content", "Content-Range: bytes 9-28/29\r\n", b"");
    let (problem, _) = target.fetch(vec![broken(9), nothing]);
    let problem = problem.unwrap();
    assert!(problem.contains("after 9 of 29 bytes"), "{problem}");
    assert!(!target.file().exists());
    assert_eq!(fs::read(target.part()).unwrap(), &WHOLE[..9]);
    let (problem, _) = target.fetch(vec![rest(9)]);
    assert_eq!(problem, None);
    assert_eq!(fs::read(target.file()).unwrap(), WHOLE);
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let target = Target::new();
    let (problem, _) = target.fetch(vec![broken(9), whole(WHOLE)]);
    assert_eq!(problem, None);
    assert_eq!(fs::read(target.file()).unwrap(), WHOLE);
}

#[test]
fn a_file_with_another_checksum_or_length_is_refused() {
    let other = WHOLE.to_ascii_uppercase();
    let longer = [WHOLE, b"!"].concat();
    for (body, part) in [(&other, "checksum mismatch"), (&longer, "longer than 29 bytes")] {
        let target = Target::new();
        let (problem, _) = target.fetch(vec![whole(body)]);
        let problem = problem.unwrap();
        let file = target.file();
        let parts = [part, file.to_str().unwrap(), "file.bin:", &digest::of_bytes(WHOLE)];
        assert!(parts.iter().all(|part| problem.contains(part)), "{problem}");
        assert!(!file.exists() && !target.part().exists());
    }
}

#[test]
fn the_status_of_a_refused_request_is_reported() {
    let target = Target::new();
    let (problem, _) = target.fetch(vec![answer("404 Not Found", "Content-Length: 0\r\n", b"")]);
    let problem = problem.unwrap();
    assert!(problem.contains("404") && problem.contains("by hand"), "{problem}");
    assert!(!target.file().exists());
    fs::write(target.part(), &WHOLE[..4]).unwrap();
    let elsewhere = answer("206 Partial Content", "Content-Range: bytes 2-28/29\r\n", b"");
    assert!(target.fetch(vec![elsewhere]).0.unwrap().contains("206"));
    assert_eq!(fs::read(target.part()).unwrap(), &WHOLE[..4]);
}

#[test]
fn a_file_that_was_fetched_by_hand_is_accepted_if_its_checksum_is_right() {
    let target = Target::new();
    let source = source("http://127.0.0.1:1/file.bin".to_owned());
    let problem = source.fetch(&target.file(), &mut |_, _| ()).unwrap_err().to_string();
    assert!(problem.contains("127.0.0.1:1") && problem.contains("after 0 of 29"), "{problem}");
    fs::write(target.file(), WHOLE).unwrap();
    source.fetch(&target.file(), &mut |_, _| ()).unwrap();
    fs::write(target.file(), "another").unwrap();
    let problem = source.fetch(&target.file(), &mut |_, _| ()).unwrap_err().to_string();
    assert!(problem.contains("checksum mismatch") && problem.contains("remove it"), "{problem}");
    assert_eq!(fs::read(target.file()).unwrap(), b"another");
}

/// Fetches a file whose length is not published, only its MD5.
fn fetch_of_unknown_length(target: &Target, answers: Vec<Vec<u8>>) -> Option<String> {
    let server = Answers::start(answers);
    // md5sum of WHOLE.
    let checksum = Checksum::Md5("9690975ec1f0721859992d02a91b5f33".to_owned());
    let source = Source { address: server.address("file.bin"), checksum, bytes: None };
    source.fetch(&target.file(), &mut |_, _| ()).err().map(|error| error.to_string())
}

#[test]
fn the_server_states_the_length_if_it_is_not_published() {
    let target = Target::new();
    assert_eq!(fetch_of_unknown_length(&target, vec![broken(9), rest(9)]), None);
    assert_eq!(fs::read(target.file()).unwrap(), WHOLE);
    let target = Target::new();
    // It was complete, but not yet renamed.
    fs::create_dir_all(target.part().parent().unwrap()).unwrap();
    fs::write(target.part(), WHOLE).unwrap();
    let ended = answer("416 Range Not Satisfiable", "Content-Length: 0\r\n", b"");
    assert_eq!(fetch_of_unknown_length(&target, vec![ended]), None);
    assert_eq!(fs::read(target.file()).unwrap(), WHOLE);
    let target = Target::new();
    let endless = answer("200 OK", "", &WHOLE[..9]);
    let problem = fetch_of_unknown_length(&target, vec![endless]).unwrap();
    assert!(
        problem.contains("checksum mismatch")
            && problem.contains("(MD5 9690975ec1f0721859992d02a91b5f33)"),
        "{problem}"
    );
}
