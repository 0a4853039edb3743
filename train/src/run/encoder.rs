//! The encoder that a run belongs to.

use std::fmt::{self, Display};

use common::GridShape;
use features::FeatureStore;
use models::{Manifest, Preprocess};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Error, Result};

/// The encoder behind the store that a run was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderRecord {
    /// File name.
    pub name: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Shape of a grid; in `config.toml` an array `[h, w, C]`.
    #[serde(serialize_with = "write_shape", deserialize_with = "read_shape")]
    pub grid: GridShape,
    /// Preprocessing of images.
    pub preprocess: Preprocess,
}

impl EncoderRecord {
    /// The record of the encoder of a store.
    #[must_use]
    pub fn from_store(store: &FeatureStore) -> Self {
        let provenance = store.provenance();
        Self {
            name: provenance.encoder_name.clone(),
            sha256: provenance.encoder_sha256.clone(),
            grid: store.grid_shape(),
            preprocess: provenance.preprocess.clone(),
        }
    }

    /// Whether grids of both are the same: the file, the shape and the preprocessing. The file may have another name.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
            && self.grid == other.grid
            && self.preprocess == other.preprocess
    }

    /// Refuses a store that is of another encoder.
    ///
    /// # Errors
    /// [`Error::OtherEncoder`].
    pub fn check(&self, store: &FeatureStore) -> Result<()> {
        let path = store.path().to_path_buf();
        let store = Self::from_store(store);
        if self.is_same(&store) {
            return Ok(());
        }
        let difference = Box::new(EncoderDifference { store, run: self.clone() });
        Err(Error::OtherEncoder { path, difference })
    }
}

impl From<&Manifest> for EncoderRecord {
    fn from(manifest: &Manifest) -> Self {
        Self {
            name: manifest.encoder.file.clone(),
            sha256: manifest.encoder.sha256.clone(),
            grid: manifest.grid,
            preprocess: manifest.preprocess.clone(),
        }
    }
}

/// The encoder of a store and that of a run, where they differ.
#[derive(Debug, Clone, PartialEq)]
pub struct EncoderDifference {
    /// The encoder of the store.
    pub store: EncoderRecord,
    /// The encoder of the run.
    pub run: EncoderRecord,
}

impl Display for EncoderDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self { store, run } = self;
        if store.sha256 != run.sha256 {
            return write!(
                formatter,
                "made by the encoder {} ({}), but the run was trained on {} ({})",
                store.name, store.sha256, run.name, run.sha256
            );
        }
        if store.grid != run.grid {
            let (store, run) = (store.grid, run.grid);
            return write!(
                formatter,
                "its grids are {store}, but the run was trained on grids of {run}"
            );
        }
        let json = |record: &EncoderRecord| {
            serde_json::to_string(&record.preprocess).map_err(|_| fmt::Error)
        };
        let (store, run) = (json(store)?, json(run)?);
        write!(formatter, "its images were prepared as {store}, but those of the run as {run}")
    }
}

fn write_shape<S: Serializer>(shape: &GridShape, serializer: S) -> Result<S::Ok, S::Error> {
    <[usize; 3]>::from(*shape).serialize(serializer)
}

fn read_shape<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GridShape, D::Error> {
    <[usize; 3]>::deserialize(deserializer).map(GridShape::from)
}
