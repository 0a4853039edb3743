//! The attributes of a file of a store, and the checksum over them.

use std::path::Path;

use common::View;

use crate::provenance::Difference;
use crate::{Error, Provenance, Result, Shard};

/// `format` of a file with rows.
pub(crate) const FORMAT: &str = "showtell features";
/// `format` of a merged store, whose rows are in other files.
pub(crate) const MERGED_FORMAT: &str = "showtell merged features";
/// The version of the format that is written.
pub(crate) const VERSION: u64 = 3;

/// Whether a file holds rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Rows,
    /// It names the files with the rows.
    Merged,
}

impl Kind {
    pub(crate) fn format(self) -> &'static str {
        match self {
            Self::Rows => FORMAT,
            Self::Merged => MERGED_FORMAT,
        }
    }
}

/// The attributes of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) provenance: Provenance,
    /// Device of the encoder.
    pub(crate) device: String,
    /// Set for a file of a shard.
    pub(crate) shard: Option<Shard>,
    /// Number of the file in its store: 0 for `NAME.h5`, 1 for `NAME+1.h5`.
    pub(crate) number: u64,
    /// `checksum` of the first file, by which the others belong to it; 0 in the first file itself.
    pub(crate) first: u64,
}

impl Header {
    /// The text attributes, in the order of the checksum.
    pub(crate) fn texts(&self) -> [(&'static str, String); 9] {
        let Provenance { encoder_name, encoder_sha256, dtype, views, .. } = &self.provenance;
        [
            ("format", self.kind.format().to_owned()),
            ("encoder_name", encoder_name.clone()),
            ("encoder_sha256", encoder_sha256.clone()),
            ("preprocess", self.provenance.preprocess_json()),
            ("dtype", dtype.name().to_owned()),
            ("views", View::join(views, ",")),
            ("created_by", self.provenance.created_by.clone()),
            ("device", self.device.clone()),
            ("shard", self.shard.map(|shard| shard.to_string()).unwrap_or_default()),
        ]
    }

    /// The numeric attributes, in the order of the checksum; `grid` is `[h, w, C]`.
    pub(crate) fn numbers(&self) -> [(&'static str, Vec<u64>); 4] {
        let grid = <[usize; 3]>::from(self.provenance.grid).map(|side| side as u64);
        let (number, first) = (vec![self.number], vec![self.first]);
        [("version", vec![VERSION]), ("grid", grid.to_vec()), ("number", number), ("first", first)]
    }

    /// CRC-32 of all attributes, which the checksum of the names continues.
    pub(crate) fn checksum(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        let mut add = |name: &str, value: &str| {
            for bytes in [name.as_bytes(), b"\0", value.as_bytes(), b"\0"] {
                hasher.update(bytes);
            }
        };
        self.texts().iter().for_each(|(name, value)| add(name, value));
        for (name, values) in self.numbers() {
            let values = values.iter().map(u64::to_string).collect::<Vec<_>>();
            add(name, &values.join(","));
        }
        hasher.finalize()
    }

    /// Compares what grids depend on with another file of the store.
    ///
    /// # Errors
    /// [`Error::OtherFile`] names both files and the first difference.
    pub(crate) fn check_same(&self, path: &Path, other: &Self, other_path: &Path) -> Result<()> {
        match self.provenance.difference(&other.provenance) {
            None => Ok(()),
            Some(Difference { field, found, expected }) => Err(Error::OtherFile {
                path: path.to_path_buf(),
                other: other_path.to_path_buf(),
                field,
                found,
                expected,
            }),
        }
    }
}
