//! Small stores.
#![allow(clippy::unwrap_used, dead_code)]

use std::ops::Range;
use std::path::{Path, PathBuf};

use features::{
    Dtype, Encoded, FeatureStore, GridShape, Origin, Provenance, Shard, Source, StoreWriter,
};
use half::f16;
use tempfile::TempDir;

pub(crate) const GRID: GridShape = GridShape { height: 2, width: 3, channels: 8 };

pub(crate) fn provenance(views: &[&str]) -> Provenance {
    Provenance {
        encoder_name: "small.onnx".to_owned(),
        encoder_sha256: "ab".repeat(32),
        preprocess: r#"{"size":224}"#.to_owned(),
        grid: GRID,
        dtype: Dtype::F16,
        views: views.iter().map(|&view| view.to_owned()).collect(),
        created_by: "test".to_owned(),
    }
}

pub(crate) fn origin() -> Origin {
    Origin { created_by: "test".to_owned(), device: "cpu".to_owned() }
}

pub(crate) fn names(range: Range<usize>) -> Vec<String> {
    range.map(|number| format!("ảnh {number}.jpg")).collect()
}

/// The grids of image `number`, one view after the other.
pub(crate) fn grids(number: usize, views: usize) -> Vec<f32> {
    (0..views * GRID.values()).map(|at| (number * 100 + at) as f32 / 7.0).collect()
}

pub(crate) fn rounded(grid: &[f32]) -> Vec<f32> {
    grid.iter().map(|&value| f16::from_f32(value).to_f32()).collect()
}

pub(crate) fn source(number: usize) -> Source {
    std::array::from_fn(|at| (number >> (at % 2 * 8)) as u8)
}

pub(crate) fn encoded(row: usize, number: usize, views: usize) -> Encoded {
    Encoded { row, source: source(number), grids: grids(number, views) }
}

pub(crate) fn store() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("store.h5");
    (folder, path)
}

pub(crate) fn open(path: &Path, provenance: &Provenance) -> StoreWriter {
    StoreWriter::open(path, provenance, origin()).unwrap()
}

/// Encodes those of `names` that the store lacks, in batches of two.
pub(crate) fn fill(path: &Path, provenance: &Provenance, names: &[String]) {
    fill_shard(path, None, provenance, names);
}

/// The same for a shard of a store.
pub(crate) fn fill_shard(
    path: &Path,
    shard: Option<Shard>,
    provenance: &Provenance,
    names: &[String],
) {
    let mut writer = StoreWriter::open_shard(path, shard, provenance, origin()).unwrap();
    let lacking = |name: &&String| writer.intact_source(name).unwrap().is_none();
    let new = names.iter().filter(lacking).cloned().collect::<Vec<_>>();
    let rows = writer.rows_for(&new).unwrap();
    let number = |name: &String| name["ảnh ".len()..name.len() - 4].parse::<usize>().unwrap();
    let batch = rows.iter().zip(&new);
    let batch = batch.map(|(&row, name)| encoded(row, number(name), provenance.views.len()));
    for batch in batch.collect::<Vec<_>>().chunks(2) {
        writer.write(batch).unwrap();
    }
    writer.finish().unwrap();
}

pub(crate) fn values(store: &FeatureStore, row: usize, view: usize) -> Vec<f32> {
    let mut values = vec![0.0; store.grid_shape().values()];
    store.read(row, view, &mut values).unwrap();
    values
}
