//! The photos that are asked for.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use data::program::report_left_out;
use models::decode::EXTENSIONS;
use models::folder::{self, Problem};

/// The most bytes of a photo.
const MOST_BYTES: u64 = 1 << 30;

/// The path that means standard input.
const STDIN: &str = "-";

/// A photo to caption.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Photo {
    path: PathBuf,
    /// The folder that was asked for, if it was found in one.
    folder: Option<PathBuf>,
    /// Why it cannot be read, if that is known already.
    problem: Option<String>,
}

/// The photos: files as they are named, all images below folders in the order of their names. What is left out of
/// folders is counted on stderr. A path that is not there, or an entry of a folder that cannot be looked at, is a
/// photo that cannot be read.
pub(crate) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<Photo>> {
    let mut photos = Vec::new();
    for path in paths {
        if !path.is_dir() {
            photos.push(Photo::new(path.clone(), None, None));
            continue;
        }
        let listing = folder::list(path, &[]);
        report_left_out(path, &listing.left_out);
        let is_empty = listing.files.is_empty() && listing.problems.is_empty();
        let nothing = is_empty.then(|| {
            let reason = format!("no photo in it ({})", EXTENSIONS.join(", "));
            Problem { path: path.clone(), reason }
        });
        let folder = Some(path);
        photos.extend(listing.files.into_iter().map(|path| Photo::new(path, folder, None)));
        let problems = listing.problems.into_iter().chain(nothing);
        photos.extend(problems.map(|of| Photo::new(of.path, folder, Some(of.reason))));
    }
    if let [Photo { path, problem: Some(problem), .. }] = &photos[..] {
        bail!("{}: {problem}", path.display());
    }
    Ok(photos)
}

impl Photo {
    fn new(path: PathBuf, folder: Option<&PathBuf>, problem: Option<String>) -> Self {
        Self { path, folder: folder.cloned(), problem }
    }

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
        if let Some(problem) = &self.problem {
            bail!("{problem}");
        }
        if self.path == Path::new(STDIN) {
            return read_whole(io::stdin().lock()).context("standard input");
        }
        read_whole(File::open(&self.path)?)
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

/// All bytes, if they are no more than a photo may have: a device may give bytes without end.
fn read_whole(from: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= MOST_BYTES, "more than 1 GiB, which is too large for a photo");
    Ok(bytes)
}
