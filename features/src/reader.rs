//! Reading a store.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use half::f16;
use half::slice::HalfFloatSliceExt as _;
use memmap2::Mmap;

use crate::description::{CHECKSUM_BYTES, Description, SOURCE_BYTES};
use crate::front::{self, Front};
use crate::rows::{self, Rows, Source, State};
use crate::{Dtype, Error, GridShape, Provenance, Result, map};

/// A store open for reading. Rows are mapped: nothing is read before it is asked for, and many
/// threads may read at once. libhdf5 has no part in it.
///
/// It shows the store as it was when it was opened. A complete row never changes, so a writer may
/// go on meanwhile.
#[derive(Debug)]
pub struct FeatureStore {
    path: PathBuf,
    file: File,
    description: Description,
    damaged_descriptions: Vec<usize>,
    rows: Rows,
    /// Which grids were compared with their checksum; a row after the other, one entry a view.
    checked: Vec<AtomicBool>,
    bytes: Mmap,
}

impl FeatureStore {
    /// Opens the store at `path`. Front page, names and states are read and checked, no grid is.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        let Front { description, damaged } = front::read(&file, path)?;
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
            bytes: map::map(&file, description.length).map_err(Error::io(path))?,
            file,
            damaged_descriptions: damaged,
            checked: (0..grids).map(|_| AtomicBool::new(false)).collect(),
            description,
            rows,
        })
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which encoder made the grids, and from which pixels.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.description.provenance
    }

    /// The shape of each grid.
    #[must_use]
    pub fn grid_shape(&self) -> GridShape {
        self.provenance().grid
    }

    /// The programs and devices that filled it: one entry for each time rows were laid out.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        self.description.segments.iter().map(|segment| segment.device.as_str())
    }

    /// The number of rows, whatever their state.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }

    /// The number of images that have a grid.
    #[must_use]
    pub fn complete(&self) -> usize {
        self.rows.live().len()
    }

    /// The row of an image, if it has a grid.
    #[must_use]
    pub fn find(&self, image: &str) -> Option<usize> {
        self.rows.find(image)
    }

    /// The images that have a grid, with their rows, in order of their names.
    #[must_use]
    pub fn images(&self) -> Vec<(&str, usize)> {
        let mut images = self.rows.live().map(|row| (self.name(row), row)).collect::<Vec<_>>();
        images.sort_unstable();
        images
    }

    /// The image of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn name(&self, row: usize) -> &str {
        self.rows.name(row)
    }

    /// How far a row is.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn state(&self, row: usize) -> State {
        self.rows.state(row)
    }

    /// The number of a view, by its name.
    pub fn view(&self, name: &str) -> Result<usize> {
        let views = &self.provenance().views;
        views.iter().position(|view| view == name).ok_or_else(|| Error::NoView {
            path: self.path.clone(),
            view: name.to_owned(),
            views: views.join(", "),
        })
    }

    /// The SHA-256 of the file from which an image was encoded; `None` where it has no grid, or one
    /// that does not fit its checksum. Reads the whole row.
    pub fn intact_source(&self, image: &str) -> Result<Option<Source>> {
        let Some(row) = self.find(image) else { return Ok(None) };
        let views = self.provenance().views.len();
        let intact = (0..views).all(|view| self.checked_grid(row, view).is_ok());
        Ok(intact.then(|| self.source(row)))
    }

    fn source(&self, row: usize) -> Source {
        let mut source = Source::default();
        source.copy_from_slice(self.slice(self.rows.source_at(row), SOURCE_BYTES));
        source
    }

    /// The bytes of a grid: `cells × channels` little-endian values of the store's type, a cell
    /// after the other. It is compared with its checksum when it is first touched.
    ///
    /// # Panics
    /// If there is no such row or view.
    pub fn grid(&self, row: usize, view: usize) -> Result<&[u8]> {
        if self.rows.state(row) != State::Complete {
            return Err(self.error(row, |path, name| Error::Incomplete { path, name }));
        }
        self.checked_grid(row, view)
    }

    /// The values of a grid as 32-bit floats.
    ///
    /// # Panics
    /// If there is no such row or view, or `values` is of another length than the grid.
    pub fn read(&self, row: usize, view: usize, values: &mut [f32]) -> Result<()> {
        let bytes = self.grid(row, view)?;
        match self.provenance().dtype {
            // Rows begin where pages do or at a multiple of their own size, so both casts are in place.
            Dtype::F16 => bytemuck::cast_slice::<_, f16>(bytes).convert_to_f32_slice(values),
            Dtype::F32 => values.copy_from_slice(bytemuck::cast_slice(bytes)),
        }
        Ok(())
    }

    /// The grid of a row that is or was complete.
    pub(crate) fn checked_grid(&self, row: usize, view: usize) -> Result<&[u8]> {
        let grid = self.slice(self.rows.grid_at(row, view), self.provenance().grid_bytes());
        let checked = &self.checked[row * self.provenance().views.len() + view];
        if !checked.load(Ordering::Relaxed) {
            let expected = self.slice(self.rows.checksum_at(row, view), CHECKSUM_BYTES);
            if rows::checksum(&self.source(row), grid).to_le_bytes() != expected {
                return Err(self.error(row, |path, name| Error::Checksum { path, name }));
            }
            checked.store(true, Ordering::Relaxed);
        }
        Ok(grid)
    }

    /// Addresses were compared with the file's length when the front page was read.
    fn slice(&self, at: u64, length: usize) -> &[u8] {
        &self.bytes[at as usize..at as usize + length]
    }

    fn error(&self, row: usize, error: impl FnOnce(PathBuf, String) -> Error) -> Error {
        error(self.path.clone(), self.name(row).to_owned())
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    pub(crate) fn damaged_descriptions(&self) -> &[usize] {
        &self.damaged_descriptions
    }
}
