//! A writer killed with SIGKILL at random moments, and a full disk: the store always opens, complete rows are right,
//! and the next run ends like an uninterrupted one.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::{GRID, names, open, provenance, rounded, source, store, values};
use features::{Error, FeatureStore, View};
use rand::{RngExt as _, SeedableRng as _};

const IMAGES: usize = 60;
/// The number of steps in which rows are added, so that kills fall into these as well.
const STEPS: usize = 12;
/// The number of kills before the writer may finish.
const KILLS_A_STORE: u64 = 5;
const STORE: &str = "SHOWTELL_TEST_STORE";

/// Kills for this run of the tests; `SHOWTELL_TEST_KILLS=1000` for a long one.
fn kills() -> usize {
    let kills = std::env::var("SHOWTELL_TEST_KILLS").ok();
    kills.and_then(|kills| kills.parse().ok()).unwrap_or(100)
}

/// The process that is killed. It fills the store that the environment names.
#[test]
#[ignore = "a process that other tests start"]
fn child_that_fills_a_store() {
    if let Some(path) = std::env::var_os(STORE) {
        fill_in_steps(Path::new(&path));
    }
}

/// Image 7 changes during the run: it is encoded twice.
fn content(number: usize, step: usize) -> usize {
    if number == 7 && step > STEPS / 2 { 1007 } else { number }
}

fn fill_in_steps(path: &Path) {
    let mut writer = open(path, &provenance(&[View::Original, View::Flip]));
    for step in 1..=STEPS {
        let wanted = names(0..IMAGES * step / STEPS);
        let same = |number: usize, name: &String| {
            common::intact_source(&writer, name) == Some(source(content(number, step)))
        };
        let lacking = wanted.iter().enumerate().filter(|(number, name)| !same(*number, name));
        let (numbers, lacking): (Vec<_>, Vec<_>) =
            lacking.map(|(at, name)| (at, name.clone())).unzip();
        let rows = writer.rows_for(&lacking).unwrap();
        let batch =
            rows.into_iter().zip(&numbers).map(|(row, &number)| (row, content(number, step)));
        for batch in batch.collect::<Vec<_>>().chunks(3) {
            common::write(&mut writer, batch).unwrap();
            writer.sync().unwrap();
        }
    }
    writer.finish().unwrap();
}

/// Checks that all complete rows are right.
fn check(path: &Path) -> usize {
    let store = FeatureStore::open(path).unwrap();
    assert_eq!(store.verify().unwrap(), []);
    for (name, row) in store.images() {
        let number = name["ảnh ".len()..name.len() - 4].parse::<usize>().unwrap();
        let possible = [number, content(number, STEPS)];
        for view in 0..2 {
            let found = values(&store, row, view);
            let is = |number| {
                let grids = rounded(&common::grids(number, 2));
                found == grids[view * GRID.values()..(view + 1) * GRID.values()]
            };
            assert!(possible.into_iter().any(is), "{name} is wrong");
        }
    }
    store.complete()
}

#[test]
fn a_writer_may_be_killed_at_any_moment() {
    let (_folder, whole) = store();
    fill_in_steps(&whole);
    let expected = FeatureStore::open(&whole).unwrap().content_digest().unwrap();
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(3);
    let (mut killed, mut finished, mut unfinished) = (0, 0, 0);
    while killed < kills() {
        let (_folder, path) = store();
        for attempt in 1..=KILLS_A_STORE {
            let mut child = filling(&path);
            let delay = random.random_range(500..40_000 * attempt);
            std::thread::sleep(Duration::from_micros(delay));
            child.kill().unwrap();
            if child.wait().unwrap().signal() != Some(9) {
                break;
            }
            killed += 1;
            if path.exists() {
                unfinished += usize::from(check(&path) < IMAGES);
            }
        }
        let status = filling(&path).wait().unwrap();
        assert!(status.success(), "the writer failed after {killed} kills");
        finished += 1;
        assert_eq!(check(&path), IMAGES);
        let store = FeatureStore::open(&path).unwrap();
        assert_eq!(store.content_digest().unwrap(), expected);
        // The scratch files of killed writers were removed.
        let left = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(left, store.files().len());
    }
    eprintln!("{killed} kills, {unfinished} of unfinished stores; {finished} stores finished");
}

fn filling(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "child_that_fills_a_store"])
        .env(STORE, path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// On a real file system of a few hundred kilobytes. Mounting one takes root; elsewhere the test
/// reports that it was skipped, and fails in continuous integration.
#[test]
fn a_full_disk_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=400k", "tmpfs"])
        .arg(folder.path())
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        tests::skip("no tmpfs could be mounted (it takes root)");
        return;
    }
    let path = folder.path().join("store.h5");
    let result = std::panic::catch_unwind(|| fill_a_full_disk(&path));
    let unmounted = Command::new("umount").arg(folder.path()).status().unwrap();
    assert!(unmounted.success());
    result.unwrap();
}

fn fill_a_full_disk(path: &Path) {
    let plain = provenance(&[View::Original]);
    let images = 2000;
    let ballast = path.with_file_name("ballast");
    std::fs::write(&ballast, vec![1; 100_000]).unwrap();
    let mut writer = open(path, &plain);
    let rows = writer.rows_for(&names(0..images)).unwrap();
    let mut written = 0;
    let full = loop {
        let row = (rows[written], written);
        match common::write(&mut writer, &[row]).and_then(|()| writer.sync()) {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(&full, Error::Io { source, .. } if source.raw_os_error() == Some(28)),
        "{full}"
    );
    assert!(full.to_string().contains("store.h5"), "{full}");
    // Nothing can be added either, and nothing is lost by trying.
    assert!(writer.rows_for(&names(images..images + 5000)).is_err());
    drop(writer);
    assert_eq!(check_plain(path), written);

    std::fs::remove_file(ballast).unwrap();
    let mut writer = open(path, &plain);
    let lacking = names(written..written + 20);
    let rows = writer.rows_for(&lacking).unwrap();
    for (row, number) in rows.into_iter().zip(written..) {
        common::write(&mut writer, &[(row, number)]).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(check_plain(path), written + 20);
}

fn check_plain(path: &Path) -> usize {
    let store = FeatureStore::open(path).unwrap();
    assert_eq!(store.verify().unwrap(), []);
    for (name, row) in store.images() {
        let number = name["ảnh ".len()..name.len() - 4].parse().unwrap();
        assert_eq!(values(&store, row, 0), rounded(&common::grids(number, 1)));
    }
    store.complete()
}
