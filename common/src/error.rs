use std::path::{Path, PathBuf};

/// A file that cannot be read, written or understood.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
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
