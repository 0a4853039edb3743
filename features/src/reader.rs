//! Reading a store.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use half::f16;
use memmap2::Mmap;

use crate::layout::{self, Row};
use crate::writer::read_states;
use crate::{Error, GridShape, Provenance, Result, map};

/// A store open for reading. Grids are mapped: nothing is read before it is asked for, and many
/// threads may read at once.
#[derive(Debug)]
pub struct FeatureStore {
    path: PathBuf,
    provenance: Provenance,
    rows: Vec<Row>,
    complete: Vec<bool>,
    verified: Vec<AtomicBool>,
    index: HashMap<String, usize>,
    bytes: Mmap,
}

impl FeatureStore {
    /// Opens the store at `path`.
    pub fn open(path: &Path) -> Result<Self> {
        let layout = layout::read(path)?;
        let file = File::open(path).map_err(Error::io(path))?;
        let complete = read_states(&file, &layout).map_err(Error::io(path))?;
        let bytes = map::map(&file).map_err(Error::io(path))?;
        let names = layout.rows.iter().map(|row| row.name.clone());
        Ok(Self {
            path: path.to_path_buf(),
            index: names.zip(0..).collect(),
            verified: complete.iter().map(|_| AtomicBool::new(false)).collect(),
            provenance: layout.provenance,
            rows: layout.rows,
            complete,
            bytes,
        })
    }

    /// Which encoder made the grids, and from which pixels.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// The shape of each grid.
    #[must_use]
    pub fn grid_shape(&self) -> GridShape {
        self.provenance.grid
    }

    /// The number of rows, complete or not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number of rows that hold a grid.
    #[must_use]
    pub fn complete(&self) -> usize {
        self.complete.iter().filter(|complete| **complete).count()
    }

    /// The row of an image, if it is there and holds a grid.
    #[must_use]
    pub fn find(&self, image: &str) -> Option<usize> {
        self.index.get(image).copied().filter(|&row| self.complete[row])
    }

    /// The grid of a row: `cells × channels` values, a cell after the other. It is checked against
    /// its checksum when it is first touched.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn grid(&self, row: usize) -> Result<&[f16]> {
        let entry = &self.rows[row];
        let error = || (self.path.clone(), entry.name.clone());
        if !self.complete[row] {
            let (path, name) = error();
            return Err(Error::Incomplete { path, name });
        }
        let start = entry.grid as usize;
        let bytes = &self.bytes[start..start + self.grid_shape().bytes()];
        if !self.verified[row].load(Ordering::Relaxed) {
            if crc32fast::hash(bytes) != self.checksum(entry) {
                let (path, name) = error();
                return Err(Error::Checksum { path, name });
            }
            self.verified[row].store(true, Ordering::Relaxed);
        }
        bytemuck::try_cast_slice(bytes)
            .map_err(|error| Error::not_a_store(&self.path, format!("`{}`: {error}", entry.name)))
    }

    fn checksum(&self, row: &Row) -> u32 {
        let start = row.checksum as usize;
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.bytes[start..start + 4]);
        u32::from_le_bytes(bytes)
    }
}
