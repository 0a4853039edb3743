//! Who made the grids of a store, and from what.

use std::path::Path;

use common::GridShape;
use half::f16;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The most bytes of a grid.
pub(crate) const MAX_GRID_BYTES: usize = 256 << 20;

/// The type of a grid's values, little-endian in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl std::str::FromStr for Dtype {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::F16, Self::F32]
            .into_iter()
            .find(|dtype| dtype.name() == text)
            .ok_or_else(|| format!("`{text}` is not one of f16, f32"))
    }
}

fn is_in_range(shape: GridShape) -> bool {
    let sides = <[usize; 3]>::from(shape);
    sides.iter().all(|&side| side > 0 && side < 1 << 20) && shape.height * shape.width < 1 << 20
}

/// Which encoder made the grids, and from which pixels. One store has one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The encoder's file name.
    pub encoder_name: String,
    /// The SHA-256 of the encoder's file.
    pub encoder_sha256: String,
    /// The preprocessing, as JSON.
    pub preprocess: String,
    /// The shape of each grid.
    pub grid: GridShape,
    /// The type of the values.
    pub dtype: Dtype,
    /// The views of each image, each with a grid of its own: `original`, `flip`, …
    pub views: Vec<String>,
    /// The program and version that created the store.
    pub created_by: String,
}

impl Provenance {
    /// The bytes of one grid.
    #[must_use]
    pub fn grid_bytes(&self) -> usize {
        self.grid.values() * self.dtype.bytes()
    }

    /// Refuses an `expected` provenance that differs in anything the grids depend on.
    pub fn check(&self, expected: &Self, path: &Path) -> Result<()> {
        match self.difference(expected) {
            None => Ok(()),
            Some(Difference { what, found, expected }) => {
                let path = path.to_path_buf();
                Err(Error::OtherProvenance { path, what, found, expected })
            }
        }
    }

    /// The first thing that the grids depend on in which this differs from an `expected` one.
    pub(crate) fn difference(&self, expected: &Self) -> Option<Difference> {
        let parts = |of: &Self| {
            [
                ("encoder (SHA-256)", of.encoder_sha256.clone()),
                ("preprocessing", of.preprocess.clone()),
                ("grid", format!("{}×{}×{}", of.grid.height, of.grid.width, of.grid.channels)),
                ("type of values", of.dtype.to_string()),
                ("list of views", of.views.join(", ")),
            ]
        };
        let mut pairs = parts(self).into_iter().zip(parts(expected));
        let ((what, found), (_, expected)) = pairs.find(|(found, expected)| found != expected)?;
        Some(Difference { what, found, expected })
    }

    pub(crate) fn is_sane(&self) -> bool {
        let plain = |name: &String| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
            !name.is_empty() && name.bytes().all(allowed)
        };
        let distinct = (1..self.views.len()).all(|at| !self.views[..at].contains(&self.views[at]));
        let views = !self.views.is_empty() && self.views.iter().all(plain) && distinct;
        views && is_in_range(self.grid) && self.grid_bytes() <= MAX_GRID_BYTES
    }
}

/// Something in which two provenances differ.
pub(crate) struct Difference {
    pub(crate) what: &'static str,
    pub(crate) found: String,
    pub(crate) expected: String,
}
