//! Filling a store.

use std::collections::HashSet;
use std::fs::{self, File, Permissions, TryLockError};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use half::f16;

use crate::layout::{self, Layout};
use crate::{Error, GridShape, Provenance, Result};

/// The state of a row whose grid and checksum are written.
pub(crate) const COMPLETE: u8 = 1;

/// Writes grids into a store, which it holds locked against a second writer.
///
/// What survives: libhdf5 has the file open only while rows are laid out, not while images are
/// encoded. Each row's grid goes first, then its checksum, then its state. A kill or an error
/// loses the rows in flight and no other. After a power loss a row may be marked whose bytes never
/// reached the disk; its checksum finds it.
#[derive(Debug)]
pub struct StoreWriter {
    path: PathBuf,
    file: File,
    layout: Layout,
    complete: Vec<bool>,
}

impl StoreWriter {
    /// Opens the store at `path`, or creates it, with a row for each of `names`. A store that is
    /// there must have the same provenance; rows that it has are kept, new ones are appended.
    pub fn open(path: &Path, provenance: &Provenance, names: &[String]) -> Result<Self> {
        if !path.exists() {
            create(path, provenance, names)?;
        }
        let file = File::options().read(true).write(true).open(path).map_err(Error::io(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Busy { path: path.to_path_buf() });
            }
            Err(TryLockError::Error(error)) => return Err(Error::io(path)(error)),
        }
        let mut layout = layout::read(path)?;
        layout.provenance.check(provenance, path)?;
        let known = layout.rows.iter().map(|row| row.name.as_str()).collect::<HashSet<_>>();
        let new = names.iter().filter(|name| !known.contains(name.as_str())).cloned();
        let new = new.collect::<Vec<_>>();
        if !new.is_empty() {
            layout::append(path, provenance.grid, &new)
                .map_err(|error| Error::io(path)(layout::as_io(error)))?;
            layout = layout::read(path)?;
        }
        let complete = read_states(&file, &layout).map_err(Error::io(path))?;
        Ok(Self { path: path.to_path_buf(), file, layout, complete })
    }

    /// The rows without a grid, with the names of their images.
    pub fn pending(&self) -> impl Iterator<Item = (usize, &str)> {
        let rows = self.layout.rows.iter().enumerate().zip(&self.complete);
        rows.filter(|(_, complete)| !**complete).map(|((row, entry), _)| (row, entry.name.as_str()))
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.layout.rows.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.layout.rows.is_empty()
    }

    /// The shape of each grid.
    #[must_use]
    pub fn grid(&self) -> GridShape {
        self.layout.provenance.grid
    }

    /// Writes the grid of a row, `cells × channels` values, and marks the row complete.
    ///
    /// # Panics
    /// If the row does not exist or the grid is of another size: both come from this store.
    pub fn write(&mut self, row: usize, grid: &[f16]) -> Result<()> {
        assert_eq!(grid.len(), self.grid().values(), "a grid of another size");
        let entry = &self.layout.rows[row];
        let bytes: &[u8] = bytemuck::cast_slice(grid);
        let checksum = crc32fast::hash(bytes).to_le_bytes();
        self.file
            .write_all_at(bytes, entry.grid)
            .and_then(|()| self.file.write_all_at(&checksum, entry.checksum))
            .and_then(|()| self.file.write_all_at(&[COMPLETE], entry.state))
            .map_err(Error::io(&self.path))?;
        self.complete[row] = true;
        Ok(())
    }

    /// Hands everything to the disk and lets go of the store.
    pub fn finish(self) -> Result<()> {
        self.file.sync_all().map_err(Error::io(&self.path))
    }
}

fn create(path: &Path, provenance: &Provenance, names: &[String]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let lay_out = || {
        fs::create_dir_all(folder)?;
        let staged = tempfile::Builder::new()
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(folder)?;
        layout::create(staged.path(), provenance, names).map_err(layout::as_io)?;
        staged.as_file().sync_all()?;
        match staged.persist_noclobber(path) {
            Err(error) if error.error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(error.error)
            }
            _ => File::open(folder)?.sync_all(),
        }
    };
    lay_out().map_err(Error::io(path))
}

/// Which rows are complete.
pub(crate) fn read_states(file: &File, layout: &Layout) -> std::io::Result<Vec<bool>> {
    let mut state = [0];
    let complete = |row: &layout::Row| {
        file.read_exact_at(&mut state, row.state)?;
        Ok(state[0] == COMPLETE)
    };
    layout.rows.iter().map(complete).collect()
}

impl Provenance {
    /// Refuses an `expected` provenance that differs in anything the grids depend on.
    pub fn check(&self, expected: &Self, path: &Path) -> Result<()> {
        let grid = |of: &Self| format!("{:?}", of.grid);
        let parts = [
            ("encoder (SHA-256)", self.encoder_sha256.clone(), expected.encoder_sha256.clone()),
            ("preprocessing", self.preprocess.clone(), expected.preprocess.clone()),
            ("grid", grid(self), grid(expected)),
        ];
        for (what, found, expected) in parts {
            if found != expected {
                let path = path.to_path_buf();
                return Err(Error::OtherProvenance { path, what, found, expected });
            }
        }
        Ok(())
    }
}
