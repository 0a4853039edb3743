//! New files of a folder, written without a sync for each.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use common::Error;

use crate::Result;

/// Files that are written into a temporary folder, synced together, and moved into it.
///
/// After an error, a kill or a power loss each file of the folder is either the old or the whole new one. If the folder
/// did not exist, it appears with all its files.
pub(crate) struct Staging {
    folder: PathBuf,
    part: PathBuf,
    /// The open folder `part`: its file system reports write errors since it was opened.
    handle: File,
}

#[expect(clippy::disallowed_methods, reason = "one call syncs all files before they are moved")]
impl Staging {
    /// Begins with no files, in `NAME.part` in the parent folder of `folder`.
    ///
    /// # Errors
    /// If that cannot be created.
    pub(crate) fn new(folder: &Path) -> Result<Self> {
        // The files are moved, so both folders have to be on one file system.
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
        let mut part = folder.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        if part.exists() {
            fs::remove_dir_all(&part).map_err(Error::io(&part))?;
        }
        fs::create_dir_all(&part).map_err(Error::io(&part))?;
        let handle = File::open(&part).map_err(Error::io(&part))?;
        Ok(Self { folder, part, handle })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// If it cannot be read from `content` or written.
    pub(crate) fn write(&self, name: &str, mut content: impl Read) -> Result<()> {
        let path = self.part.join(name);
        let written = File::create(&path).and_then(|mut file| io::copy(&mut content, &mut file));
        written.map_err(Error::io(&path))?;
        Ok(())
    }

    /// Syncs all files with one call, then moves them into the folder.
    ///
    /// # Errors
    /// If they cannot be synced or moved.
    pub(crate) fn publish(self) -> Result<()> {
        let Self { folder, part, handle } = self;
        rustix::fs::syncfs(handle).map_err(|error| Error::io(&part)(error.into()))?;
        if !folder.exists() {
            fs::rename(&part, &folder).map_err(Error::io(&folder))?;
            return Ok(());
        }
        for entry in fs::read_dir(&part).map_err(Error::io(&part))? {
            let name = entry.map_err(Error::io(&part))?.file_name();
            let path = folder.join(&name);
            fs::rename(part.join(name), &path).map_err(Error::io(&path))?;
        }
        fs::remove_dir(&part).map_err(Error::io(&part))?;
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(Error::io(&folder))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_appear_together_and_replace_old_ones() {
        let root = tempfile::tempdir().unwrap();
        let images = root.path().join("Images");
        fs::create_dir_all(root.path().join("Images.part")).unwrap();
        fs::write(root.path().join("Images.part/old.png"), "of a killed run").unwrap();
        let staging = Staging::new(&images).unwrap();
        staging.write("a.png", &b"one"[..]).unwrap();
        assert!(!images.exists());
        staging.publish().unwrap();
        assert_eq!(fs::read(images.join("a.png")).unwrap(), b"one");

        let link = root.path().join("link");
        symlink(&images, &link).unwrap();
        let staging = Staging::new(&link).unwrap();
        staging.write("a.png", &b"two"[..]).unwrap();
        staging.write("b.png", &b"three"[..]).unwrap();
        assert_eq!(fs::read(images.join("a.png")).unwrap(), b"one");
        staging.publish().unwrap();
        assert_eq!(fs::read(images.join("a.png")).unwrap(), b"two");
        assert_eq!(fs::read_dir(&images).unwrap().count(), 2);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 2);
    }
}
