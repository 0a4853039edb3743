//! A feature store without an encoder.

use std::path::Path;

use features::{
    Dtype, Encoded, FeatureStore, GridShape, Origin, Provenance, Shard, Stamp, StoreWriter, View,
};
use models::Preprocess;
use ndarray::Array3;

/// A store at `path` as if an encoder of that name had filled it; `value` gives the values of a row.
pub(crate) fn store(
    path: &Path,
    encoder: &str,
    grid: GridShape,
    names: &[String],
    value: impl FnMut(usize, usize) -> f32,
) -> FeatureStore {
    fill(new(path, &provenance(encoder, grid)), names, source, value);
    FeatureStore::open(path).unwrap()
}

/// The provenance of a store of an encoder of that name.
pub(crate) fn provenance(encoder: &str, grid: GridShape) -> Provenance {
    Provenance {
        encoder_name: format!("{encoder}.onnx"),
        encoder_sha256: encoder.to_owned(),
        preprocess: Preprocess::imagenet([224, 224]),
        grid,
        dtype: Dtype::F16,
        views: vec![View::Original],
        created_by: "test".to_owned(),
    }
}

/// A digest of an image's file that follows from its name.
pub(crate) fn source(name: &str) -> [u8; 32] {
    let mut source = [0; 32];
    source.iter_mut().zip(name.bytes()).for_each(|(byte, of_name)| *byte = of_name);
    source
}

/// A new store.
pub(crate) fn new(path: &Path, provenance: &Provenance) -> StoreWriter {
    new_shard(path, None, provenance)
}

/// A new shard of a store.
pub(crate) fn new_shard(path: &Path, shard: Option<Shard>, provenance: &Provenance) -> StoreWriter {
    let origin = Origin { created_by: "test".to_owned(), device: "cpu".to_owned() };
    StoreWriter::open_shard(path, shard, provenance, origin).unwrap()
}

/// Writes the images of a store; `value` gives the values of a row, view by view.
pub(crate) fn fill(
    mut writer: StoreWriter,
    names: &[String],
    source: impl Fn(&str) -> [u8; 32],
    mut value: impl FnMut(usize, usize) -> f32,
) {
    let Provenance { grid, views, .. } = writer.provenance();
    let shape = [views.len(), grid.cells(), grid.channels];
    let rows = writer.rows_for(names).unwrap();
    for (row, name) in rows.into_iter().zip(names) {
        let mut at = 0..;
        let grids = Array3::from_shape_simple_fn(shape, || value(row, at.next().unwrap()));
        let (source, stamp) = (source(name), Stamp::default());
        writer.write(&[Encoded { row, source, stamp, grids: grids.view() }]).unwrap();
    }
    writer.finish().unwrap();
}
