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
    fill(path, None, &provenance(encoder, grid), names, source, value);
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

/// Writes a store, or a shard of one; `value` gives the values of a row, view by view.
pub(crate) fn fill(
    path: &Path,
    shard: Option<Shard>,
    provenance: &Provenance,
    names: &[String],
    source: impl Fn(&str) -> [u8; 32],
    mut value: impl FnMut(usize, usize) -> f32,
) {
    let origin = Origin { created_by: "test".to_owned(), device: "cpu".to_owned() };
    let mut writer = StoreWriter::open_shard(path, shard, provenance, origin).unwrap();
    let rows = writer.rows_for(names).unwrap();
    for (row, name) in rows.into_iter().zip(names) {
        let shape = [provenance.views.len(), provenance.grid.cells(), provenance.grid.channels];
        let mut at = 0..;
        let grids = Array3::from_shape_simple_fn(shape, || value(row, at.next().unwrap()));
        let (source, stamp) = (source(name), Stamp::default());
        writer.write(&[Encoded { row, source, stamp, grids: grids.view() }]).unwrap();
    }
    writer.finish().unwrap();
}
