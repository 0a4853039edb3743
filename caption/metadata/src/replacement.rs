//! Replacement of a file as a whole, with what its folder entry says about it.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::{Path, PathBuf};

use common::files::FileState;
use common::{Size, digest, files};

use crate::{Error, Result};

/// What a replaced file keeps in addition to its mode, owner and extended attributes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// The times of access and modification.
    pub times: bool,
}

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct Original {
    /// The file itself, links followed.
    path: PathBuf,
    /// The bytes, if the file exists.
    bytes: Option<Vec<u8>>,
    /// The device and the state, which say whether it was changed since.
    state: Option<(u64, FileState)>,
}

impl Original {
    /// Reads the file that `path` leads to, up to a size of `limit`, and removes the scratch file that a killed run left
    /// beside it. A file that does not exist is empty.
    ///
    /// # Errors
    /// [`Error::File`] if it is too large, not a regular file, or cannot be read.
    pub(crate) fn read(path: &Path, limit: Size) -> Result<Self> {
        let target = files::follow_links(path).map_err(Error::io(path))?;
        remove_scratch(&target)?;
        let file = match files::open(&target) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { path: target, bytes: None, state: None });
            }
            file => file.map_err(Error::io(path))?,
        };
        let state = Some(state(&file.metadata().map_err(Error::io(path))?));
        let bytes = files::read_opened(&file, limit).map_err(Error::io(path))?;
        Ok(Self { path: target, bytes: Some(bytes), state })
    }

    /// The bytes of the file, if it exists.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }

    /// Takes the bytes of the file, if it exists.
    pub(crate) fn take_bytes(&mut self) -> Option<Vec<u8>> {
        self.bytes.take()
    }

    /// Replaces the file by `bytes`; returns it without them, as it is now. It keeps its mode, owner and extended attributes.
    /// After an error, a kill or a power loss it has either the old or the new content, and beside it lies at most one scratch
    /// file.
    ///
    /// # Errors
    /// [`Error::ReadOnly`], [`Error::Changed`] if it was changed since it was read, [`Error::Busy`] if another process
    /// replaces it, [`Error::Owner`] if the owner would be another one, [`Error::File`] if it cannot be written.
    pub(crate) fn replace(&self, bytes: &[u8], keep: Keep) -> Result<Self> {
        let path = &self.path;
        if self.check()?.is_some_and(|metadata| metadata.permissions().readonly()) {
            return Err(Error::ReadOnly { path: path.clone() });
        }
        let scratch = Scratch::create(path)?;
        let mut file = &scratch.file;
        file.set_len(0).and_then(|()| file.write_all(bytes)).map_err(Error::io(path))?;
        if let Some(metadata) = self.check()? {
            copy_attributes(path, file, &metadata, keep)?;
        }
        file.sync_all().map_err(Error::io(path))?;
        let state = Some(state(&file.metadata().map_err(Error::io(path))?));
        self.check()?;
        scratch.commit(path)?;
        Ok(Self { path: path.clone(), bytes: None, state })
    }

    /// Removes the file.
    ///
    /// # Errors
    /// [`Error::Changed`] if it was changed since it was read, [`Error::File`] if it cannot be removed.
    pub(crate) fn remove(&self) -> Result<()> {
        self.check()?;
        fs::remove_file(&self.path).map_err(Error::io(&self.path))
    }

    /// Refuses a file that was changed since it was read.
    fn check(&self) -> Result<Option<Metadata>> {
        let now = match fs::metadata(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            now => Some(now.map_err(Error::io(&self.path))?),
        };
        if now.as_ref().map(state) == self.state {
            Ok(now)
        } else {
            Err(Error::Changed { path: self.path.clone() })
        }
    }
}

/// The device and the state of a file.
fn state(metadata: &Metadata) -> (u64, FileState) {
    (metadata.dev(), FileState::from_metadata(metadata))
}

/// Removes the scratch file that a killed run left beside the file at `path`.
fn remove_scratch(path: &Path) -> Result<()> {
    let scratch = scratch_path(path);
    let Ok(file) = OpenOptions::new().write(true).open(&scratch) else { return Ok(()) };
    // A run that is not over holds a lock.
    if file.try_lock().is_err() {
        return Ok(());
    }
    match fs::remove_file(&scratch) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::io(&scratch)),
    }
}

/// The path of the scratch file for `path`, in the same folder.
fn scratch_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    path.with_file_name(format!(".showtell-{}.scratch", &digest::of_bytes(name)[..16]))
}

/// A locked scratch file, which is removed unless it is committed.
struct Scratch {
    path: PathBuf,
    file: File,
    is_committed: bool,
}

impl Scratch {
    fn create(path: &Path) -> Result<Self> {
        let busy = || Error::Busy { path: path.to_path_buf() };
        let scratch = scratch_path(path);
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false);
        let file = options.open(&scratch).map_err(Error::io(&scratch))?;
        file.try_lock().map_err(|_| busy())?;
        // Another run may have committed or removed it between the two lines above.
        let inode = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let ours = file.metadata().map(inode).ok();
        if fs::symlink_metadata(&scratch).map(inode).ok() != ours {
            return Err(busy());
        }
        Ok(Self { path: scratch, file, is_committed: false })
    }

    #[expect(clippy::disallowed_methods, reason = "the content was synced before")]
    fn commit(mut self, path: &Path) -> Result<()> {
        fs::rename(&self.path, path).map_err(Error::io(path))?;
        self.is_committed = true;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !self.is_committed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Gives the new file at hand the owner, mode, extended attributes and, on request, times of the file at `path`.
fn copy_attributes(path: &Path, file: &File, metadata: &Metadata, keep: Keep) -> Result<()> {
    let new = file.metadata().map_err(Error::io(path))?;
    if (new.uid(), new.gid()) != (metadata.uid(), metadata.gid()) {
        fchown(file, Some(metadata.uid()), Some(metadata.gid()))
            .map_err(|_| Error::Owner { path: path.to_path_buf() })?;
    }
    copy_extended(path, file).map_err(Error::io(path))?;
    // After the owner, whose change clears some bits of the mode.
    file.set_permissions(metadata.permissions()).map_err(Error::io(path))?;
    if keep.times {
        let times = fs::FileTimes::new();
        let times = metadata.accessed().map_or(times, |accessed| times.set_accessed(accessed));
        let times = metadata.modified().map_or(times, |modified| times.set_modified(modified));
        file.set_times(times).map_err(Error::io(path))?;
    }
    Ok(())
}

/// Copies extended attributes, access control lists among them. Those that only the system may set are left to it.
fn copy_extended(path: &Path, file: &File) -> std::io::Result<()> {
    use xattr::FileExt as _;
    let names = match xattr::list_deref(path) {
        Err(error) if error.kind() == ErrorKind::Unsupported => return Ok(()),
        names => names?,
    };
    for name in names {
        let Some(value) = xattr::get_deref(path, &name)? else { continue };
        let is_of_user = !name.as_encoded_bytes().starts_with(b"security.")
            && !name.as_encoded_bytes().starts_with(b"trusted.");
        match file.set_xattr(&name, &value) {
            Err(error) if is_of_user => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
