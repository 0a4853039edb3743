//! The rows of one block: names and states in memory, sources and grids read from their addresses.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::block::{Block, CHECKSUM_BYTES, Flaw, SOURCE_BYTES, STAMP_BYTES};
use crate::{Error, Provenance, Result};

/// Bytes of a piece in which names are read, approximately.
const PIECE_BYTES: usize = 1 << 20;

/// SHA-256 of the file that an image was read from.
pub type Source = [u8; SOURCE_BYTES];

/// Size and modification time of the file that an image was read from. A file with the same stamp counts as unchanged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes of the file.
    pub size: u64,
    /// Nanoseconds since 1970; 0 if unknown.
    pub modified: u64,
}

impl Stamp {
    pub(crate) fn to_bytes(self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        bytes[..8].copy_from_slice(&self.size.to_le_bytes());
        bytes[8..].copy_from_slice(&self.modified.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; STAMP_BYTES]) -> Self {
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        Self { size: number(0), modified: number(8) }
    }
}

/// State of a row. No two states differ in one bit, so that a flipped one is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Laid out, nothing written.
    Empty,
    /// All grids are written.
    Complete,
    /// Superseded, or its image is gone.
    Removed,
    /// A byte that is not a valid state.
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

    fn from_byte(byte: u8) -> Self {
        match byte {
            Self::EMPTY => Self::Empty,
            Self::COMPLETE => Self::Complete,
            Self::REMOVED => Self::Removed,
            _ => Self::Damaged,
        }
    }
}

/// The rows of one block. Nothing is mapped: memory does not grow with the grids that were read, and a file that is
/// truncated meanwhile is an error that does not end the process.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    pub(crate) file: Arc<File>,
    pub(crate) block: Block,
    grid_bytes: usize,
    /// All names, one after the other: a million strings would take more memory.
    names: String,
    /// Where each name ends.
    ends: Vec<usize>,
    states: Vec<State>,
    /// Whether each grid was compared with its checksum: `[rows, views]`.
    checked: Vec<AtomicBool>,
}

