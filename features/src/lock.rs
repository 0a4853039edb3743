//! Exclusive locks on files: one writer at a time.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::{Error, Result};

/// A file with an exclusive lock, which is released on drop.
#[derive(Debug)]
pub(crate) struct Lock(Arc<File>);

impl Lock {
    /// Locks a file; `path` is named in errors.
    ///
    /// # Errors
    /// [`Error::Busy`] if another program has it locked, for reading or for writing.
    pub(crate) fn new(file: Arc<File>, path: &Path) -> Result<Self> {
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                Err(Error::Busy { path: path.to_path_buf(), holder: holder(&file) })
            }
            Err(TryLockError::Error(error)) => Err(Error::io(path)(error)),
        }
    }

    pub(crate) fn file(&self) -> &Arc<File> {
        &self.0
    }
}

impl Drop for Lock {
    /// Unlocks at once. Closing the file would keep the lock for as long as a child that is just being started holds a
    /// copy. If it fails, the end of the process unlocks.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// The program that has a file locked, if the kernel lists it.
fn holder(file: &File) -> String {
    if file.try_lock_shared().is_ok() {
        let _ = file.unlock();
        return "another program has it open for reading".to_owned();
    }
    match writer(file) {
        Some(process) => format!("process {process} is writing it"),
        None => "another program is writing it".to_owned(),
    }
}

/// The process with an exclusive lock, of `/proc/locks`: `1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF`.
fn writer(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let is_writer = |fields: &Vec<&str>| {
        fields.get(1) == Some(&"FLOCK")
            && fields.get(3) == Some(&"WRITE")
            && fields.get(5).and_then(|place| place.rsplit(':').next()) == Some(&*inode)
    };
    let mut lines = locks.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    lines.find(is_writer)?.get(4)?.parse().ok()
}
