//! Looking at every byte of a store.

use sha2::{Digest as _, Sha256};

use crate::part::Part;
use crate::set::OpenSet;
use crate::{FeatureStore, Problem, Result};

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
