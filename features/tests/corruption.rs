//! A store with one byte changed, or cut off somewhere: either it is noticed, or every grid is right.
//! Each damaged store is opened in a process of its own, with a time limit.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{fill, names, provenance, store, values};
use features::FeatureStore;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const DAMAGES: usize = 1000;
const LIMIT: Duration = Duration::from_secs(20);
const STORE: &str = "SHOWTELL_TEST_STORE";
const NOTICED: i32 = 3;

/// The process that opens damaged stores. Says of a store whether the damage was noticed, and fails if a grid is
/// handed out that is not the one that was written.
#[test]
#[ignore = "a process that other tests start"]
fn child_that_reads_damaged_stores() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let noticed = match FeatureStore::open(Path::new(&path)) {
        Err(error) => !error.to_string().is_empty(),
        Ok(store) => {
            for (name, row) in store.images() {
                let number = name["ảnh ".len()..name.len() - 4].parse().unwrap();
                let mut grid = vec![0.0; store.grid_shape().values()];
                let expected = common::rounded(&common::grids(number, 1));
                assert!(store.read(row, 0, &mut grid).is_err() || grid == expected, "{name}");
            }
            assert_eq!(store.provenance(), &provenance(&["original"]));
            !store.verify().unwrap().is_empty() || store.complete() != 40
        }
    };
    std::process::exit(if noticed { NOTICED } else { 0 });
}

/// Where a damage falls, and whether it must be noticed there.
struct Region {
    name: &'static str,
    bytes: Vec<Range<u64>>,
    must_be_noticed: bool,
}

/// What the parts of the file are for, found through HDF5.
fn regions(path: &Path) -> Vec<Region> {
    let file = hdf5::File::open(path).unwrap();
    let mut datasets = Vec::new();
    let mut parts = [vec![], vec![], vec![], vec![]];
    for segment in file.group("segments").unwrap().groups().unwrap() {
        for (part, name) in ["name", "checksum", "state", "grids/original"].iter().enumerate() {
            let dataset = segment.dataset(name).unwrap();
            let at = dataset.offset().unwrap();
            parts[part].push(at..at + dataset.storage_size());
        }
        let sources = segment.dataset("source_sha256").unwrap();
        let at = sources.offset().unwrap();
        parts[1].push(at..at + sources.storage_size());
    }
    datasets.extend(parts.iter().flatten().cloned());
    datasets.sort_by_key(|range| range.start);
    let mut metadata = Vec::new();
    let mut free = 1 << 20;
    for dataset in datasets {
        metadata.push(free..dataset.start);
        free = dataset.end;
    }
    metadata.retain(|range| !range.is_empty());
    // Each description: signature, length, checksum, JSON.
    let bytes = fs::read(path).unwrap();
    let description = |at: usize| {
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
        at as u64..at as u64 + 16 + u64::from(length)
    };
    let front = vec![description(0), description(512 << 10)];
    let [names, checksums, states, grids] = parts;
    let unused = vec![front[0].end..500_000, front[1].end..1_000_000];
    let region = |name, bytes| Region { name, bytes, must_be_noticed: true };
    vec![
        region("front page", front.clone()),
        region("metadata", metadata),
        region("names", names),
        region("checksums and hashes", checksums),
        region("states", states),
        region("grids", grids),
        Region { name: "unused", bytes: unused, must_be_noticed: false },
    ]
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

#[test]
fn every_changed_byte_is_noticed() {
    let (_folder, path) = store();
    let plain = provenance(&["original"]);
    fill(&path, &plain, &names(0..25));
    fill(&path, &plain, &names(0..40));
    assert_eq!(read(&path), 0, "the whole store is not right");
    let regions = regions(&path);
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let file = fs::File::options().read(true).write(true).open(&path).unwrap();
    for damage in 0..DAMAGES {
        let region = &regions[damage % regions.len()];
        let range = region.bytes.choose(&mut random).unwrap();
        let at = random.random_range(range.clone());
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        let other = byte[0] ^ random.random_range(1..=255);
        file.write_all_at(&[other], at).unwrap();
        let status = read(&path);
        let allowed: &[i32] = if region.must_be_noticed { &[NOTICED] } else { &[0, NOTICED] };
        let name = region.name;
        assert!(allowed.contains(&status), "{name}, byte {at}: {} → {other}: {status}", byte[0]);
        file.write_all_at(&byte, at).unwrap();
    }
    assert_eq!(read(&path), 0);
}

#[test]
fn every_cut_is_noticed_and_mended() {
    let (folder, path) = store();
    let plain = provenance(&["original"]);
    fill(&path, &plain, &names(0..40));
    let good = fs::read(&path).unwrap();
    let digest = FeatureStore::open(&path).unwrap().content_digest().unwrap();
    let grids = regions(&path).into_iter().find(|region| region.name == "grids").unwrap().bytes;
    let mut random = ChaCha8Rng::seed_from_u64(5);
    for _ in 0..100 {
        let copy = folder.path().join("cut.h5");
        let length = random.random_range(0..good.len());
        fs::write(&copy, &good[..length]).unwrap();
        assert_eq!(read(&copy), NOTICED, "cut after {length} bytes");
        if length as u64 > grids[0].start {
            fill(&copy, &plain, &names(0..40));
            let store = FeatureStore::open(&copy).unwrap();
            assert_eq!(store.content_digest().unwrap(), digest, "cut after {length} bytes");
        }
    }
}

#[test]
fn a_damaged_row_is_named_and_encoded_anew() {
    let (_folder, path) = store();
    let plain = provenance(&["original"]);
    fill(&path, &plain, &names(0..3));
    let grids = regions(&path).into_iter().find(|region| region.name == "grids").unwrap().bytes;
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[0xFF], grids[0].end - 1).unwrap();
    let damaged = FeatureStore::open(&path).unwrap();
    let problems = damaged.verify().unwrap();
    assert_eq!(problems.len(), 1);
    let problem = "store.h5: row 2: ảnh 2.jpg: its grid `original` is damaged";
    assert!(problems[0].to_string().ends_with(problem), "{}", problems[0]);
    let error = damaged.grid(2, 0).unwrap_err().to_string();
    assert!(
        error.contains("`ảnh 2.jpg` is damaged") && error.contains("Run `extract` again"),
        "{error}"
    );

    fill(&path, &plain, &names(0..3));
    let store = FeatureStore::open(&path).unwrap();
    let row = store.find("ảnh 2.jpg").unwrap();
    assert_eq!(values(&store, row, 0), common::rounded(&common::grids(2, 1)));
    // The old row stays, known to be damaged and no longer in use.
    assert_eq!((row, store.complete(), store.verify().unwrap().len()), (3, 3, 0));

    let states = regions(&path).into_iter().find(|region| region.name == "states").unwrap().bytes;
    file.write_all_at(&[0xFF], states[0].start).unwrap();
    let problems = FeatureStore::open(&path).unwrap().verify().unwrap();
    let problem = "store.h5: row 0: ảnh 0.jpg: its state is damaged";
    assert!(problems[0].to_string().ends_with(problem), "{}", problems[0]);
    fill(&path, &plain, &names(0..3));
    let mended = FeatureStore::open(&path).unwrap();
    assert_eq!((mended.complete(), mended.verify().unwrap()), (3, vec![]));
}
