//! The text files of a data set, captions and split lists, which belong together.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use atomic_write_file::AtomicWriteFile;

use crate::splits::LISTS;
use crate::{Error, Result, Split};

/// The captions of a data set.
pub(crate) const CAPTIONS: &str = "captions.txt";
/// Where the captions of before lie while the files are replaced.
pub(crate) const REPLACED: &str = "captions.txt.replaced";

/// Writes captions and split lists into `folder`, in place of all that lie there. A list that the data set does not
/// have is removed; the names of removed lists are returned. Where all is there already nothing is changed.
///
/// No reader finds captions of one data set beside lists of another: everything is first written beside its place,
/// then the captions of before are moved away, and the new ones come last. After an error, a kill or a power loss all
/// files of before are there, or all new ones, or `captions.txt` is missing and the captions of before lie in
/// `captions.txt.replaced`.
pub(crate) fn replace(
    folder: &Path,
    captions: &[u8],
    lists: &[(Split, Vec<u8>)],
) -> Result<Vec<&'static str>> {
    let lists = LISTS.map(|(split, name)| {
        (name, lists.iter().find(|(of, _)| *of == split).map(|(_, names)| names.as_slice()))
    });
    let is_there = |name: &str, content| fs::read(folder.join(name)).ok().as_deref() == content;
    if is_there(CAPTIONS, Some(captions)) && lists.iter().all(|(name, list)| is_there(name, *list))
    {
        return Ok(Vec::new());
    }
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let prepare = |name: &str, content| {
        let path = folder.join(name);
        prepare(&path, content).map_err(Error::io(&path))
    };
    let new_captions = prepare(CAPTIONS, captions)?;
    let mut new_lists = Vec::new();
    for (name, list) in lists {
        new_lists.push((name, list.map(|list| prepare(name, list)).transpose()?));
    }
    let (path, replaced) = (folder.join(CAPTIONS), folder.join(REPLACED));
    if_present(fs::rename(&path, &replaced)).map_err(Error::io(&path))?;
    sync(folder)?;
    let mut removed = Vec::new();
    for (name, list) in new_lists {
        let path = folder.join(name);
        match list {
            Some(list) => list.commit().map_err(Error::io(&path))?,
            None if if_present(fs::remove_file(&path)).map_err(Error::io(&path))? => {
                removed.push(name);
            }
            None => {}
        }
    }
    sync(folder)?;
    new_captions.commit().map_err(Error::io(&path))?;
    if_present(fs::remove_file(&replaced)).map_err(Error::io(&replaced))?;
    Ok(removed)
}

/// A file beside `path` with this content, on the disk.
fn prepare(path: &Path, content: &[u8]) -> io::Result<AtomicWriteFile> {
    let mut file = AtomicWriteFile::open(path)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn if_present(done: io::Result<()>) -> io::Result<bool> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        done => done.map(|()| true),
    }
}

fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::{Captions, Splits};

    fn list(split: Split, names: &str) -> (Split, Vec<u8>) {
        (split, names.as_bytes().to_vec())
    }

    #[test]
    fn lists_of_before_go_with_their_captions() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let all = [list(Split::Train, "a\n"), list(Split::Dev, "b\n"), list(Split::Test, "c\n")];
        assert!(replace(folder.path(), b"first", &all).unwrap().is_empty());
        let removed = replace(folder.path(), b"second", &all[..2]).unwrap();
        assert_eq!(removed, ["Flickr_8k.testImages.txt"]);
        assert_eq!(fs::read(path(CAPTIONS)).unwrap(), b"second");
        assert_eq!(replace(folder.path(), b"third", &[]).unwrap().len(), 2);
        assert_eq!(Splits::find(folder.path()).unwrap(), Splits::Hashed);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_there_already_stays_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let lists = [list(Split::Train, "a\n"), list(Split::Dev, "b\n")];
        replace(folder.path(), b"captions", &lists).unwrap();
        let file = File::open(folder.path().join(CAPTIONS)).unwrap();
        replace(folder.path(), b"captions", &lists).unwrap();
        let inode = fs::metadata(folder.path().join(CAPTIONS)).unwrap().ino();
        assert_eq!(inode, file.metadata().unwrap().ino());
    }

    /// A list that cannot be replaced stops the work in the middle.
    #[test]
    fn after_an_error_no_captions_lie_beside_lists_of_another_data_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let lists = [list(Split::Train, "a\n"), list(Split::Dev, "b\n")];
        replace(folder.path(), b"first", &lists).unwrap();
        fs::create_dir(path("Flickr_8k.testImages.txt")).unwrap();
        let other = [list(Split::Train, "x\n"), list(Split::Dev, "y\n"), list(Split::Test, "z\n")];
        replace(folder.path(), b"second", &other).unwrap_err();
        assert!(!path(CAPTIONS).exists());
        assert_eq!(fs::read(path(REPLACED)).unwrap(), b"first");
        let error = Captions::read(&path(CAPTIONS)).unwrap_err().to_string();
        assert!(error.contains("captions.txt: ") && error.contains(REPLACED), "{error}");
        fs::remove_dir(path("Flickr_8k.testImages.txt")).unwrap();
        replace(folder.path(), b"second", &other).unwrap();
        assert_eq!(fs::read(path(CAPTIONS)).unwrap(), b"second");
        assert!(!path(REPLACED).exists());
    }
}
