//! Files whose front page is right by its checksum and promises more than any store has: refused before memory is
//! taken for it.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use common::{fill, fill_shard, names, open, provenance, store};
use features::{Error, FeatureStore, Shard, StoreWriter, merge, shards_of};
use serde_json::{Value, json};

/// Changes what the front page says, and the length of the file, in which nothing else is.
fn craft(path: &Path, length: u64, change: impl Fn(&mut Value)) {
    let bytes = fs::read(path).unwrap();
    let end = 16 + u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let mut description = serde_json::from_slice(&bytes[16..end]).unwrap();
    change(&mut description);
    let json = serde_json::to_vec(&description).unwrap();
    let mut page = bytes[..8].to_vec();
    page.extend((json.len() as u32).to_le_bytes());
    page.extend(crc32fast::hash(&json).to_le_bytes());
    page.extend(json);
    let file = File::options().write(true).open(path).unwrap();
    for place in [0, 512 << 10] {
        file.write_all_at(&page, place).unwrap();
    }
    file.set_len(length.max(bytes.len() as u64)).unwrap();
}

fn refused(path: &Path, part: &str) {
    let plain = provenance(&["original"]);
    let read = FeatureStore::open(path).and_then(|store| store.verify()).unwrap_err();
    let written = StoreWriter::open(path, &plain, common::origin()).unwrap_err();
    for error in [read, written] {
        assert!(error.to_string().contains(part), "no `{part}` in {error}");
    }
}

#[test]
fn a_grid_of_terabytes() {
    let (_folder, path) = store();
    open(&path, &provenance(&["original"])).finish().unwrap();
    craft(&path, 0, |page| {
        page["provenance"]["grid"] =
            json!({"height": 1023, "width": 1023, "channels": (1 << 20) - 1});
    });
    refused(&path, "grid or views are out of range");
}

/// Lays a segment of so many rows out over a file that has no bytes on the disk.
fn spread(page: &mut Value, rows: u64, name_bytes: u64) -> u64 {
    let mut free = page["length"].as_u64().unwrap().next_multiple_of(4096);
    let segment = &mut page["segments"][0];
    for (part, bytes) in [("names", name_bytes), ("sources", 32), ("states", 1), ("checksums", 4)] {
        segment[part] = free.into();
        free += (rows * bytes).next_multiple_of(4096);
    }
    segment["grids"] = json!([free]);
    (segment["rows"], segment["name_bytes"]) = (rows.into(), name_bytes.into());
    free += rows * 2 * common::GRID.values() as u64;
    page["length"] = free.into();
    free
}

#[test]
fn names_of_terabytes_and_rows_without_end() {
    for (rows, name_bytes, part) in [
        (1, 1 << 42, "the length of a name is out of range"),
        (1, (1 << 16) + 1, "the length of a name is out of range"),
        (1 << 20, 0, "the length of a name is out of range"),
        (1 << 35, 1, "the names of its images are damaged"),
        (1 << 26, 1 << 16, "the names of its images are damaged"),
    ] {
        let (_folder, path) = store();
        fill(&path, &provenance(&["original"]), &names(0..3));
        craft(&path, 15 << 40, |page| {
            spread(page, rows, name_bytes);
        });
        refused(&path, part);
    }
}

#[test]
fn metadata_of_terabytes() {
    let (_folder, path) = store();
    fill(&path, &provenance(&["original"]), &names(0..3));
    craft(&path, 1 << 43, |page| {
        let end = page["length"].clone();
        page["metadata"]["extents"] = json!([{"at": end, "length": 1_u64 << 42}]);
        page["length"] = (1_u64 << 43).into();
    });
    refused(&path, "its HDF5 metadata is out of range");
}

#[test]
fn a_merged_file_of_terabytes() {
    let (_folder, path) = store();
    for index in 0..2 {
        let shard = Shard::new(index, 2).unwrap();
        fill_shard(&shard.path(&path), Some(shard), &provenance(&["original"]), &[]);
    }
    merge(&path, &shards_of(&path).unwrap(), "test").unwrap();
    let length = fs::metadata(&path).unwrap().len();
    File::options().write(true).open(&path).unwrap().set_len(1 << 43).unwrap();
    let error = FeatureStore::open(&path).unwrap().verify().unwrap_err();
    assert!(error.to_string().contains("store.h5: its HDF5 metadata is out of range"), "{error}");
    File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
    assert_eq!(FeatureStore::open(&path).unwrap().verify().unwrap(), []);
}

/// What no reader would take is not written either.
#[test]
fn what_no_store_holds_is_not_written() {
    let (_folder, path) = store();
    let mut large = provenance(&["original"]);
    large.grid.channels = 1 << 26;
    let error = StoreWriter::open(&path, &large, common::origin()).unwrap_err();
    assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    let mut writer = open(&path, &provenance(&["original"]));
    let error = writer.rows_for(&["x".repeat((1 << 16) + 1)]).unwrap_err();
    assert!(error.to_string().contains("store.h5: a name is 65537 bytes long"), "{error}");
    writer.rows_for(&["x".repeat(1 << 16)]).unwrap();
    writer.finish().unwrap();
    assert_eq!(FeatureStore::open(&path).unwrap().len(), 1);
}
