//! Files beside a store to write into before they take its place.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use tempfile::TempPath;

use crate::append::folder_of;
use crate::lock::{Lock, lock};
use crate::{Error, Result};

/// The name of the scratch file of a store for some purpose, such as `.flickr8k.h5.layout` beside it. A file of that
/// name is removed when the answer is dropped.
pub(crate) fn scratch_name(path: &Path, purpose: &str) -> io::Result<TempPath> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".");
    name.push(purpose);
    TempPath::try_from_path(path.with_file_name(name))
}

/// A scratch file that one process has for itself. What a killed process left there is overwritten.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: TempPath,
    /// Let go after the file has been removed or renamed, so that nobody else takes it before.
    _lock: Lock,
}

impl Scratch {
    /// The scratch file of the store at `path`, empty.
    ///
    /// # Errors
    /// [`Error::Busy`] if another process has it.
    pub(crate) fn open(path: &Path, purpose: &str) -> Result<Self> {
        loop {
            let name = scratch_name(path, purpose).map_err(Error::io(path))?;
            let mut options = File::options();
            let file = options.read(true).write(true).create(true).truncate(false).open(&name);
            // The name is not ours to remove before the lock is.
            let name = name.keep().map_err(|error| Error::io(path)(error.error))?;
            let lock = lock(file.map_err(Error::io(&name))?, path)?;
            // The process that had it before may have renamed or removed it since it was opened.
            if is_at(lock.file(), &name).map_err(Error::io(&name))? {
                lock.file().set_len(0).map_err(Error::io(&name))?;
                let path = TempPath::try_from_path(name).map_err(Error::io(path))?;
                return Ok(Self { path, _lock: lock });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the file in the place of the one at `path`, for good.
    pub(crate) fn persist(self, path: &Path) -> Result<()> {
        self.path.persist(path).map_err(|error| Error::io(path)(error.error))?;
        let folder = folder_of(path);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
    }
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let of_file = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (of_file.dev(), of_file.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
