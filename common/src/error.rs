use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A file that cannot be read, written or understood.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {}", path.display(), describe_io(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A text file is not UTF-8, or not a document of the expected kind.
    #[error("{}, line {line}: {problem}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// The problem with this line.
        problem: String,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Makes an error of a failed access to the file at `path`.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// An error in a line of the text file at `path`.
    pub(crate) fn text(path: &Path, line: u64, problem: impl Into<String>) -> Self {
        Self::Text { path: path.to_path_buf(), line, problem: problem.into() }
    }

    /// An error of the JSON file at `path`; the message of `error` names the column.
    pub(crate) fn json(path: &Path, error: &serde_json::Error) -> Self {
        Self::text(path, error.line() as u64, error.to_string())
    }
}

/// The message of an error of the operating system with the next step, such as `not found: check the path`. An error of
/// another kind, or of a program, keeps its own message.
#[must_use]
pub fn describe_io(error: &std::io::Error) -> Cow<'static, str> {
    let known = match error.kind() {
        _ if error.raw_os_error().is_none() => None,
        ErrorKind::NotFound => Some("not found: check the path"),
        ErrorKind::PermissionDenied => {
            Some("permission denied: change its permissions, or name another path")
        }
        ErrorKind::IsADirectory => Some(FOLDER),
        ErrorKind::NotADirectory => {
            Some("a file is where this path needs a folder: check the path")
        }
        ErrorKind::AlreadyExists => Some("a file of that name is in the way: check the path"),
        ErrorKind::StorageFull => {
            Some("the disk is full: free some space, or name a path on another disk")
        }
        ErrorKind::QuotaExceeded => {
            Some("the disk quota is used up: free some space, or name a path on another disk")
        }
        ErrorKind::ReadOnlyFilesystem => {
            Some("the file system is read-only: name a path on another one")
        }
        ErrorKind::InvalidFilename => Some("the name is too long: use a shorter one"),
        _ => None,
    };
    known.map_or_else(|| error.to_string().into(), Cow::from)
}

/// The message for a folder in the place of a file.
pub(crate) const FOLDER: &str = "a folder, not a file: name a file";
