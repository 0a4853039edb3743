//! Files with valid metadata of sizes that no store has: refused before memory is allocated for them.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

mod common;

use std::fs::File;
use std::path::Path;

use common::{fill, names, open, provenance, store};
use features::{Error, FeatureStore, Preprocess, StoreWriter, View};
use hdf5::plist::dataset_create::{AllocTime, FillTime};
use hdf5::types::{FixedUnicode, TypeDescriptor};

fn refused(path: &Path, part: &str) {
    let plain = provenance(&[View::Original]);
    let read = FeatureStore::open(path).and_then(|store| store.verify()).unwrap_err();
    let written = StoreWriter::open(path, &plain, common::origin()).unwrap_err();
    for error in [read, written] {
        assert!(error.to_string().contains(part), "no `{part}` in {error}");
    }
}

/// A store as another program would write it, without bytes in it.
fn craft(path: &Path, rows: usize, name_bytes: usize, grid: [u64; 3]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file =
        hdf5::FileBuilder::new().with_fapl(|plist| plist.libver_v110()).create(path).unwrap();
    let texts = [
        ("format", "showtell features"),
        ("encoder_name", "small.onnx"),
        ("encoder_sha256", &"ab".repeat(32)),
        ("preprocess", &serde_json::to_string(&Preprocess::imagenet([224, 224])).unwrap()),
        ("dtype", "f16"),
        ("views", "original"),
        ("created_by", "test"),
        ("device", "cpu"),
        ("shard", ""),
    ];
    for (name, text) in texts {
        let value = text.parse::<FixedUnicode<256>>().unwrap();
        file.new_attr::<FixedUnicode<256>>().create(name).unwrap().write_scalar(&value).unwrap();
    }
    for (name, value) in [("version", 3), ("number", 0), ("first", 0), ("checksum", 0)] {
        file.new_attr::<u64>().create(name).unwrap().write_scalar(&value).unwrap();
    }
    file.new_attr::<u64>().shape(3).create("grid").unwrap().write_raw(&grid).unwrap();
    let create = |name: &str, value: &TypeDescriptor, entry: &[usize]| {
        let shape = [&[rows], entry].concat();
        let builder = file.new_dataset_builder().empty_as(value).alloc_time(Some(AllocTime::Early));
        builder.fill_time(FillTime::Never).shape(shape).create(name).unwrap();
    };
    let byte = TypeDescriptor::Unsigned(hdf5::types::IntSize::U1);
    let [height, width, channels] = grid.map(|side| side as usize);
    create("name", &TypeDescriptor::FixedUnicode(name_bytes), &[]);
    create("source_sha256", &byte, &[32]);
    create("source_stamp", &TypeDescriptor::Unsigned(hdf5::types::IntSize::U8), &[2]);
    create("state", &byte, &[]);
    create("checksum", &TypeDescriptor::Unsigned(hdf5::types::IntSize::U4), &[1]);
    file.create_group("grids").unwrap();
    create(
        "grids/original",
        &TypeDescriptor::Float(hdf5::types::FloatSize::U2),
        &[height * width, channels],
    );
}

#[test]
fn grids_of_terabytes() {
    let (_folder, path) = store();
    craft(&path, 1, 9, [1023, 1023, (1 << 20) - 1]);
    refused(&path, "grid or views are out of range");
}

#[test]
fn names_of_terabytes_and_rows_without_end() {
    for (rows, name_bytes, part) in [
        (1, (1 << 16) + 1, "the length of a name is out of range"),
        (1 << 32, 1, "the names of its images or its attributes are damaged"),
        (1 << 24, 1 << 16, "the names of its images or its attributes are damaged"),
    ] {
        let (_folder, path) = store();
        craft(&path, rows, name_bytes, [2, 3, 8]);
        refused(&path, part);
    }
}

/// A file that stops before its datasets, made longer without bytes on the disk.
#[test]
fn a_file_of_terabytes() {
    let (_folder, path) = store();
    fill(&path, &provenance(&[View::Original]), &names(0..3));
    File::options().write(true).open(&path).unwrap().set_len(1 << 43).unwrap();
    let store = FeatureStore::open(&path).unwrap();
    assert_eq!((store.complete(), store.verify().unwrap()), (3, vec![]));
}

#[test]
fn names_and_grids_beyond_the_limits_are_not_written() {
    let (_folder, path) = store();
    let mut large = provenance(&[View::Original]);
    large.grid.channels = 1 << 26;
    let error = StoreWriter::open(&path, &large, common::origin()).unwrap_err();
    assert!(matches!(error, Error::OutOfRange { .. }), "{error}");
    let mut long = provenance(&[View::Original]);
    long.encoder_name = "x".repeat(5000);
    let error = open(&path, &long).rows_for(&names(0..1)).unwrap_err();
    assert!(error.to_string().contains("`encoder_name` is 5000 bytes long"), "{error}");
    let mut writer = open(&path, &provenance(&[View::Original]));
    let error = writer.rows_for(&["x".repeat((1 << 16) + 1)]).unwrap_err();
    assert!(error.to_string().contains("store.h5: a name is 65537 bytes long"), "{error}");
    writer.rows_for(&["x".repeat(1 << 16)]).unwrap();
    writer.finish().unwrap();
    assert_eq!(FeatureStore::open(&path).unwrap().len(), 1);
}
