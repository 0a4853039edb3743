//! Filling a store.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use half::f16;
use half::slice::HalfFloatSliceExt as _;

use crate::append::{self, folder_of};
use crate::description::{Description, Segment};
use crate::front::{self, Page};
use crate::index::Index;
use crate::lock::{Lock, lock, this_process};
use crate::name::normal;
use crate::rows::{self, Rows, Source, State};
use crate::{Dtype, Error, GridShape, MAX_NAME_BYTES, Provenance, Result, Shard};

/// Where and by what rows are being encoded; kept with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The program and its version.
    pub created_by: String,
    /// Where the encoder really runs.
    pub device: String,
}

/// An image to be written: its row, the SHA-256 of its file, and its grids, one view after the
/// other (views × cells × channels).
#[derive(Debug, Clone)]
pub struct Encoded {
    /// The row.
    pub row: usize,
    /// The SHA-256 of the image's file.
    pub source: Source,
    /// Views × cells × channels.
    pub grids: Vec<f32>,
}

/// Writes grids into a store, which it holds locked against a second writer.
///
/// What survives an error, a SIGKILL or a power loss at any moment: everything that was complete.
/// The grids of a batch are written and handed to the disk before their states say so, a complete
/// row is never written again, and rows are added in one step (see `FORMAT.md`).
#[derive(Debug)]
pub struct StoreWriter {
    path: PathBuf,
    file: File,
    description: Description,
    origin: Origin,
    rows: Rows,
    /// The row that counts for each image: its last complete one.
    index: Index,
    _lock: Option<Lock>,
}

impl StoreWriter {
    /// Opens the store at `path`, or creates it without a row. A store that is there must have the
    /// same provenance. An append that was interrupted is brought to its end.
    pub fn open(path: &Path, provenance: &Provenance, origin: Origin) -> Result<Self> {
        Self::open_shard(path, None, provenance, origin)
    }

    /// The same for a shard of a store, which lies at `path` (see [`Shard::path`]).
    pub fn open_shard(
        path: &Path,
        shard: Option<Shard>,
        provenance: &Provenance,
        origin: Origin,
    ) -> Result<Self> {
        check_range(path, provenance)?;
        fs::create_dir_all(folder_of(path)).map_err(Error::io(folder_of(path)))?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(path).map_err(Error::io(path))?;
        let lock = lock(file.try_clone().map_err(Error::io(path))?, path)?;
        Self::fill(path, file, Some(lock), shard, provenance, origin)
    }

    /// Opens a file that nobody else writes: because of `lock`, or of one that the caller holds meanwhile.
    pub(crate) fn fill(
        path: &Path,
        file: File,
        lock: Option<Lock>,
        shard: Option<Shard>,
        provenance: &Provenance,
        origin: Origin,
    ) -> Result<Self> {
        let length = file.metadata().map_err(Error::io(path))?.len();
        let description = if length == 0 {
            Description::empty(provenance.clone(), shard)
        } else {
            existing(&file, path)?
        };
        description.provenance.check(provenance, path)?;
        check_shard(description.shard, shard, path)?;
        if length > 0 && length < description.length {
            // What was cut off becomes zeros, which no checksum fits.
            file.set_len(description.length).map_err(Error::io(path))?;
        }
        let description = append::settle(&file, path, description)?;
        front::write_holder(&file, &this_process()).map_err(Error::io(path))?;
        let rows = Rows::read(&file, path, &description)?;
        let (path, index) = (path.to_path_buf(), rows.index());
        let mut writer = Self { path, file, description, origin, rows, index, _lock: lock };
        writer.set_states(&writer.useless(), State::Removed)?;
        Ok(writer)
    }

    /// Rows that no longer serve: complete ones that a later row of the same image has replaced, and
    /// those whose state is none.
    fn useless(&self) -> Vec<usize> {
        let useless = |row: &usize| match self.rows.state(*row) {
            State::Complete => self.find(self.rows.name(*row)) != Some(*row),
            State::Damaged => true,
            State::Empty | State::Removed => false,
        };
        (0..self.rows.len()).filter(useless).collect()
    }

    /// The row that counts for an image.
    fn find(&self, image: &str) -> Option<usize> {
        self.index.find(image, |row| self.rows.name(row))
    }

