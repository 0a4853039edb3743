//! Atomic replacement of files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use atomic_write_file::AtomicWriteFile;

/// Replaces the file at `path` by `bytes`, in a folder that is created if it is missing. After an error, a kill or a
/// power loss the file has either the old or the new content.
///
/// A link is followed. A device or a pipe, such as `/dev/stdout`, is written to directly.
///
/// # Errors
/// If the folder cannot be created or the file cannot be written, synced or renamed.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let is_there = fs::metadata(path);
    if is_there.as_ref().is_ok_and(|entry| !entry.is_file() && !entry.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let file = if is_there.is_ok() { fs::canonicalize(path)? } else { path.to_path_buf() };
    let mut file = AtomicWriteFile::open(file)?;
    file.write_all(bytes)?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt as _, symlink};
    use std::process::Command;

    use super::*;

    #[test]
    fn links_are_followed_and_pipes_stay_pipes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        replace(&at("new/file"), b"one").unwrap();
        symlink(at("new/file"), at("link")).unwrap();
        replace(&at("link"), b"two").unwrap();
        assert!(fs::symlink_metadata(at("link")).unwrap().is_symlink());
        assert_eq!(fs::read(at("new/file")).unwrap(), b"two");
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
