//! Which paths lead to the same file.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use common::files::follow_links;

/// What makes two paths the same file.
#[derive(PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    /// Device and inode of a file that exists.
    Inode(u64, u64),
    /// The path of one that does not, the links of its folder resolved.
    Path(PathBuf),
}

impl Identity {
    /// The identity of the file that `path` leads to, now.
    pub(crate) fn read(path: &Path) -> Self {
        if let Ok(metadata) = fs::metadata(path) {
            return Self::Inode(metadata.dev(), metadata.ino());
        }
        Self::Path(real_path(path))
    }
}

/// The path without links, also of a file that does not exist in a folder that does.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    let path = follow_links(path).unwrap_or_else(|_| path.to_owned());
    let absolute = std::path::absolute(&path).unwrap_or(path);
    let folder = absolute.parent().and_then(|folder| folder.canonicalize().ok());
    let name = absolute.file_name().unwrap_or_default();
    folder.map_or_else(|| absolute.clone(), |folder| folder.join(name))
}