    /// Which encoder makes the grids, and from which pixels.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.description.provenance
    }

    /// The images that have a grid, in no order.
    pub fn images(&self) -> impl Iterator<Item = &str> {
        self.index.rows().map(|row| self.rows.name(row))
    }

    /// The SHA-256 of the file from which an image was encoded; `None` where it has no grid, or one
    /// that does not fit its checksum. Reads the whole row.
    pub fn intact_source(&self, image: &str) -> Result<Option<Source>> {
        let Some(row) = self.find(image) else { return Ok(None) };
        self.rows.intact_source(&self.file, row).map_err(Error::io(&self.path))
    }

    /// Rows for images that are to be encoded, in their order. A row that waits for its image is
    /// taken again; the others are added. The old row of an image counts until its new one is
    /// complete. A name is [`MAX_NAME_BYTES`] long at most.
    pub fn rows_for(&mut self, images: &[String]) -> Result<Vec<usize>> {
        let empty = (0..self.rows.len()).filter(|&row| self.rows.state(row) == State::Empty);
        let empty = empty.map(|row| (normal(self.rows.name(row)).into_owned(), row));
        let empty = empty.collect::<HashMap<_, _>>();
        let new = images.iter().filter(|image| !empty.contains_key(&*normal(image))).cloned();
        let new = new.collect::<Vec<_>>();
        let mut next = self.rows.len();
        if !new.is_empty() {
            self.append(&new)?;
        }
        let row = |image: &String| {
            empty.get(&*normal(image)).copied().unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        };
        Ok(images.iter().map(row).collect())
    }

    fn append(&mut self, names: &[String]) -> Result<()> {
        if let Some(name) = names.iter().find(|name| name.len() > MAX_NAME_BYTES) {
            let what = format!("a name is {} bytes long", name.len());
            return Err(Error::OutOfRange { path: self.path.clone(), what });
        }
        let segment = Segment {
            rows: names.len(),
            name_bytes: names.iter().map(String::len).max().unwrap_or(1),
            created_by: self.origin.created_by.clone(),
            device: self.origin.device.clone(),
            ..Segment::default()
        };
        let old = &self.description;
        self.description = append::append(&self.file, &self.path, old, segment, names)?;
        self.rows = Rows::read(&self.file, &self.path, &self.description)?;
        self.index = self.rows.index();
        Ok(())
    }

    /// Writes the grids of a batch and marks their rows complete; older rows of the same images no
    /// longer count.
    ///
    /// # Panics
    /// If a row does not exist or its grids are of another size: both come from this store.
    pub fn write(&mut self, batch: &[Encoded]) -> Result<()> {
        let mut bytes = Vec::new();
        for encoded in batch {
            self.write_row(encoded, &mut bytes).map_err(Error::io(&self.path))?;
        }
        self.file.sync_data().map_err(Error::io(&self.path))?;
        let rows = batch.iter().map(|encoded| encoded.row).collect::<Vec<_>>();
        let replaced = rows.iter().filter_map(|&row| self.find(self.rows.name(row)));
        let replaced = replaced.collect::<Vec<_>>();
        self.set_states(&rows, State::Complete)?;
        self.set_states(&replaced, State::Removed)
    }

    fn write_row(&self, encoded: &Encoded, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        let Encoded { row, source, grids } = encoded;
        let Provenance { grid, dtype, views, .. } = self.provenance();
        assert_eq!(grids.len(), views.len() * grid.values(), "grids of another size");
        self.file.write_all_at(source, self.rows.source_at(*row))?;
        for (view, values) in grids.chunks_exact(grid.values()).enumerate() {
            bytes.clear();
            match dtype {
                Dtype::F16 => {
                    let mut rounded = vec![f16::ZERO; values.len()];
                    rounded.convert_from_f32_slice(values);
                    bytes.extend_from_slice(bytemuck::cast_slice(&rounded));
                }
                Dtype::F32 => bytes.extend_from_slice(bytemuck::cast_slice(values)),
            }
            let checksum = rows::checksum(source, bytes).to_le_bytes();
            self.file.write_all_at(bytes, self.rows.grid_at(*row, view))?;
            self.file.write_all_at(&checksum, self.rows.checksum_at(*row, view))?;
        }
        Ok(())
    }

    /// Marks the rows of images that are gone; their bytes stay where they are.
    pub fn remove(&mut self, images: &[String]) -> Result<()> {
        let rows = images.iter().filter_map(|image| self.find(image)).collect::<Vec<_>>();
        self.set_states(&rows, State::Removed)
    }

    fn set_states(&mut self, rows: &[usize], state: State) -> Result<()> {
        for &row in rows {
            self.file
                .write_all_at(&[state.byte()], self.rows.state_at(row))
                .map_err(Error::io(&self.path))?;
            self.rows.set_state(row, state);
            if state == State::Complete {
                self.index.insert(row, |row| self.rows.name(row));
            } else {
                self.index.remove(row, |row| self.rows.name(row));
            }
        }
        Ok(())
    }

    /// Hands everything to the disk and lets go of the store.
    pub fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(Error::io(&self.path))
    }
}

impl Drop for StoreWriter {
    /// Takes this process's name off the store. After a kill it stays; then nobody has the store locked.
    fn drop(&mut self) {
        let _ = front::write_holder(&self.file, "");
    }
}

/// Refuses what a reader would refuse.
fn check_range(path: &Path, provenance: &Provenance) -> Result<()> {
    if provenance.is_sane() {
        return Ok(());
    }
    let GridShape { height, width, channels } = provenance.grid;
    let views = provenance.views.join(", ");
    let what = format!("a grid is {height}×{width}×{channels}, of the views {views}");
    Err(Error::OutOfRange { path: path.to_path_buf(), what })
}

/// The description of a store that is there.
fn existing(file: &File, path: &Path) -> Result<Description> {
    match front::read(file, path)?.page {
        Page::Rows(description) => Ok(description),
        Page::Shards(set) => {
            Err(Error::OfShards { path: path.to_path_buf(), shards: set.shards.len() })
        }
    }
}

/// Refuses to fill one shard with the images of another.
fn check_shard(found: Option<Shard>, expected: Option<Shard>, path: &Path) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let name = |shard: Option<Shard>| shard.map_or("none".to_owned(), |shard| shard.to_string());
    Err(Error::OtherProvenance {
        path: path.to_path_buf(),
        what: "shard",
        found: name(found),
        expected: name(expected),
    })
}
