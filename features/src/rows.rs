//! All rows of a store, numbered through its files.

use crate::Result;
use crate::index::Index;
use crate::part::{Part, Source, Stamp, State};

/// The rows of a store, and the current row of each image.
///
/// Methods that take a row panic if it does not exist: rows come from [`Self::find`] or [`Self::images`].
#[derive(Debug, Default)]
pub struct Rows {
    pub(crate) parts: Vec<Part>,
    /// The first row of each part.
    starts: Vec<usize>,
    index: Index,
}

impl Rows {
    /// Numbers the rows of `parts`. Of an image with several complete rows the last one counts; `superseded` is called with
    /// both rows, the earlier one first.
    pub(crate) fn new(parts: Vec<Part>, mut superseded: impl FnMut(&Self, usize, usize)) -> Self {
        let mut rows = Self::default();
        for part in parts {
            rows.push(part);
        }
        let complete = (0..rows.len()).filter(|&row| rows.state(row) == State::Complete);
        let name = |row| rows.name(row);
        rows.index = Index::new(complete, name, |before, row| superseded(&rows, before, row));
        rows
    }

    /// Adds a part without a complete row.
    pub(crate) fn push(&mut self, part: Part) {
        self.starts.push(self.len());
        self.parts.push(part);
    }

    /// Number of rows, whatever their state.
    #[must_use]
    pub fn len(&self) -> usize {
        let last = self.parts.last().zip(self.starts.last());
        last.map_or(0, |(part, start)| start + part.len())
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of images that have grids.
    #[must_use]
    pub fn complete(&self) -> usize {
        self.index.rows().len()
    }

    /// The row of an image, if it has grids. Names are compared in Unicode normal form C.
    #[must_use]
    pub fn find(&self, image: &str) -> Option<usize> {
        self.index.find(image, |row| self.name(row))
    }

    /// The images that have grids, with their rows, sorted by name.
    #[must_use]
    pub fn images(&self) -> Vec<(&str, usize)> {
        let images = self.index.rows().map(|row| (self.name(row), row));
        let mut images = images.collect::<Vec<_>>();
        images.sort_unstable();
        images
    }

    /// The image of a row.
    #[must_use]
    pub fn name(&self, row: usize) -> &str {
        let (part, row) = self.part(row);
        part.name(row)
    }

    /// State of a row.
    #[must_use]
    pub fn state(&self, row: usize) -> State {
        let (part, row) = self.part(row);
        part.state(row)
    }

    /// SHA-256 of the file from which a row was encoded. It is not compared with a checksum.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn source(&self, row: usize) -> Result<Source> {
        let (part, row) = self.part(row);
        part.source(row)
    }

    /// Stamp of the file from which a row was encoded.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn stamp(&self, row: usize) -> Result<Stamp> {
        let (part, row) = self.part(row);
        part.stamp(row)
    }

    /// Whether all grids of a row match their checksums.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn is_intact(&self, row: usize) -> Result<bool> {
        let (part, row) = self.part(row);
        Ok(part.damaged_view(row)?.is_none())
    }

    /// Number of the part of a row, and number of the row in it.
    pub(crate) fn place(&self, row: usize) -> (usize, usize) {
        let part = self.starts.partition_point(|&start| start <= row) - 1;
        (part, row - self.starts[part])
    }

    /// The part of a row, and number of the row in it.
    pub(crate) fn part(&self, row: usize) -> (&Part, usize) {
        let (part, row) = self.place(row);
        (&self.parts[part], row)
    }

    /// Records a state in memory, and whether the row counts for its image.
    pub(crate) fn set_state(&mut self, row: usize, state: State) {
        let (part, at) = self.place(row);
        self.parts[part].set_state(at, state);
        let mut index = std::mem::take(&mut self.index);
        if state == State::Complete {
            index.insert(row, |row| self.name(row));
        } else {
            index.remove(row, self.name(row));
        }
        self.index = index;
    }
}
