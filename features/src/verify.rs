//! Comparing every byte of a store with its checksums.

use std::fmt;
use std::path::PathBuf;

use common::View;
use sha2::{Digest as _, Sha256};

use crate::part::State;
use crate::{FeatureStore, Result};

/// A row with a checksum mismatch or a damaged state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file of the row.
    pub path: PathBuf,
    /// Number of the row in that file.
    pub row: usize,
    /// Its image.
    pub name: String,
    /// The damaged view; `None` if the state is damaged.
    pub view: Option<View>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, row, name, view } = self;
        write!(formatter, "{}: row {row}: {name}: ", path.display())?;
        match view {
            Some(view) => write!(formatter, "its grid `{view}` is damaged"),
            None => formatter.write_str("its state is damaged"),
        }
    }
}

impl FeatureStore {
    /// Compares all rows that count with their checksums. Attributes and names were compared when the store was opened.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn verify(&self) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for row in 0..self.len() {
            let (part, at) = self.part(row);
            let view = match self.state(row) {
                State::Empty | State::Removed => continue,
                State::Damaged => None,
                State::Complete => match part.damaged_view(at)? {
                    None => continue,
                    Some(view) => Some(self.provenance().views[view]),
                },
            };
            let (path, name) = (part.path.clone(), part.name(at).to_owned());
            problems.push(Problem { path, row: at, name, view });
        }
        Ok(problems)
    }

    /// SHA-256 over names and grids of all images that have grids, sorted by name. It does not depend on the order in
    /// which they were written, on interruptions, on files or on shards.
    ///
    /// Hashed for each image: the length of its name (u64, little-endian), the name, and the bytes of its grid in each
    /// view.
    ///
    /// # Errors
    /// As [`FeatureStore::read_bytes`].
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