impl Part {
    /// Reads names and states of a block.
    ///
    /// # Errors
    /// [`Error::Truncated`] and [`Error::Names`] for a damaged file, [`Error::NotAStore`] for impossible addresses.
    pub(crate) fn read(
        path: &Path,
        file: Arc<File>,
        provenance: &Provenance,
        block: Block,
    ) -> Result<Self> {
        let length = file.metadata().map_err(Error::io(path))?.len();
        match block.flaw(provenance, length) {
            Some(Flaw::Invalid(reason)) => return Err(Error::not_a_store(path, reason)),
            Some(Flaw::Truncated(expected)) => {
                return Err(Error::Truncated { path: path.to_path_buf(), length, expected });
            }
            None => {}
        }
        let (names, ends) = read_names(&file, path, &block)?;
        let mut states = vec![0; block.rows];
        file.read_exact_at(&mut states, block.states).map_err(Error::io(path))?;
        Ok(Self {
            path: path.to_path_buf(),
            file,
            grid_bytes: provenance.grid_bytes(),
            names,
            ends,
            states: states.into_iter().map(State::from_byte).collect(),
            checked: (0..block.rows * block.grids.len()).map(|_| AtomicBool::new(false)).collect(),
            block,
        })
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

    /// Records a state in memory.
    pub(crate) fn set_state(&mut self, row: usize, state: State) {
        self.states[row] = state;
    }

    /// Marks rows as damaged whose grids are after `length` bytes, where the file was truncated.
    pub(crate) fn lose_rows_after(&mut self, length: u64) {
        for row in 0..self.len() {
            let end = |view| self.grid_at(row, view) + self.grid_bytes as u64;
            let is_lost = (0..self.block.grids.len()).any(|view| end(view) > length);
            if is_lost && self.states[row] == State::Complete {
                self.states[row] = State::Damaged;
            }
        }
    }

    pub(crate) fn source_at(&self, row: usize) -> u64 {
        self.block.sources + (row * SOURCE_BYTES) as u64
    }

    /// Address of the stamp of a row, which version 2 does not have.
    pub(crate) fn stamp_at(&self, row: usize) -> Option<u64> {
        Some(self.block.stamps? + (row * STAMP_BYTES) as u64)
    }

    pub(crate) fn checksum_at(&self, row: usize, view: usize) -> u64 {
        let before = row * self.block.grids.len() + view;
        self.block.checksums + (before * CHECKSUM_BYTES) as u64
    }

    pub(crate) fn grid_at(&self, row: usize, view: usize) -> u64 {
        self.block.grids[view] + (row * self.grid_bytes) as u64
    }

    /// SHA-256 of the file that a row was encoded from. It is not compared with a checksum.
    pub(crate) fn source(&self, row: usize) -> Result<Source> {
        let mut source = Source::default();
        self.read_at(&mut source, self.source_at(row))?;
        Ok(source)
    }

    /// Stamp of the file that a row was encoded from.
    pub(crate) fn stamp(&self, row: usize) -> Result<Stamp> {
        let mut bytes = [0; STAMP_BYTES];
        if let Some(at) = self.stamp_at(row) {
            self.read_at(&mut bytes, at)?;
        }
        Ok(Stamp::from_bytes(bytes))
    }

    /// Reads the bytes of a grid of a row that is or was complete, and compares them with their checksum the first time.
    ///
    /// # Errors
    /// [`Error::Checksum`] if they do not match.
    pub(crate) fn read_grid(&self, row: usize, view: usize, grid: &mut [u8]) -> Result<()> {
        self.read_at(grid, self.grid_at(row, view))?;
        let checked = &self.checked[row * self.block.grids.len() + view];
        if checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut expected = [0; CHECKSUM_BYTES];
        self.read_at(&mut expected, self.checksum_at(row, view))?;
        if checksum(&self.source(row)?, grid) != u32::from_le_bytes(expected) {
            return Err(Error::Checksum {
                path: self.path.clone(),
                name: self.name(row).to_owned(),
            });
        }
        checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The first view of a row whose grid does not match its checksum.
    pub(crate) fn damaged_view(&self, row: usize) -> Result<Option<usize>> {
        let mut grid = vec![0; self.grid_bytes];
        for view in 0..self.block.grids.len() {
            match self.read_grid(row, view, &mut grid) {
                Ok(()) => {}
                Err(Error::Checksum { .. }) => return Ok(Some(view)),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn read_at(&self, bytes: &mut [u8], at: u64) -> Result<()> {
        self.file.read_exact_at(bytes, at).map_err(Error::io(&self.path))
    }
}

/// Reads the texts of a block, joined, and where each ends. In pieces, as a file may promise more than it has bytes on
/// the disk: names of one block differ, so at most one of them is empty.
pub(crate) fn read_names(file: &File, path: &Path, block: &Block) -> Result<(String, Vec<usize>)> {
    let damaged = || Error::Names { path: path.to_path_buf() };
    let size = block.name_bytes.max(1);
    let piece_rows = (PIECE_BYTES / size).max(1);
    let mut hasher = crc32fast::Hasher::new_with_initial(block.names_seed);
    let (mut names, mut ends) = (String::new(), Vec::new());
    let mut empty = 0;
    let mut bytes = Vec::new();
    for first in (0..block.rows).step_by(piece_rows) {
        bytes.resize(piece_rows.min(block.rows - first) * size, 0);
        read_exact(file, &mut bytes, block.names + (first * size) as u64, path)?;
        hasher.update(&bytes);
        for bytes in bytes.chunks_exact(size) {
            let end = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            empty += usize::from(end == 0);
            names.push_str(std::str::from_utf8(&bytes[..end]).map_err(|_| damaged())?);
            ends.push(names.len());
        }
        if empty > 1 {
            return Err(damaged());
        }
    }
    if hasher.finalize() == block.names_checksum { Ok((names, ends)) } else { Err(damaged()) }
}

fn read_exact(file: &File, bytes: &mut [u8], at: u64, path: &Path) -> Result<()> {
    file.read_exact_at(bytes, at).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::Names { path: path.to_path_buf() },
        _ => Error::io(path)(error),
    })
}

/// Checksum of a view of a row: CRC-32 of the SHA-256 of its image's file, then of the bytes of its grid.
pub(crate) fn checksum(source: &Source, grid: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(source);
    hasher.update(grid);
    hasher.finalize()
}
