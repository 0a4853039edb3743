//! The text files of a data set: captions and split lists, which are replaced together.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use atomic_write_file::AtomicWriteFile;

use common::Error;
use data::Split;
use data::captions::{CAPTIONS_FILE, REPLACED_FILE};
use data::splits::LISTS;

use crate::Result;

/// Replaces captions and split lists in `folder`. A list that the data set does not have is removed; the names of
/// removed lists are returned. If the files have the same content already, nothing is changed.
///
/// No reader finds captions of one data set beside lists of another: all files are first written under temporary names,
/// then the old captions are moved away, and the new captions come last. After an error, a kill or a power loss all
/// files are the old ones, or all are the new ones, or `captions.txt` is missing and the old captions are in
/// `captions.txt.replaced`.
///
/// # Errors
/// [`Error::Io`] with the file that cannot be written, moved or removed.
pub(crate) fn replace(
    folder: &Path,
    captions: &[u8],
    lists: &[(Split, Vec<u8>)],
) -> Result<Vec<&'static str>> {
    let lists = LISTS.map(|(split, name)| {
        (name, lists.iter().find(|(other, _)| *other == split).map(|(_, names)| names.as_slice()))
    });
    let is_same = |name: &str, content| fs::read(folder.join(name)).ok().as_deref() == content;
    if is_same(CAPTIONS_FILE, Some(captions))
        && lists.iter().all(|(name, list)| is_same(name, *list))
    {
        return Ok(Vec::new());
    }
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let prepare_file = |name: &str, content| {
        let path = folder.join(name);
        prepare(&path, content).map_err(Error::io(&path))
    };
    let new_captions = prepare_file(CAPTIONS_FILE, captions)?;
    let mut new_lists = Vec::new();
    for (name, list) in lists {
        new_lists.push((name, list.map(|list| prepare_file(name, list)).transpose()?));
    }
    let (path, replaced) = (folder.join(CAPTIONS_FILE), folder.join(REPLACED_FILE));
    #[expect(clippy::disallowed_methods, reason = "the content was synced when it was written")]
    if_present(fs::rename(&path, &replaced)).map_err(Error::io(&path))?;
    sync(folder)?;
    let removed = replace_lists(folder, new_lists)?;
    sync(folder)?;
    new_captions.commit().map_err(Error::io(&path))?;
    if_present(fs::remove_file(&replaced)).map_err(Error::io(&replaced))?;
    Ok(removed)
}

/// Commits the lists that the data set has and removes the others. Returns the names of removed lists.
fn replace_lists(
    folder: &Path,
    lists: Vec<(&'static str, Option<AtomicWriteFile>)>,
) -> Result<Vec<&'static str>> {
    let mut removed = Vec::new();
    for (name, list) in lists {
        let path = folder.join(name);
        match list {
            Some(list) => list.commit().map_err(Error::io(&path))?,
            None if if_present(fs::remove_file(&path)).map_err(Error::io(&path))? => {
                removed.push(name);
            }
            None => {}
        }
    }
    Ok(removed)
}

/// Writes `content` to a temporary file in the folder of `path` and syncs it.
fn prepare(path: &Path, content: &[u8]) -> io::Result<AtomicWriteFile> {
    let mut file = AtomicWriteFile::open(path)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Whether the file was there; a missing file is not an error.
fn if_present(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}

fn sync(folder: &Path) -> common::Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use data::{Captions, Splits};

    fn list(split: Split, names: &str) -> (Split, Vec<u8>) {
        (split, names.as_bytes().to_vec())
    }

    #[test]
    fn old_lists_are_removed_with_their_captions() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let all = [list(Split::Train, "a\n"), list(Split::Dev, "b\n"), list(Split::Test, "c\n")];
        assert!(replace(folder.path(), b"first", &all).unwrap().is_empty());
        let removed = replace(folder.path(), b"second", &all[..2]).unwrap();
        assert_eq!(removed, ["Flickr_8k.testImages.txt"]);
        assert_eq!(fs::read(path(CAPTIONS_FILE)).unwrap(), b"second");
        assert_eq!(replace(folder.path(), b"third", &[]).unwrap().len(), 2);
        assert_eq!(Splits::find(folder.path()).unwrap(), Splits::Hashed);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_same_already_stays_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let lists = [list(Split::Train, "a\n"), list(Split::Dev, "b\n")];
        replace(folder.path(), b"captions", &lists).unwrap();
        let file = File::open(folder.path().join(CAPTIONS_FILE)).unwrap();
        replace(folder.path(), b"captions", &lists).unwrap();
        let inode = fs::metadata(folder.path().join(CAPTIONS_FILE)).unwrap().ino();
        assert_eq!(inode, file.metadata().unwrap().ino());
    }

    /// A list that cannot be replaced stops the work in the middle.
    #[test]
    fn after_an_error_captions_are_never_beside_lists_of_another_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let lists = [list(Split::Train, "a\n"), list(Split::Dev, "b\n")];
        replace(folder.path(), b"first", &lists).unwrap();
        fs::create_dir(path("Flickr_8k.testImages.txt")).unwrap();
        let other = [list(Split::Train, "x\n"), list(Split::Dev, "y\n"), list(Split::Test, "z\n")];
        replace(folder.path(), b"second", &other).unwrap_err();
        assert!(!path(CAPTIONS_FILE).exists());
        assert_eq!(fs::read(path(REPLACED_FILE)).unwrap(), b"first");
        let error = Captions::read(&path(CAPTIONS_FILE)).unwrap_err().to_string();
        assert!(error.contains("captions.txt: ") && error.contains(REPLACED_FILE), "{error}");
        fs::remove_dir(path("Flickr_8k.testImages.txt")).unwrap();
        replace(folder.path(), b"second", &other).unwrap();
        assert_eq!(fs::read(path(CAPTIONS_FILE)).unwrap(), b"second");
        assert!(!path(REPLACED_FILE).exists());
    }
}
