//! Scratch files, which are written whole and then renamed to a file of a store.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempPath;

use crate::lock::Lock;
use crate::{Error, Result};

/// A scratch file, such as `.flickr8k.h5.new` for `flickr8k.h5`, locked by one process. A file that a killed process left
/// is overwritten; after an error it is removed.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: TempPath,
    target: PathBuf,
    /// Dropped after the file has been removed or renamed, so that no other process takes it before.
    lock: Lock,
}

impl Scratch {
    /// The scratch file for `target`, empty.
    ///
    /// # Errors
    /// [`Error::Busy`] if another process has it.
    pub(crate) fn new(target: &Path) -> Result<Self> {
        let folder = folder_of(target);
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let mut name = OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(".new");
        let path = target.with_file_name(name);
        loop {
            let mut options = File::options();
            let file = options.read(true).write(true).create(true).truncate(false).open(&path);
            let lock = Lock::new(Arc::new(file.map_err(Error::io(&path))?), target)?;
            // The process that had it before may have renamed or removed it since it was opened.
            if is_at(lock.file(), &path).map_err(Error::io(&path))? {
                lock.file().set_len(0).map_err(Error::io(&path))?;
                let target = target.to_path_buf();
                let path = TempPath::try_from_path(path).map_err(Error::io(&target))?;
                return Ok(Self { path, target, lock });
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        self.lock.file()
    }

    /// Syncs the file and renames it to its target, which it replaces. It stays locked.
    ///
    /// # Errors
    /// [`Error::Io`]. Whether the target is the old or the new file, it is whole.
    pub(crate) fn persist(self) -> Result<Lock> {
        let Self { path, target, lock } = self;
        lock.file().sync_all().map_err(Error::io(&target))?;
        path.persist(&target).map_err(|error| Error::io(&target)(error.error))?;
        let folder = folder_of(&target);
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))?;
        Ok(lock)
    }
}

/// Whether `file` is the one at `path`.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// The folder of a file.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
