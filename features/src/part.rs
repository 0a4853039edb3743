//! One file with rows, open for reading.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::description::Description;
use crate::front::{self, Front, Page};
use crate::rows::{Rows, Source, State};
use crate::{Error, Problem, Result, append};

/// A file of rows. A grid is read when it is asked for, at its place: nothing is mapped, so memory does not grow
/// with what was read, and a file that somebody cuts off is an error and not the end of the process.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    file: File,
    pub(crate) description: Description,
    damaged_descriptions: Vec<usize>,
    pub(crate) rows: Rows,
    /// Which grids were compared with their checksum; a row after the other, one entry a view.
    checked: Vec<AtomicBool>,
}

impl Part {
    /// Opens a file that is no set of shards.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        match front::read(&file, path)? {
            Front { page: Page::Rows(description), damaged } => {
                Self::new(path, file, description, damaged)
            }
            Front { page: Page::Shards(_), .. } => {
                Err(Error::not_a_store(path, "a store of shards cannot be a shard itself"))
            }
        }
    }

    /// Front page, names and states are read and checked, no grid is.
    pub(crate) fn new(
        path: &Path,
        file: File,
        description: Description,
        damaged_descriptions: Vec<usize>,
    ) -> Result<Self> {
        let length = file.metadata().map_err(Error::io(path))?.len();
        // A store that is just being created may be shorter; there is nothing in it to miss.
        if length < description.length && !description.segments.is_empty() {
            let path = path.to_path_buf();
            return Err(Error::CutOff { path, length, expected: description.length });
        }
        let rows = Rows::read(&file, path, &description)?;
        let grids = rows.len() * description.provenance.views.len();
        Ok(Self {
            path: path.to_path_buf(),
            file,
            damaged_descriptions,
            checked: (0..grids).map(|_| AtomicBool::new(false)).collect(),
            description,
            rows,
        })
    }

    pub(crate) fn views(&self) -> usize {
        self.description.provenance.views.len()
    }

    /// The SHA-256 of the file that a row was encoded from.
    pub(crate) fn source(&self, row: usize) -> Result<Source> {
        self.rows.source(&self.file, row).map_err(Error::io(&self.path))
    }

    /// The same, if the row fits its checksums.
    pub(crate) fn intact_source(&self, row: usize) -> Result<Option<Source>> {
        self.rows.intact_source(&self.file, row).map_err(Error::io(&self.path))
    }

    /// The grid of a row that is or was complete. It is compared with its checksum when it is read for the first
    /// time.
    pub(crate) fn read(&self, row: usize, view: usize, grid: &mut [u8]) -> Result<()> {
        let checked = &self.checked[row * self.views() + view];
        if checked.load(Ordering::Relaxed) {
            let at = self.rows.grid_at(row, view);
            return self.file.read_exact_at(grid, at).map_err(Error::io(&self.path));
        }
        let fits = self.rows.read_checked(&self.file, row, view, grid);
        if !fits.map_err(Error::io(&self.path))? {
            return Err(self.error(row, |path, name| Error::Checksum { path, name }));
        }
        checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn error(&self, row: usize, of: impl FnOnce(PathBuf, String) -> Error) -> Error {
        of(self.path.clone(), self.rows.name(row).to_owned())
    }

    /// Compares everything with its checksum: both descriptions, the HDF5 metadata, all rows. Names were compared
    /// when the file was opened.
    pub(crate) fn verify(&self) -> Vec<Problem> {
        let path = || self.path.clone();
        let mut problems = Problem::of_descriptions(&self.path, &self.damaged_descriptions);
        // While they wait to be copied to their places, the bytes beside the rows are the right ones.
        let Description { waiting, metadata, .. } = &self.description;
        if waiting.is_none() && append::read(&self.file, &self.path, metadata).is_err() {
            problems.push(Problem::Metadata { path: path() });
        }
        let mut grid = vec![0; self.description.provenance.grid_bytes()];
        for row in 0..self.rows.len() {
            let what = match self.rows.state(row) {
                State::Empty | State::Removed => continue,
                State::Damaged => Some("its state is damaged".to_owned()),
                State::Complete => self.damaged_view(row, &mut grid),
            };
            let name = self.rows.name(row).to_owned();
            problems.extend(what.map(|what| Problem::Row { path: path(), row, name, what }));
        }
        problems
    }

    fn damaged_view(&self, row: usize, grid: &mut [u8]) -> Option<String> {
        let damaged = (0..self.views()).find(|&view| self.read(row, view, grid).is_err())?;
        Some(format!("its grid `{}` is damaged", self.description.provenance.views[damaged]))
    }
}
