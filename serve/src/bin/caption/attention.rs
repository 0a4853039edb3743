//! Where the pictures of a photo's attention go: a folder for each photo.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use anyhow::bail;

use crate::photos::Photo;

/// A folder below `root` for each photo: its place in the folder that was named or its file name; where two photos
/// would share that, its whole path.
///
/// # Errors
/// If two photos share that as well.
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
                "--attention: the pictures of {} and {} would both go to {}; caption them in two runs",
                owner.display(),
                photo.path().display(),
                root.join(folder).display()
            );
        }
        folders.push(root.join(folder));
    }
    Ok(folders)
}

/// A path without what leads out of a folder.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}
