//! A store with one byte changed, or truncated: either it is noticed, or every grid is right.
//! Each damaged store is opened in a process of its own, with a time limit.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::print_stderr, reason = "a test prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

mod common;

use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{fill, names, provenance, store, values};
use features::{FeatureStore, View};
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const IMAGES: usize = 40;
const LIMIT: Duration = Duration::from_secs(20);
const STORE: &str = "SHOWTELL_TEST_STORE";
const NOTICED: i32 = 3;

/// Changes for a file of this format; `SHOWTELL_TEST_CHANGES=5000` for a long run.
fn changes() -> usize {
    let changes = std::env::var("SHOWTELL_TEST_CHANGES").ok();
    changes.and_then(|changes| changes.parse().ok()).unwrap_or(600)
}

/// The process that opens damaged stores. Reports whether the damage of a store was noticed, and fails if a grid is
/// read that is not the one that was written.
#[test]
#[ignore = "a process that other tests start"]
fn child_that_reads_damaged_stores() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let noticed = match FeatureStore::open(Path::new(&path)) {
        Err(error) => !error.to_string().is_empty(),
        Ok(store) => {
            for (name, row) in store.images() {
                let number = name["ảnh ".len()..name.len() - 4].parse().unwrap();
                let expected = common::rounded(&common::grids(number, 1));
                let grid = store.read(row, 0);
                assert!(grid.is_err() || grid.unwrap().iter().eq(&expected), "{name}");
            }
            assert_eq!(store.provenance(), &provenance(&[View::Original]));
            !store.verify().unwrap().is_empty() || store.complete() != IMAGES
        }
    };
    std::process::exit(if noticed { NOTICED } else { 0 });
}

/// A part of the file.
struct Region {
    name: &'static str,
    bytes: Range<u64>,
    must_be_noticed: bool,
}

/// The parts of a file, found through HDF5: its datasets, and the metadata before them or around them.
fn regions(path: &Path) -> Vec<Region> {
    let file = hdf5::File::open(path).unwrap();
    let mut regions = Vec::new();
    for name in ["name", "source_sha256", "source_stamp", "state", "checksum", "grids/original"] {
        let dataset = file.dataset(name).unwrap();
        let at = dataset.offset().unwrap();
        let bytes = at..at + dataset.storage_size();
        // A stamp decides only whether a photo is hashed again.
        regions.push(Region { name, bytes, must_be_noticed: name != "source_stamp" });
    }
    regions.sort_by_key(|region| region.bytes.start);
    let mut free = 0;
    let mut metadata = Vec::new();
    for Region { bytes, .. } in &regions {
        metadata.push(free..bytes.start);
        free = bytes.end;
    }
    metadata.push(free..fs::metadata(path).unwrap().len());
    let metadata = metadata.into_iter().filter(|bytes| !bytes.is_empty());
    regions.extend(metadata.map(|bytes| Region {
        name: "metadata",
        bytes,
        must_be_noticed: false,
    }));
    regions
}

/// The exit status of the child.
fn read(path: &Path) -> i32 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "child_that_reads_damaged_stores"])
        .env(STORE, path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if start.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("a reader hangs");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Changes bytes of a file of the store at `path`, one at a time, half of them metadata: each is noticed or harmless.
fn change_bytes(path: &Path, file: &Path, regions: &[Region], count: usize) {
    assert_eq!(read(path), 0, "the whole store is not right");
    let name = file.file_name().unwrap().display();
    let (metadata, datasets): (Vec<_>, Vec<_>) =
        regions.iter().partition(|region| region.name == "metadata");
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let file = fs::File::options().read(true).write(true).open(file).unwrap();
    let mut noticed = 0;
    for change in 0..count {
        let of = if change % 2 == 0 { &metadata } else { &datasets };
        let region = of.choose(&mut random).unwrap();
        // Zeros between parts have no meaning.
        let (at, byte) = loop {
            let at = random.random_range(region.bytes.clone());
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            if byte != [0] || random.random_ratio(1, 50) {
                break (at, byte);
            }
        };
        let other = byte[0] ^ random.random_range(1..=255);
        file.write_all_at(&[other], at).unwrap();
        let status = read(path);
        let allowed: &[i32] = if region.must_be_noticed { &[NOTICED] } else { &[0, NOTICED] };
        let part = region.name;
        let byte_before = byte[0];
        assert!(
            allowed.contains(&status),
            "{name}, {part}, byte {at}: {byte_before} → {other}: {status}"
        );
        file.write_all_at(&byte, at).unwrap();
        noticed += usize::from(status == NOTICED);
    }
    assert_eq!(read(path), 0);
    eprintln!("{name}: {noticed} of {count} changes noticed, the others harmless");
}

#[test]
fn every_changed_byte_is_noticed() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..25));
    fill(&path, &plain, &names(0..IMAGES));
    for file in [path.clone(), path.with_file_name("store+1.h5")] {
        change_bytes(&path, &file, &regions(&file), changes() / 2);
    }
}

/// The formats that other tools write have no checksums over their metadata, or texts of variable length.
#[test]
fn every_changed_byte_of_a_rewritten_store_is_noticed() {
    let (folder, path) = store();
    fill(&path, &provenance(&[View::Original]), &names(0..IMAGES));
    for rewrite in common::REWRITES {
        let file = folder.path().join(format!("{}.h5", rewrite.name));
        if rewrite.run(&path, &file) {
            change_bytes(&file, &file, &regions(&file), changes() / 2);
        }
    }
}

