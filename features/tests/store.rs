//! A store from its first row to its last, and what must not be taken for one.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use features::{Error, FeatureStore, GridShape, Provenance, StoreWriter, f16};
use tempfile::TempDir;

const GRID: GridShape = GridShape { height: 2, width: 3, channels: 8 };

fn provenance() -> Provenance {
    Provenance {
        encoder_name: "small.onnx".to_owned(),
        encoder_sha256: "ab".repeat(32),
        preprocess: r#"{"size":224}"#.to_owned(),
        grid: GRID,
        created_by: "test".to_owned(),
    }
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("ảnh {number}.jpg")).collect()
}

fn grid(seed: usize) -> Vec<f16> {
    (0..GRID.values()).map(|at| f16::from_f32((seed * 100 + at) as f32 / 7.0)).collect()
}

fn store() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("store.h5");
    (folder, path)
}

fn fill(path: &Path, names: &[String]) {
    let mut writer = StoreWriter::open(path, &provenance(), names).unwrap();
    let pending = writer.pending().map(|(row, _)| row).collect::<Vec<_>>();
    for row in pending {
        writer.write(row, &grid(row)).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn grids_come_back_and_a_second_run_has_nothing_to_do() {
    let (_folder, path) = store();
    fill(&path, &names(0..5));
    let store = FeatureStore::open(&path).unwrap();
    assert_eq!((store.len(), store.complete()), (5, 5));
    assert_eq!(store.provenance(), &provenance());
    let row = store.find("ảnh 3.jpg").unwrap();
    assert_eq!(store.grid(row).unwrap(), grid(3));
    assert_eq!(store.find("ảnh 9.jpg"), None);
    let writer = StoreWriter::open(&path, &provenance(), &names(0..5)).unwrap();
    assert_eq!(writer.pending().count(), 0);
}

#[test]
fn an_interrupted_run_goes_on_and_new_images_leave_old_rows_alone() {
    let (_folder, path) = store();
    let mut writer = StoreWriter::open(&path, &provenance(), &names(0..3)).unwrap();
    writer.write(1, &grid(1)).unwrap();
    drop(writer);
    let store = FeatureStore::open(&path).unwrap();
    assert_eq!((store.len(), store.complete()), (3, 1));
    assert!(matches!(store.grid(0).unwrap_err(), Error::Incomplete { .. }));
    assert_eq!(store.find("ảnh 0.jpg"), None);

    let before = store.grid(1).unwrap().as_ptr_range();
    let writer = StoreWriter::open(&path, &provenance(), &names(0..6)).unwrap();
    let pending = writer.pending().map(|(row, _)| row).collect::<Vec<_>>();
    assert_eq!(pending, [0, 2, 3, 4, 5]);
    drop(writer);
    fill(&path, &names(0..6));
    assert_eq!(store.grid(1).unwrap().as_ptr_range(), before, "the old row was moved");
    let store = FeatureStore::open(&path).unwrap();
    for row in 0..6 {
        assert_eq!(store.grid(row).unwrap(), grid(row));
    }
}

#[test]
fn a_second_writer_is_refused_while_readers_are_not() {
    let (_folder, path) = store();
    let writer = StoreWriter::open(&path, &provenance(), &names(0..2)).unwrap();
    let error = StoreWriter::open(&path, &provenance(), &names(0..2)).unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    assert_eq!(FeatureStore::open(&path).unwrap().complete(), 0);
    drop(writer);
    fill(&path, &names(0..2));
}

#[test]
fn a_store_of_another_encoder_is_refused_and_kept() {
    let (_folder, path) = store();
    fill(&path, &names(0..2));
    let before = fs::read(&path).unwrap();
    let other = Provenance { encoder_sha256: "cd".repeat(32), ..provenance() };
    let error = StoreWriter::open(&path, &other, &names(0..4)).unwrap_err().to_string();
    assert!(error.contains("encoder") && error.contains("cdcd"), "{error}");
    assert!(before == fs::read(&path).unwrap(), "the refused store was changed");
}

#[test]
fn damage_is_found() {
    let (_folder, path) = store();
    fill(&path, &names(0..3));
    let good = fs::read(&path).unwrap();

    let needle: &[u8] = bytemuck::cast_slice(&grid(2)).to_vec().leak();
    let at = good.windows(needle.len()).position(|bytes| bytes == needle).unwrap();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[good[at + 20] ^ 1], at as u64 + 20).unwrap();
    let store = FeatureStore::open(&path).unwrap();
    assert!(matches!(store.grid(2).unwrap_err(), Error::Checksum { .. }));
    assert_eq!(store.grid(1).unwrap(), grid(1));

    fs::write(&path, &good[..good.len() - 100]).unwrap();
    let error = FeatureStore::open(&path).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
    fs::write(&path, "<html>not found</html>").unwrap();
    let error = FeatureStore::open(&path).unwrap_err().to_string();
    assert!(error.contains("store.h5: not a feature store"), "{error}");
    let error = StoreWriter::open(&path, &provenance(), &names(0..3)).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
}
