//! Reading of regular files, and atomic replacement of files.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use serde::{Deserialize, Serialize};

use crate::Size;
use crate::error::FOLDER;

/// The most links to follow to a file, as on Linux.
const MAX_LINKS: usize = 40;

/// Paths of files that this process has open already, such as those of a shell's `<(command)`.
const DESCRIPTORS: [&str; 3] = ["/dev/fd", "/dev/stdin", "/proc/self/fd"];

/// Opens the regular file at `path` for reading. A named pipe or a device is refused: it could be waited for, or be
/// endless. A pipe that this process has open already (`<(command)` in a shell) is accepted.
///
/// # Errors
/// If it cannot be opened, or is a folder or not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::Error::other(FOLDER));
    }
    let is_open = DESCRIPTORS.iter().any(|descriptors| path.starts_with(descriptors));
    if !metadata.is_file() && !is_open {
        return Err(io::Error::other("not a regular file: save the content as a file first"));
    }
    File::open(path)
}

/// Reads the file at `path`, which [`open`] accepts, up to a size of `limit`.
///
/// # Errors
/// Those of [`open`], and if it cannot be read or is larger than `limit`.
pub fn read(path: &Path, limit: Size) -> io::Result<Vec<u8>> {
    read_opened(&open(path)?, limit)
}

/// Reads a file that is open, up to a size of `limit`.
///
/// # Errors
/// If it cannot be read or is larger than `limit`.
pub fn read_opened(file: &File, limit: Size) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size.min(limit.bytes()) as usize)?;
    if size <= limit.bytes() {
        file.take(limit.bytes() + 1).read_to_end(&mut bytes)?;
    }
    if size.max(bytes.len() as u64) > limit.bytes() {
        let message = format!("larger than {limit}, the limit of such a file");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// What changes when a file is changed: inode, size in bytes, and the time of modification in seconds and nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState(u64, u64, i64, i64);

impl FileState {
    /// The state of the file with this entry of a folder.
    #[must_use]
    pub fn from_metadata(metadata: &Metadata) -> Self {
        Self(metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
    }
}

/// Replaces the file at `path` by `bytes`, as a [`Staged`] file does.
///
/// # Errors
/// Those of [`Staged`].
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = Staged::create(path)?;
    file.write_all(bytes)?;
    file.commit()
}

/// A file that takes the place of another one once it is complete: after an error, a kill or a power loss the path has
/// either the old or the new content.
///
/// A link is followed, also to a file that does not exist yet. A device or a pipe, such as `/dev/stdout`, is written to
/// directly.
#[derive(Debug)]
pub struct Staged(Target);

#[derive(Debug)]
enum Target {
    File(AtomicWriteFile),
    Device(File),
}

impl Staged {
    /// Creates it, in a folder that is created if it is missing.
    ///
    /// # Errors
    /// If the folder or the file cannot be created, or `path` is a folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let is_there = fs::metadata(path);
        if is_there.as_ref().is_ok_and(Metadata::is_dir) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if is_there.is_ok_and(|entry| !entry.is_file()) {
            return OpenOptions::new().write(true).open(path).map(Target::Device).map(Self);
        }
        AtomicWriteFile::open(follow_links(path)?).map(Target::File).map(Self)
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// If it cannot be synced or renamed.
    pub fn commit(self) -> io::Result<()> {
        match self.0 {
            Target::File(file) => file.commit(),
            Target::Device(mut file) => file.flush(),
        }
    }
}

impl io::Write for Staged {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Target::File(file) => file.write(bytes),
            Target::Device(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Target::File(file) => file.flush(),
            Target::Device(file) => file.flush(),
        }
    }
}

/// The path of the file that `path` leads to, which may not exist; its folder's own links are left as they are.
///
/// # Errors
/// If links lead to each other.
pub fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(io::Error::other("links that lead to each other"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
    use std::process::Command;

    use super::*;

    #[test]
    fn only_regular_files_up_to_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "four").unwrap();
        assert_eq!(read(&at("file"), Size::new(4)).unwrap(), b"four");
        let refused =
            |name: &str, limit| read(&at(name), Size::new(limit)).unwrap_err().to_string();
        assert!(refused("file", 3).contains("larger than 3 B"));
        assert_eq!(refused("", 9), FOLDER);
        assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        assert!(refused("pipe", 9).contains("not a regular file"));
        let zero = read(Path::new("/dev/zero"), Size::new(9)).unwrap_err().to_string();
        assert!(zero.contains("not a regular file"), "{zero}");
    }

    #[test]
    fn a_pipe_that_is_open_already_is_read() {
        use std::os::fd::AsRawFd as _;
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"piped").unwrap();
        drop(writer);
        let path = format!("/dev/fd/{}", reader.as_raw_fd());
        assert_eq!(read(Path::new(&path), Size::new(5)).unwrap(), b"piped");
    }

    #[test]
    fn a_folder_is_not_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("folder");
        fs::create_dir(&inner).unwrap();
        assert_eq!(replace(&inner, b"one").unwrap_err().kind(), io::ErrorKind::IsADirectory);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn links_are_followed_and_pipes_stay_pipes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        replace(&at("new/file"), b"one").unwrap();
        symlink(at("new/file"), at("link")).unwrap();
        replace(&at("link"), b"two").unwrap();
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        assert_eq!(fs::read(at("new/file")).unwrap(), b"two");
        symlink("new/later", at("early")).unwrap();
        replace(&at("early"), b"three").unwrap();
        assert_eq!(fs::read(at("new/later")).unwrap(), b"three");
        assert!(fs::symlink_metadata(at("early")).unwrap().is_symlink());
        let mode = |name| fs::metadata(at(name)).unwrap().permissions().mode();
        assert_eq!(mode("new/later"), mode("new/file"));
        symlink("circle", at("circle")).unwrap();
        replace(&at("circle"), b"four").unwrap_err();
        let pipe = at("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        replace(&pipe, b"three").unwrap();
        assert_eq!(reader.join().unwrap(), b"three");
        assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    }
}