#[test]
fn every_changed_byte_of_a_merged_store_is_noticed() {
    let (folder, path) = store();
    fill(&path, &provenance(&[View::Original]), &names(0..25));
    fill(&path, &provenance(&[View::Original]), &names(0..IMAGES));
    let merged = folder.path().join("merged.h5");
    features::merge(&merged, &[path], "test").unwrap();
    let bytes = 0..fs::metadata(&merged).unwrap().len();
    let metadata = Region { name: "metadata", bytes, must_be_noticed: false };
    let of = hdf5::File::open(&merged).unwrap().dataset("files").unwrap();
    let at = of.offset().unwrap();
    let files = Region { name: "files", bytes: at..at + of.storage_size(), must_be_noticed: true };
    change_bytes(&merged, &merged, &[metadata, files], changes() / 2);
}

#[test]
fn every_changed_byte_of_a_store_of_version_2_is_noticed() {
    let (folder, path) = (tempfile::tempdir().unwrap(), common::version2());
    let store = folder.path().join("store.h5");
    fs::write(&store, path).unwrap();
    // Its images are others, so the child compares nothing: the digest does.
    let digest = || FeatureStore::open(&store).and_then(|store| store.content_digest());
    let whole = digest().unwrap();
    let file = fs::File::options().read(true).write(true).open(&store).unwrap();
    let length = file.metadata().unwrap().len();
    let mut random = ChaCha8Rng::seed_from_u64(6);
    for change in 0..changes() {
        let at = match change % 3 {
            0 => random.random_range(0..4000),
            1 => random.random_range(512 << 10..(512 << 10) + 4000),
            _ => random.random_range(1 << 20..length),
        };
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ random.random_range(1..=255)], at).unwrap();
        let read = digest();
        // A row whose state is damaged has no grid.
        let is_noticed = || read.is_err() || FeatureStore::open(&store).unwrap().complete() < 5;
        assert!(read.as_ref().is_ok_and(|digest| *digest == whole) || is_noticed(), "byte {at}");
        file.write_all_at(&byte, at).unwrap();
    }
}

#[test]
fn every_truncation_is_noticed_and_repaired() {
    let (folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..IMAGES));
    let good = fs::read(&path).unwrap();
    let digest = FeatureStore::open(&path).unwrap().content_digest().unwrap();
    let regions = regions(&path);
    let grids = regions.iter().find(|region| region.name == "grids/original").unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for _ in 0..100 {
        let copy = folder.path().join("truncated.h5");
        let length = random.random_range(0..grids.bytes.end as usize);
        fs::write(&copy, &good[..length]).unwrap();
        assert_eq!(read(&copy), NOTICED, "truncated to {length} bytes");
        if length as u64 > grids.bytes.start {
            fill(&copy, &plain, &names(0..IMAGES));
            let store = FeatureStore::open(&copy).unwrap();
            assert_eq!(store.content_digest().unwrap(), digest, "truncated to {length} bytes");
            fs::remove_file(copy.with_file_name("truncated+1.h5")).unwrap();
        }
    }
}

#[test]
fn a_damaged_row_is_named_and_re_encoded() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..3));
    let place = |name: &str| regions(&path).into_iter().find(|region| region.name == name).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0xFF], place("grids/original").bytes.end - 1).unwrap();
    let damaged = FeatureStore::open(&path).unwrap();
    let problems = damaged.verify().unwrap();
    assert_eq!(problems.len(), 1);
    let problem = "store.h5: row 2: ảnh 2.jpg: its grid `original` is damaged";
    assert!(problems[0].to_string().ends_with(problem), "{}", problems[0]);
    let error = damaged.read(2, 0).unwrap_err().to_string();
    assert!(
        error.contains("`ảnh 2.jpg` is damaged") && error.contains("Run `extract --check`"),
        "{error}"
    );

    fill(&path, &plain, &names(0..3));
    let store = FeatureStore::open(&path).unwrap();
    let row = store.find("ảnh 2.jpg").unwrap();
    assert_eq!(values(&store, row, 0), common::rounded(&common::grids(2, 1)));
    // The old row stays, known to be damaged and no longer in use.
    assert_eq!((row, store.complete(), store.verify().unwrap().len()), (3, 3, 0));

    file.write_all_at(&[0xFF], place("state").bytes.start).unwrap();
    let problems = FeatureStore::open(&path).unwrap().verify().unwrap();
    let problem = "store.h5: row 0: ảnh 0.jpg: its state is damaged";
    assert!(problems[0].to_string().ends_with(problem), "{}", problems[0]);
    fill(&path, &plain, &names(0..3));
    let repaired = FeatureStore::open(&path).unwrap();
    assert_eq!((repaired.complete(), repaired.verify().unwrap()), (3, vec![]));
}

/// Rows whose grids are lost do not count, without reading their checksums.
#[test]
fn a_truncated_store_lacks_the_rows_that_it_lost() {
    let (_folder, path) = store();
    let plain = provenance(&[View::Original]);
    fill(&path, &plain, &names(0..4));
    let grids = regions(&path).into_iter().find(|region| region.name == "grids/original").unwrap();
    let length = grids.bytes.end - 50;
    fs::File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
    let writer = common::open(&path, &plain);
    assert_eq!((writer.complete(), writer.find("ảnh 3.jpg")), (3, None));
    writer.finish().unwrap();
    let store = FeatureStore::open(&path).unwrap();
    assert_eq!((store.complete(), store.verify().unwrap()), (3, vec![]));
}
