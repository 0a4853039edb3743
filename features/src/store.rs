//! Reading a store.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use common::View;
use half::f16;
use half::slice::HalfFloatSliceExt as _;
use ndarray::{Array2, Array3, ArrayViewMut2};

use crate::files::{self, Access, Files, Opened, resolved};
use crate::header::Header;
use crate::part::{Source, Stamp, State};
use crate::rows::Rows;
use crate::shard::shards_of;
use crate::{Dtype, Error, GridShape, Provenance, Result};

/// A store open for reading, in one file or several. Grids are read on demand, memory does not grow with the number of
/// reads, and many threads may read at once. libhdf5 is not involved.
///
/// It dereferences to its [`Rows`]. It shows the store as it was when it was opened. A complete row never changes, so a writer may go on meanwhile.
#[derive(Debug)]
pub struct FeatureStore {
    path: PathBuf,
    /// Of the merged file or the first one.
    header: Header,
    rows: Rows,
    files: Vec<PathBuf>,
}

impl FeatureStore {
    /// Opens the store at `path`; if that file does not exist, its shards in the same folder. Attributes, names and
    /// states are read and checked, grids are not.
    ///
    /// # Errors
    /// [`Error::Missing`], or the error of one of its files.
    pub fn open(path: &Path) -> Result<Self> {
        let path = &*resolved(path)?;
        match files::open(path, Access::Read) {
            Ok(Opened::Rows(files)) => Self::from_files(path, None, vec![files]),
            Ok(Opened::Merged(header, paths)) => {
                let files = files::open_together(path, &paths)?;
                if let (Some(first), Some(file)) = (files.first(), paths.first()) {
                    first.header.check_same(file, &header, path)?;
                }
                Self::from_files(path, Some(header), files)
            }
            Err(Error::Missing { .. }) => Self::open_shards(path),
            Err(error) => Err(error),
        }
    }

    /// Opens the store whose shards are in the folder of `path`.
    fn open_shards(path: &Path) -> Result<Self> {
        files::check_gap(path, 0)?;
        let shards = shards_of(path)?;
        if shards.is_empty() {
            return Err(Error::Missing { path: path.to_path_buf() });
        }
        Self::from_files(path, None, files::open_together(path, &shards)?)
    }

    /// A store of files that fit together. Two shards must not hold an image of the same name. Where the names differ in
    /// their Unicode form alone, as after photos were moved to another file system, the last one counts.
    pub(crate) fn from_files(
        path: &Path,
        merged: Option<Header>,
        files: Vec<Files>,
    ) -> Result<Self> {
        let Some(first) = files.first() else {
            return Err(Error::not_a_store(path, "it has no files"));
        };
        let header = merged.unwrap_or_else(|| first.header.clone());
        let paths = files.iter().flat_map(|files| &files.parts).map(|part| part.path.clone());
        let mut paths = paths.collect::<Vec<_>>();
        paths.dedup();
        let mut shards = Vec::new();
        let mut parts = Vec::new();
        for (shard, files) in files.into_iter().enumerate() {
            shards.resize(shards.len() + files.parts.len(), shard);
            parts.extend(files.parts);
        }
        let mut overlap = None;
        let rows = Rows::new(parts, |rows, before, row| {
            let [one, other] = [before, row].map(|row| shards[rows.place(row).0]);
            if one != other && rows.name(before) == rows.name(row) {
                overlap = Some([before, row]);
            }
        });
        let Some([before, row]) = overlap else {
            return Ok(Self { path: path.to_path_buf(), header, rows, files: paths });
        };
        let [other, path] = [before, row].map(|row| rows.part(row).0.path.clone());
        Err(Error::Overlap { name: rows.name(row).to_owned(), path, other })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files with its rows.
    #[must_use]
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// The encoder of the grids, and its preprocessing.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.header.provenance
    }

    /// The shape of each grid.
    #[must_use]
    pub fn grid_shape(&self) -> GridShape {
        self.provenance().grid
    }

    /// The devices of the encoder: an entry for each time that rows were added.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        self.rows.parts.iter().map(|part| part.block.device.as_str())
    }

    /// Number of a view.
    ///
    /// # Errors
    /// [`Error::NoView`].
    pub fn view(&self, view: View) -> Result<usize> {
        let views = &self.provenance().views;
        views.iter().position(|&of| of == view).ok_or_else(|| Error::NoView {
            path: self.path.clone(),
            view,
            views: View::join(views, ", "),
        })
    }

    /// Row `from` as it is written into another store: grids `[views, cells, C]`.
    pub(crate) fn row(&self, from: usize) -> Result<(Source, Stamp, Array3<f32>)> {
        let (shape, views) = (self.grid_shape(), self.provenance().views.len());
        let mut grids = Array3::zeros([views, shape.cells(), shape.channels]);
        for (view, grid) in grids.outer_iter_mut().enumerate() {
            self.read_into(from, view, grid)?;
        }
        Ok((self.source(from)?, self.stamp(from)?, grids))
    }

    /// Reads the bytes of a grid: `[cells, C]` little-endian values of the store's type. They are compared with their
    /// checksum the first time.
    ///
    /// # Errors
    /// [`Error::Incomplete`], [`Error::Checksum`] or [`Error::Io`].
    ///
    /// # Panics
    /// If there is no such row or view, or `grid` has another length than [`Provenance::grid_bytes`].
    pub fn read_bytes(&self, row: usize, view: usize, grid: &mut [u8]) -> Result<()> {
        assert_eq!(grid.len(), self.provenance().grid_bytes(), "a grid of another length");
        let (part, row) = self.rows.part(row);
        if part.state(row) != State::Complete {
            let (path, name) = (part.path.clone(), part.name(row).to_owned());
            return Err(Error::Incomplete { path, name });
        }
        part.read_grid(row, view, grid)
    }

    /// Reads a grid `[cells, C]`.
    ///
    /// # Errors
    /// As [`Self::read_bytes`].
    ///
    /// # Panics
    /// As [`Self::read_bytes`].
    pub fn read(&self, row: usize, view: usize) -> Result<Array2<f32>> {
        let shape = self.grid_shape();
        let mut grid = Array2::zeros([shape.cells(), shape.channels]);
        self.read_into(row, view, grid.view_mut())?;
        Ok(grid)
    }

    /// Reads a grid into an array `[cells, C]`.
    ///
    /// # Errors
    /// As [`Self::read_bytes`].
    ///
    /// # Panics
    /// As [`Self::read_bytes`]; if `grid` is not contiguous.
    pub fn read_into(&self, row: usize, view: usize, mut grid: ArrayViewMut2<f32>) -> Result<()> {
        let values = grid.as_slice_mut().unwrap_or_default();
        match self.provenance().dtype {
            Dtype::F16 => {
                let mut halves = vec![f16::ZERO; values.len()];
                self.read_bytes(row, view, bytemuck::cast_slice_mut(&mut halves))?;
                halves.convert_to_f32_slice(values);
            }
            Dtype::F32 => self.read_bytes(row, view, bytemuck::cast_slice_mut(values))?,
        }
        Ok(())
    }
}

impl Deref for FeatureStore {
    type Target = Rows;

    fn deref(&self) -> &Rows {
        &self.rows
    }
}
