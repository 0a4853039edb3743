//! The rows of a store: their names, their states, and where their bytes lie.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::description::{CHECKSUM_BYTES, Description, SOURCE_BYTES, Segment};
use crate::index::Index;
use crate::{Error, Provenance, Result};

/// Names are read in pieces of about so many bytes.
const PIECE: usize = 1 << 20;

/// The SHA-256 of the file an image was read from.
pub type Source = [u8; SOURCE_BYTES];

/// How far a row is. No two states differ in one bit, so that a flipped one is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Laid out, nothing written.
    Empty,
    /// All grids are written.
    Complete,
    /// Complete, but no longer wanted: the image is gone or was encoded again.
    Removed,
    /// No state that is ever written.
    Damaged,
}

impl State {
    const EMPTY: u8 = 0;
    const COMPLETE: u8 = b'C';
    const REMOVED: u8 = b'r';

    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Empty => Self::EMPTY,
            Self::Complete => Self::COMPLETE,
            Self::Removed => Self::REMOVED,
            Self::Damaged => u8::MAX,
        }
    }

    fn of(byte: u8) -> Self {
        match byte {
            Self::EMPTY => Self::Empty,
            Self::COMPLETE => Self::Complete,
            Self::REMOVED => Self::Removed,
            _ => Self::Damaged,
        }
    }
}

/// The rows of one file, whatever their state.
#[derive(Debug)]
pub(crate) struct Rows {
    provenance: Provenance,
    segments: Vec<Segment>,
    /// The first row of each segment.
    starts: Vec<usize>,
    /// All names, one after the other: a million strings would take more memory for themselves.
    names: String,
    /// Where each name ends.
    ends: Vec<usize>,
    states: Vec<State>,
}

impl Rows {
    /// Reads names and states.
    pub(crate) fn read(file: &File, path: &Path, description: &Description) -> Result<Self> {
        let mut rows = Self {
            provenance: description.provenance.clone(),
            segments: Vec::new(),
            starts: Vec::new(),
            names: String::new(),
            ends: Vec::new(),
            states: Vec::new(),
        };
        for segment in &description.segments {
            rows.starts.push(rows.len());
            rows.read_names(file, path, segment)?;
            // There are as many names as rows by now, so a row is more than a number in the front page.
            let mut states = vec![0; segment.rows];
            file.read_exact_at(&mut states, segment.states).map_err(Error::io(path))?;
            rows.states.extend(states.into_iter().map(State::of));
            rows.segments.push(segment.clone());
        }
        Ok(rows)
    }

    /// In pieces: a front page may promise more names than the file has bytes on the disk. Names of one segment differ,
    /// so at most one of them is empty.
    fn read_names(&mut self, file: &File, path: &Path, segment: &Segment) -> Result<()> {
        let damaged = || Error::Names { path: path.to_path_buf() };
        let size = segment.name_bytes.max(1);
        let a_piece = (PIECE / size).max(1);
        let mut hasher = crc32fast::Hasher::new();
        let mut empty = 0;
        let mut bytes = Vec::new();
        for first in (0..segment.rows).step_by(a_piece) {
            bytes.resize(a_piece.min(segment.rows - first) * segment.name_bytes, 0);
            let at = segment.names + (first * segment.name_bytes) as u64;
            file.read_exact_at(&mut bytes, at).map_err(Error::io(path))?;
            hasher.update(&bytes);
            for bytes in bytes.chunks_exact(size) {
                let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
                empty += usize::from(end == 0);
                let name = std::str::from_utf8(&bytes[..end]).map_err(|_| damaged())?;
                self.names.push_str(name);
                self.ends.push(self.names.len());
            }
            if empty > 1 {
                return Err(damaged());
            }
        }
        if hasher.finalize() == segment.names_checksum { Ok(()) } else { Err(damaged()) }
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn name(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.names[start..self.ends[row]]
    }

    pub(crate) fn state(&self, row: usize) -> State {
        self.states[row]
    }

    /// Takes note of a state that was written.
    pub(crate) fn set_state(&mut self, row: usize, state: State) {
        self.states[row] = state;
    }

    /// Complete rows, the first first.
    pub(crate) fn complete(&self) -> impl Iterator<Item = usize> {
        (0..self.len()).filter(|&row| self.states[row] == State::Complete)
    }

    /// The row that counts for each image: its last complete one.
    pub(crate) fn index(&self) -> Index {
        Index::new(self.complete(), |row| self.name(row), |_, _| {})
    }

    fn segment(&self, row: usize) -> (&Segment, u64) {
        let number = self.starts.partition_point(|&start| start <= row) - 1;
        (&self.segments[number], (row - self.starts[number]) as u64)
    }

    pub(crate) fn state_at(&self, row: usize) -> u64 {
        let (segment, at) = self.segment(row);
        segment.states + at
    }

    pub(crate) fn source_at(&self, row: usize) -> u64 {
        let (segment, at) = self.segment(row);
        segment.sources + at * SOURCE_BYTES as u64
    }

    pub(crate) fn checksum_at(&self, row: usize, view: usize) -> u64 {
        let (segment, at) = self.segment(row);
        let before = at * segment.grids.len() as u64 + view as u64;
        segment.checksums + before * CHECKSUM_BYTES as u64
    }

    pub(crate) fn grid_at(&self, row: usize, view: usize) -> u64 {
        let (segment, at) = self.segment(row);
        segment.grids[view] + at * self.provenance.grid_bytes() as u64
    }

    /// The SHA-256 of the file that a row was encoded from.
    pub(crate) fn source(&self, file: &File, row: usize) -> io::Result<Source> {
        let mut source = Source::default();
        file.read_exact_at(&mut source, self.source_at(row))?;
        Ok(source)
    }

    /// Reads a grid, and says whether it fits its checksum.
    pub(crate) fn read_checked(
        &self,
        file: &File,
        row: usize,
        view: usize,
        grid: &mut [u8],
    ) -> io::Result<bool> {
        let mut expected = [0; CHECKSUM_BYTES];
        file.read_exact_at(&mut expected, self.checksum_at(row, view))?;
        file.read_exact_at(grid, self.grid_at(row, view))?;
        Ok(checksum(&self.source(file, row)?, grid) == u32::from_le_bytes(expected))
    }

    /// The SHA-256 of a row's image, if the row fits its checksums.
    pub(crate) fn intact_source(&self, file: &File, row: usize) -> io::Result<Option<Source>> {
        let mut grid = vec![0; self.provenance.grid_bytes()];
        for view in 0..self.provenance.views.len() {
            if !self.read_checked(file, row, view, &mut grid)? {
                return Ok(None);
            }
        }
        self.source(file, row).map(Some)
    }
}

/// The checksum of a view of a row: CRC-32 of the image's SHA-256 and then the grid's bytes.
pub(crate) fn checksum(source: &Source, grid: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(source);
    hasher.update(grid);
    hasher.finalize()
}
