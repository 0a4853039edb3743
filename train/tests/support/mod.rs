//! A small store and what is said of its images.

use std::path::Path;

use features::{
    Dtype, Encoded, FeatureStore, GridShape, ORIGINAL, Origin, Provenance, StoreWriter,
};
use models::Preprocess;

pub(crate) const GRID: GridShape = GridShape { height: 2, width: 3, channels: 8 };
pub(crate) const CAPTIONS: [[&str; 3]; 4] = [
    ["a dog runs", "the brown dog runs fast over the grass", "a dog"],
    ["two men sit on a bench", "men on a bench", "two men"],
    ["a child plays", "a small child plays in the water", "the child swims in blue water"],
    ["a red car", "the car is red", "a red car drives on the road"],
];

/// A store of the encoder of that name.
pub(crate) fn store(folder: &Path, encoder: &str) -> FeatureStore {
    let path = folder.join(format!("{encoder}.h5"));
    let provenance = Provenance {
        encoder_name: format!("{encoder}.onnx"),
        encoder_sha256: encoder.to_owned(),
        preprocess: serde_json::to_string(&Preprocess::imagenet([64, 64])).unwrap(),
        grid: GRID,
        dtype: Dtype::F16,
        views: vec![ORIGINAL.to_owned()],
        created_by: "test".to_owned(),
    };
    let origin = Origin { created_by: "test".to_owned(), device: "cpu".to_owned() };
    let names = (0..CAPTIONS.len()).map(|image| format!("{image}.jpg")).collect::<Vec<_>>();
    let mut writer = StoreWriter::open(&path, &provenance, origin).unwrap();
    let image = |row| {
        let value = |at: usize| ((at * 7 + row * 13) % 11) as f32 / 5.0 - 1.0;
        Encoded { row, source: [0; 32], grids: (0..GRID.values()).map(value).collect() }
    };
    let rows = writer.rows_for(&names).unwrap().into_iter();
    writer.write(&rows.map(image).collect::<Vec<_>>()).unwrap();
    writer.finish().unwrap();
    FeatureStore::open(&path).unwrap()
}
