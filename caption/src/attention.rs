//! Folders for pictures of attention: one for each photo.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use anyhow::bail;

use crate::photos::Photo;

/// A folder below `root` for each photo: its path below the given folder, or its file name; its whole path if another
/// photo has the same.
///
/// # Errors
/// If the whole path is not unique either.
pub(crate) fn folders(root: &Path, photos: &[Photo]) -> anyhow::Result<Vec<PathBuf>> {
    let mut users = HashMap::<&Path, &Path>::new();
    let mut shared = Vec::new();
    for photo in photos {
        if *users.entry(photo.below()).or_insert(photo.path()) != photo.path() {
            shared.push(photo.below());
        }
    }
    let mut owners = HashMap::<PathBuf, &Path>::new();
    let mut folders = Vec::with_capacity(photos.len());
    for photo in photos {
        let is_shared = shared.contains(&photo.below());
        let folder = if is_shared { plain(photo.path()) } else { photo.below().to_owned() };
        let owner = *owners.entry(folder.clone()).or_insert(photo.path());
        if owner != photo.path() {
            bail!(
                "--attention: the pictures of {} and {} have the same folder {}: caption them in two runs",
                owner.display(),
                photo.path().display(),
                root.join(folder).display()
            );
        }
        folders.push(root.join(folder));
    }
    Ok(folders)
}

/// Removes pictures that an earlier run drew into `folder`: files called `01-word.png`. Other files stay.
///
/// # Errors
/// If the folder cannot be read or a picture cannot be removed.
pub(crate) fn remove_old(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() && entry.file_name().to_str().is_some_and(is_picture) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether a file has the name of a picture of a word.
fn is_picture(name: &str) -> bool {
    let parts = name.strip_suffix(".png").and_then(|name| name.split_once('-'));
    parts.is_some_and(|(number, word)| {
        number.len() >= 2
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && word.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

/// A path without components that lead out of a folder.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}
