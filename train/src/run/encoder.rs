//! The encoder that a run belongs to.

use std::fmt::{self, Display};
use std::path::Path;

use common::GridShape;
use features::FeatureStore;
use models::Preprocess;
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
    /// The record of the encoder of the store at `path`.
    ///
    /// # Errors
    /// [`Error::Content`] if the store's preprocessing cannot be read.
    pub fn from_store(store: &FeatureStore, path: &Path) -> Result<Self> {
        let provenance = store.provenance();
        Ok(Self {
            name: provenance.encoder_name.clone(),
            sha256: provenance.encoder_sha256.clone(),
            grid: store.grid_shape(),
            preprocess: serde_json::from_str(&provenance.preprocess)
                .map_err(Error::content(path))?,
        })
    }

    /// Whether both are the same encoder; its file may have another name.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.difference(other).is_none()
    }

    /// Refuses a store of another encoder.
    ///
    /// # Errors
    /// [`Error::OtherEncoder`], and [`Error::Content`] if the store's preprocessing cannot be read.
    pub fn check(&self, store: &FeatureStore, path: &Path) -> Result<()> {
        match self.difference(&Self::from_store(store, path)?) {
            Some(difference) => Err(Error::OtherEncoder { path: path.to_path_buf(), difference }),
            None => Ok(()),
        }
    }

    /// How the encoder of a store differs from this one in anything that grids depend on.
    fn difference(&self, store: &Self) -> Option<EncoderDifference> {
        let file = |record: &Self| (record.name.clone(), record.sha256.clone());
        if self.sha256 != store.sha256 {
            Some(EncoderDifference::File { store: file(store), run: file(self) })
        } else if self.grid != store.grid {
            Some(EncoderDifference::Grid { store: store.grid, run: self.grid })
        } else if self.preprocess != store.preprocess {
            let [store, run] = [store, self].map(|record| Box::new(record.preprocess.clone()));
            Some(EncoderDifference::Preprocess { store, run })
        } else {
            None
        }
    }
}

/// A difference between the encoder of a store and that of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum EncoderDifference {
    /// Another file: names and SHA-256.
    File {
        /// The encoder of the store.
        store: (String, String),
        /// The encoder of the run.
        run: (String, String),
    },
    /// Grids of another shape.
    Grid {
        /// The shape in the store.
        store: GridShape,
        /// The shape of the run.
        run: GridShape,
    },
    /// Other preprocessing.
    Preprocess {
        /// The preprocessing of the store.
        store: Box<Preprocess>,
        /// The preprocessing of the run.
        run: Box<Preprocess>,
    },
}

impl Display for EncoderDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::File { store: (name, sha256), run: (of_run, sha256_of_run) } => write!(
                formatter,
                "made by the encoder {name} ({sha256}), but the run was trained on {of_run} ({sha256_of_run})"
            ),
            Self::Grid { store, run } => {
                write!(
                    formatter,
                    "its grids are {store}, but the run was trained on grids of {run}"
                )
            }
            Self::Preprocess { store, run } => {
                let json = |preprocess| serde_json::to_string(preprocess).map_err(|_| fmt::Error);
                let (store, run) = (json(store)?, json(run)?);
                write!(
                    formatter,
                    "its images were prepared as {store}, but those of the run as {run}"
                )
            }
        }
    }
}

fn write_shape<S: Serializer>(shape: &GridShape, serializer: S) -> Result<S::Ok, S::Error> {
    <[usize; 3]>::from(*shape).serialize(serializer)
}

fn read_shape<'de, D: Deserializer<'de>>(deserializer: D) -> Result<GridShape, D::Error> {
    <[usize; 3]>::deserialize(deserializer).map(GridShape::from)
}
