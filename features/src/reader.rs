//! Reading a store.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use crate::front::{self, Front, Page};
use crate::index::Index;
use crate::part::Part;
use crate::rows::{Source, State};
use crate::set::{self, OpenSet};
use crate::shard::shards_of;
use crate::{Dtype, Encoded, Error, GridShape, Provenance, Result};

/// A store open for reading, in one file or in shards. Nothing is read before it is asked for, memory does not grow
/// with what was read, and many threads may read at once. libhdf5 has no part in it.
///
/// It shows the store as it was when it was opened. A complete row never changes, so a writer may
/// go on meanwhile.
#[derive(Debug)]
pub struct FeatureStore {
    path: PathBuf,
    /// The file that names the parts, where they were merged.
    set: Option<OpenSet>,
    /// At least one.
    parts: Vec<Part>,
    /// The first row of each part, and then the number of all rows.
    starts: Vec<usize>,
    index: Index,
}

impl FeatureStore {
    /// Opens the store at `path`; if no file is there, the shards of that store which lie beside it. Front page,
    /// names and states are read and checked, no grid is.
    pub fn open(path: &Path) -> Result<Self> {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Self::of_shards(path),
            file => file.map_err(Error::io(path))?,
        };
        let Front { page, damaged } = front::read(&file, path)?;
        match page {
            Page::Rows(description) => {
                let part = Part::new(path, file, description, damaged)?;
                Self::of_parts(path, None, vec![part])
            }
            Page::Shards(set) => {
                let set = OpenSet::new(path, file, set, damaged);
                let parts = set.open_shards()?;
                Self::of_parts(path, Some(set), parts)
            }
        }
    }

    /// The store whose shards lie beside `path`.
    fn of_shards(path: &Path) -> Result<Self> {
        let shards = shards_of(path)?;
        if shards.is_empty() {
            return Err(Error::Missing { path: path.to_path_buf() });
        }
        Self::of_parts(path, None, set::open_shards(path, &shards)?)
    }

    /// A store of parts that fit together.
    pub(crate) fn of_parts(path: &Path, set: Option<OpenSet>, parts: Vec<Part>) -> Result<Self> {
        if parts.is_empty() {
            return Err(Error::not_a_store(path, "it has no shards"));
        }
        let mut starts = vec![0];
        for part in &parts {
            starts.push(starts[starts.len() - 1] + part.rows.len());
        }
        let mut store =
            Self { path: path.to_path_buf(), set, starts, index: Index::default(), parts };
        store.index = store.images_by_name()?;
        Ok(store)
    }

    /// Within one file the last row of an image counts; two files must not hold an image of the same name. Where the
    /// names differ in their Unicode form alone, as after photos were moved to another file system, the last one counts.
    fn images_by_name(&self) -> Result<Index> {
        let parts = self.parts.iter().zip(&self.starts);
        let complete =
            parts.flat_map(|(part, start)| part.rows.complete().map(move |row| start + row));
        let mut overlap = None;
        let index = Index::new(
            complete,
            |row| self.name(row),
            |before, row| {
                let [(one, _), (other, _)] = [before, row].map(|row| self.part(row));
                if one.path != other.path && self.name(before) == self.name(row) {
                    overlap = Some((row, one.path.clone()));
                }
            },
        );
        let Some((row, other)) = overlap else { return Ok(index) };
        let (part, row) = self.part(row);
        Err(part.error(row, |path, name| Error::Overlap { name, path, other }))
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The files with its rows, if these are in shards.
    #[must_use]
    pub fn shards(&self) -> Vec<&Path> {
        let shards = self.parts.iter().filter(|part| part.path != self.path);
        shards.map(|part| part.path.as_path()).collect()
    }

    /// Which encoder made the grids, and from which pixels.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.parts[0].description.provenance
    }

    /// The shape of each grid.
    #[must_use]
    pub fn grid_shape(&self) -> GridShape {
        self.provenance().grid
    }

    /// The programs and devices that filled it: one entry for each time rows were laid out.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        let segments = self.parts.iter().flat_map(|part| &part.description.segments);
        segments.map(|segment| segment.device.as_str())
    }

    /// The number of rows, whatever their state.
    #[must_use]
    pub fn len(&self) -> usize {
        self.starts[self.parts.len()]
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of images that have a grid.
    #[must_use]
    pub fn complete(&self) -> usize {
        self.index.len()
    }

    /// The row of an image, if it has a grid.
    #[must_use]
    pub fn find(&self, image: &str) -> Option<usize> {
        self.index.find(image, |row| self.name(row))
    }

    /// The images that have a grid, with their rows, in order of their names.
    #[must_use]
    pub fn images(&self) -> Vec<(&str, usize)> {
        let mut images = self.index.rows().map(|row| (self.name(row), row)).collect::<Vec<_>>();
        images.sort_unstable();
        images
    }

    /// The image of a row.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn name(&self, row: usize) -> &str {
        let (part, row) = self.part(row);
        part.rows.name(row)
    }

    /// How far a row is.
    ///
    /// # Panics
    /// If there is no such row.
    #[must_use]
    pub fn state(&self, row: usize) -> State {
        let (part, row) = self.part(row);
        part.rows.state(row)
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
        let (part, row) = self.part(row);
        part.intact_source(row)
    }

    /// The SHA-256 of the file from which a row was encoded. It is not compared with the row's checksum.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn source(&self, row: usize) -> Result<Source> {
        let (part, row) = self.part(row);
        part.source(row)
    }

    /// Row `from` as it is written into row `row` of another store.
    pub(crate) fn encoded(&self, from: usize, row: usize) -> Result<Encoded> {
        let values = self.grid_shape().values();
        let mut grids = vec![0.0; self.provenance().views.len() * values];
        for (view, grid) in grids.chunks_exact_mut(values).enumerate() {
            self.read(from, view, grid)?;
        }
        Ok(Encoded { row, source: self.source(from)?, grids })
    }

    /// The bytes of a grid, as [`Self::read_bytes`] reads them.
    ///
    /// # Panics
    /// If there is no such row or view.
    pub fn grid(&self, row: usize, view: usize) -> Result<Vec<u8>> {
        let mut grid = vec![0; self.provenance().grid_bytes()];
        self.read_bytes(row, view, &mut grid)?;
        Ok(grid)
    }

    /// Reads the bytes of a grid: `cells × channels` little-endian values of the store's type, a cell
    /// after the other. It is compared with its checksum when it is read for the first time.
    ///
    /// # Panics
    /// If there is no such row or view, or `grid` is of another length than the grid.
    pub fn read_bytes(&self, row: usize, view: usize, grid: &mut [u8]) -> Result<()> {
        assert_eq!(grid.len(), self.provenance().grid_bytes(), "a grid of another length");
        let (part, row) = self.part(row);
        if part.rows.state(row) != State::Complete {
            return Err(part.error(row, |path, name| Error::Incomplete { path, name }));
        }
        part.read(row, view, grid)
    }

    /// Reads the values of a grid as 32-bit floats.
    ///
    /// # Panics
    /// If there is no such row or view, or `values` is of another length than the grid.
    pub fn read(&self, row: usize, view: usize, values: &mut [f32]) -> Result<()> {
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

    /// The part that a row lies in, and its number there.
    fn part(&self, row: usize) -> (&Part, usize) {
        let number = self.starts.partition_point(|&start| start <= row) - 1;
        (&self.parts[number], row - self.starts[number])
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(crate) fn set(&self) -> Option<&OpenSet> {
        self.set.as_ref()
    }
}
