//! The photos to caption.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use common::files::FileState;
use common::program::report_skipped_entries;
use common::{Size, files};
use models::decode::extensions;
use models::folder::{self, Problem};

/// The most bytes of a photo.
pub(crate) const MAX_BYTES: Size = Size::mib(1 << 10);

/// The path that means standard input.
const STDIN: &str = "-";

/// A photo to caption.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Photo {
    path: PathBuf,
    /// The given folder that contains it, if it was found in a folder.
    folder: Option<PathBuf>,
    /// The reason why it cannot be read, if that is already known.
    problem: Option<String>,
}

/// Lists the photos: files as given, and all images below folders in the order of their names. Entries that are skipped
/// of folders are reported on stderr. A missing path, or an unreadable entry of a folder, is a photo that cannot be read.
///
/// # Errors
/// If the only photo cannot be read.
pub(crate) fn find(paths: &[PathBuf]) -> anyhow::Result<Vec<Photo>> {
    let mut photos = Vec::new();
    for path in paths {
        if !path.is_dir() {
            photos.push(Photo::new(path.clone(), None, None));
            continue;
        }
        let listing = folder::list(path, &[]);
        report_skipped_entries(path, &listing.skipped_entries);
        let is_empty = listing.files.is_empty() && listing.problems.is_empty();
        let nothing = is_empty.then(|| {
            let reason = format!("no photo in it ({})", extensions().join(", "));
            Problem { path: path.clone(), reason }
        });
        let folder = Some(path);
        photos.extend(listing.files.into_iter().map(|path| Photo::new(path, folder, None)));
        let problems = listing.problems.into_iter().chain(nothing);
        photos
            .extend(problems.map(|problem| Photo::new(problem.path, folder, Some(problem.reason))));
    }
    if let [Photo { path, problem: Some(problem), .. }] = &photos[..] {
        bail!("{}: {problem}", path.display());
    }
    Ok(photos)
}

/// Lists the images below folders that can be read.
pub(crate) fn in_folders(folders: &[PathBuf]) -> Vec<Photo> {
    let in_folder = |path: &PathBuf| {
        let files = folder::list(path, &[]).files.into_iter();
        files.map(|file| Photo::new(file, Some(path), None)).collect::<Vec<_>>()
    };
    folders.iter().flat_map(in_folder).collect()
}

impl Photo {
    fn new(path: PathBuf, folder: Option<&PathBuf>, problem: Option<String>) -> Self {
        Self { path, folder: folder.cloned(), problem }
    }

    /// A photo in a file that is named by another one.
    pub(crate) fn from_file(path: PathBuf) -> Self {
        Self::new(path, None, None)
    }

    /// The name of the photo in results.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The path as given or found.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it comes from standard input.
    pub(crate) fn is_stdin(&self) -> bool {
        self.path == Path::new(STDIN)
    }

    /// The folder that its name is counted from: the given folder, or its own.
    pub(crate) fn root(&self) -> &Path {
        let own = || self.path.parent().unwrap_or(Path::new(""));
        self.folder.as_deref().unwrap_or_else(own)
    }

    /// Reports a problem that is known already.
    ///
    /// # Errors
    /// If there is one.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.problem.as_ref().map_or(Ok(()), |problem| bail!("{problem}"))
    }

    /// The bytes of the file, 0 if it cannot be read. `None` for standard input and pipes.
    pub(crate) fn length(&self) -> Option<u64> {
        match fs::metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => Some(metadata.len()),
            Err(_) if !self.is_stdin() => Some(0),
            _ => None,
        }
    }

    /// Reads the bytes of the file, `limit` at most.
    ///
    /// # Errors
    /// If it cannot be read, or is too large.
    pub(crate) fn read(&self, limit: Size) -> anyhow::Result<Vec<u8>> {
        self.check()?;
        if self.is_stdin() {
            return read_stdin(limit).context("standard input");
        }
        Ok(files::read(&self.path, limit)?)
    }

    /// The path of results about it below a folder: its path below the given folder.
    pub(crate) fn below(&self) -> &Path {
        if self.is_stdin() {
            return Path::new("stdin");
        }
        let in_folder = self.folder.as_ref().and_then(|folder| self.path.strip_prefix(folder).ok());
        in_folder.unwrap_or_else(|| Path::new(self.path.file_name().unwrap_or(OsStr::new("photo"))))
    }
}

/// The state of a file, if it exists.
pub(crate) fn file_state(path: &Path) -> Option<FileState> {
    fs::metadata(path).ok().map(|metadata| FileState::from_metadata(&metadata))
}

/// Reads all bytes of standard input, `limit` at most.
fn read_stdin(limit: Size) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(limit.bytes() + 1).read_to_end(&mut bytes)?;
    ensure!(bytes.len() as u64 <= limit.bytes(), "larger than {limit}, the limit of a photo");
    Ok(bytes)
}
