//! Looking at every byte of a store.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::rows::State;
use crate::{FeatureStore, Result, append};

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A row that does not fit its checksum, or whose state is none.
    Row {
        /// The row.
        row: usize,
        /// Its image.
        name: String,
        /// What does not fit.
        what: String,
    },
    /// One of the two descriptions on the front page; the other one serves.
    Description(usize),
    /// The part of the file that describes it to HDF5. Showtell reads the rows without it; other
    /// programs may not.
    Metadata,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { row, name, what } => write!(formatter, "row {row}: {name}: {what}"),
            Self::Description(number) => write!(
                formatter,
                "front page: description {number} is damaged; the other one serves, the next `extract` mends it"
            ),
            Self::Metadata => write!(
                formatter,
                "HDF5 metadata: damaged; showtell still reads the rows, other programs may not and no image can be added"
            ),
        }
    }
}

impl FeatureStore {
    /// Compares everything with its checksum: both descriptions, the HDF5 metadata, all rows
    /// that count. Names were compared when the store was opened.
    pub fn verify(&self) -> Result<Vec<Problem>> {
        let description = self.description();
        let damaged = self.damaged_descriptions().iter();
        let mut problems = damaged.map(|&one| Problem::Description(one)).collect::<Vec<_>>();
        // While they wait to be copied to their places, the bytes beside the rows are the right ones.
        if description.waiting.is_none()
            && append::read(self.file(), self.path(), &description.metadata).is_err()
        {
            problems.push(Problem::Metadata);
        }
        let views = 0..self.provenance().views.len();
        for row in 0..self.len() {
            let what = match self.state(row) {
                State::Empty | State::Removed => continue,
                State::Damaged => Some("its state is damaged".to_owned()),
                State::Complete => views
                    .clone()
                    .find(|&view| self.checked_grid(row, view).is_err())
                    .map(|view| format!("its grid `{}` is damaged", self.provenance().views[view])),
            };
            let name = self.name(row).to_owned();
            problems.extend(what.map(|what| Problem::Row { row, name, what }));
        }
        Ok(problems)
    }

    /// A SHA-256 over names and grids of all images that have a grid, in order of their names. It
    /// does not depend on the order in which they were written, nor on interruptions.
    ///
    /// What goes in, for each image: the length of its name (u64, little-endian), the name, and the
    /// bytes of its grid in each view.
    pub fn content_digest(&self) -> Result<String> {
        let mut hasher = Sha256::new();
        for (name, row) in self.images() {
            hasher.update((name.len() as u64).to_le_bytes());
            hasher.update(name);
            for view in 0..self.provenance().views.len() {
                hasher.update(self.grid(row, view)?);
            }
        }
        Ok(hex::encode(hasher.finalize()))
    }
}
