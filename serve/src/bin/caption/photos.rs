//! The photos that are asked for.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use models::decode::has_image_extension;
use walkdir::WalkDir;

/// The path that means standard input.
const STDIN: &str = "-";

/// A photo to caption.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Photo {
    path: PathBuf,
    /// The folder that was asked for, if it was found in one.
    folder: Option<PathBuf>,
}

/// The photos: files as they are named, all images below folders in the order of their names. A path that
/// is not there is a photo that cannot be read.
pub(crate) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<Photo>> {
    let mut photos = Vec::new();
    for path in paths {
        if !path.is_dir() {
            photos.push(Photo { path: path.clone(), folder: None });
            continue;
        }
        let before = photos.len();
        for entry in WalkDir::new(path).follow_links(true).sort_by_file_name() {
            let entry = entry?;
            if entry.file_type().is_file() && has_image_extension(entry.path()) {
                photos.push(Photo { path: entry.into_path(), folder: Some(path.clone()) });
            }
        }
        ensure!(photos.len() > before, "{}: no photo in it", path.display());
    }
    Ok(photos)
}

impl Photo {
    /// How the photo is called in results.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Its path, as it was named or found.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of its file.
    pub(crate) fn read(&self) -> anyhow::Result<Vec<u8>> {
        if self.path == Path::new(STDIN) {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).context("standard input")?;
            return Ok(bytes);
        }
        Ok(fs::read(&self.path)?)
    }

    /// Where results about it lie below a folder: as it lies in the folder that was asked for.
    pub(crate) fn below(&self) -> &Path {
        if self.path == Path::new(STDIN) {
            return Path::new("stdin");
        }
        let in_folder = self.folder.as_ref().and_then(|of| self.path.strip_prefix(of).ok());
        in_folder.unwrap_or_else(|| Path::new(self.path.file_name().unwrap_or(OsStr::new("photo"))))
    }
}
