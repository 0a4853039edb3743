//! A feature store without an encoder.

use std::path::Path;

use features::{
    Dtype, Encoded, FeatureStore, GridShape, ORIGINAL, Origin, Provenance, StoreWriter,
};
use models::Preprocess;

/// A store at `path` as if an encoder of that name had filled it; `value` gives the values of a row.
pub(crate) fn store(
    path: &Path,
    encoder: &str,
    grid: GridShape,
    names: &[String],
    mut value: impl FnMut(usize, usize) -> f32,
) -> FeatureStore {
    let provenance = Provenance {
        encoder_name: format!("{encoder}.onnx"),
        encoder_sha256: encoder.to_owned(),
        preprocess: serde_json::to_string(&Preprocess::imagenet([224, 224])).unwrap(),
        grid,
        dtype: Dtype::F16,
        views: vec![ORIGINAL.to_owned()],
        created_by: "test".to_owned(),
    };
    let origin = Origin { created_by: "test".to_owned(), device: "cpu".to_owned() };
    let mut writer = StoreWriter::open(path, &provenance, origin).unwrap();
    for row in writer.rows_for(names).unwrap() {
        let grids = (0..grid.values()).map(|at| value(row, at)).collect();
        let mut source = [0; 32];
        source[..8].copy_from_slice(&(row as u64 + 1).to_le_bytes());
        writer.write(&[Encoded { row, source, grids }]).unwrap();
    }
    writer.finish().unwrap();
    FeatureStore::open(path).unwrap()
}
