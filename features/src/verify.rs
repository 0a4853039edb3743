//! Looking at every byte of a store.

use std::fmt;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use crate::part::Part;
use crate::set::OpenSet;
use crate::{FeatureStore, Result};

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A row that does not fit its checksum, or whose state is none.
    Row {
        /// The file it lies in.
        path: PathBuf,
        /// The row of that file.
        row: usize,
        /// Its image.
        name: String,
        /// What does not fit.
        what: String,
    },
    /// One of the two descriptions on the front page; the other one serves.
    Description {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        number: usize,
    },
    /// The part of the file that describes it to HDF5. Showtell reads the rows without it; other
    /// programs may not.
    Metadata {
        /// The file.
        path: PathBuf,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { path, row, name, what } => {
                write!(formatter, "{}: row {row}: {name}: {what}", path.display())
            }
            Self::Description { path, number } => write!(
                formatter,
                "{}: front page: description {number} is damaged; the other one serves, the next `extract` mends it",
                path.display()
            ),
            Self::Metadata { path } => write!(
                formatter,
                "{}: HDF5 metadata: damaged; showtell still reads the rows, other programs may not and no image can be added",
                path.display()
            ),
        }
    }
}

impl FeatureStore {
    /// Compares everything with its checksum: both descriptions, the HDF5 metadata, all rows
    /// that count. Names were compared when the store was opened.
    pub fn verify(&self) -> Result<Vec<Problem>> {
        let mut problems = self.set().map_or(Ok(Vec::new()), OpenSet::verify)?;
        problems.extend(self.parts().iter().flat_map(Part::verify));
        Ok(problems)
    }

    /// A SHA-256 over names and grids of all images that have a grid, in order of their names. It
    /// does not depend on the order in which they were written, nor on interruptions, nor on shards.
    ///
    /// What goes in, for each image: the length of its name (u64, little-endian), the name, and the
    /// bytes of its grid in each view.
    pub fn content_digest(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        let mut grid = vec![0; self.provenance().grid_bytes()];
        for (name, row) in self.images() {
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name);
            for view in 0..self.provenance().views.len() {
                self.read_bytes(row, view, &mut grid)?;
                hasher.update(&grid);
            }
        }
        Ok(hex::encode(hasher.finalize()))
    }
}
