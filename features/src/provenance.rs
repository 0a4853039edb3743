//! The encoder of a store, and how its input was prepared.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;
use common::{GridShape, Preprocess, View};
use half::f16;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{Error, Result};

/// Maximum bytes of a grid.
pub(crate) const MAX_GRID_BYTES: usize = 256 << 20;

/// The type of a grid's values, little-endian in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// 16-bit floating point: half the size; ResNet50's values keep three digits.
    #[default]
    F16,
    /// 32-bit floating point, as the encoder computes.
    F32,
}

impl Dtype {
    /// Bytes of one value.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F16 => size_of::<f16>(),
            Self::F32 => size_of::<f32>(),
        }
    }

    /// The largest value it can hold.
    #[must_use]
    pub fn max(self) -> f32 {
        match self {
            Self::F16 => f16::MAX.to_f32(),
            Self::F32 => f32::MAX,
        }
    }

    /// The type with that name in a store.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::F16, Self::F32].into_iter().find(|dtype| dtype.name() == name)
    }

    /// The name in the store.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::F32 => "f32",
        }
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

fn is_in_range(shape: GridShape) -> bool {
    let sides = <[usize; 3]>::from(shape);
    sides.iter().all(|&side| side > 0 && side < 1 << 20) && shape.height * shape.width < 1 << 20
}

/// The encoder of the grids, and its preprocessing. All files of a store share them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Provenance {
    /// File name of the encoder.
    pub encoder_name: String,
    /// Identity of the encoder: the SHA-256 of its file, or of graph and external data.
    pub encoder_sha256: String,
    /// How images were prepared for the encoder. Files hold it as JSON.
    #[serde(deserialize_with = "read_preprocess")]
    pub preprocess: Preprocess,
    /// The shape of each grid.
    pub grid: GridShape,
    /// The type of the values.
    pub dtype: Dtype,
    /// The views of each image, each with a grid of its own.
    pub views: Vec<View>,
    /// The program and version that created the store.
    pub created_by: String,
}

/// Something that the grids of a store depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The identity of the encoder.
    Encoder,
    /// How images are prepared for it.
    Preprocessing,
    /// The shape of a grid.
    Grid,
    /// The type of the values.
    Dtype,
    /// The views of each image, in order.
    Views,
    /// The shard of the store.
    Shard,
}

impl Field {
    /// The next step if a store has the value `found` and another one was requested.
    pub(crate) fn hint(self, found: &str) -> String {
        let option = match self {
            Self::Encoder | Self::Preprocessing | Self::Grid => {
                return "Use the encoder and preprocessing that filled it, or name another store."
                    .to_owned();
            }
            Self::Dtype => "dtype",
            Self::Views => "views",
            Self::Shard => "shard",
        };
        let found = found.replace(", ", ",");
        format!("Run with --{option} {found}, or name another store.")
    }
}

impl fmt::Display for Field {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Encoder => "encoder (SHA-256)",
            Self::Preprocessing => "preprocessing",
            Self::Grid => "grid",
            Self::Dtype => "type of values",
            Self::Views => "list of views",
            Self::Shard => "shard",
        })
    }
}

impl Provenance {
    /// Bytes of one grid.
    #[must_use]
    pub fn grid_bytes(&self) -> usize {
        self.grid.values() * self.dtype.bytes()
    }

    /// Compares everything that the grids depend on with an `expected` provenance.
    ///
    /// # Errors
    /// [`Error::OtherProvenance`] names the first difference.
    pub fn check(&self, expected: &Self, path: &Path) -> Result<()> {
        match self.difference(expected) {
            None => Ok(()),
            Some(Difference { field, found, expected }) => {
                let path = path.to_path_buf();
                Err(Error::OtherProvenance { path, field, found, expected })
            }
        }
    }

    /// The first field that differs from an `expected` one.
    pub(crate) fn difference(&self, expected: &Self) -> Option<Difference> {
        let fields = |of: &Self| {
            [
                (Field::Encoder, of.encoder_sha256.clone()),
                (Field::Grid, of.grid.to_string()),
                (Field::Dtype, of.dtype.to_string()),
                (Field::Views, View::join(&of.views, ", ")),
                (Field::Preprocessing, of.preprocess_json()),
            ]
        };
        let mut pairs = fields(self).into_iter().zip(fields(expected));
        let ((field, found), (_, expected)) = pairs.find(|(found, expected)| found != expected)?;
        Some(Difference { field, found, expected })
    }

    /// The preprocessing as files hold it. Writing a struct of numbers and names cannot fail.
    pub(crate) fn preprocess_json(&self) -> String {
        serde_json::to_string(&self.preprocess).unwrap_or_default()
    }

    pub(crate) fn is_in_range(&self) -> bool {
        let views = &self.views;
        let is_new = |at: usize| !views[..at].contains(&views[at]);
        !views.is_empty()
            && (0..views.len()).all(is_new)
            && is_in_range(self.grid)
            && self.grid_bytes() <= MAX_GRID_BYTES
    }
}

/// A field in which two provenances differ.
pub(crate) struct Difference {
    pub(crate) field: Field,
    pub(crate) found: String,
    pub(crate) expected: String,
}

/// A preprocessing in a text of JSON, as version 2 holds it.
fn read_preprocess<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Preprocess, D::Error> {
    serde_json::from_str(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}
