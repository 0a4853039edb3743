use std::path::{Path, PathBuf};

/// What can go wrong in training. Each error names the file and the next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A run folder, or a file in it, cannot be used.
    #[error("{}: {problem}", path.display())]
    Run {
        /// The file or folder.
        path: PathBuf,
        /// What does not fit, and the next step.
        problem: String,
    },
    /// A setting has a value that it cannot have.
    #[error(
        "{0}\n  `train fit --help` says what settings mean; --config FILE and flags change them."
    )]
    Settings(String),
    /// Training cannot go on.
    #[error("{0}")]
    Training(String),
    /// A file.
    #[error(transparent)]
    File(#[from] common::Error),
    /// Captions, splits or vocabulary.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// The feature store.
    #[error(transparent)]
    Features(#[from] features::Error),
    /// The exported model.
    #[error(transparent)]
    Models(#[from] models::Error),
    /// libtorch.
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

/// A result of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn run(path: &Path, problem: impl Into<String>) -> Self {
        Self::Run { path: path.to_path_buf(), problem: problem.into() }
    }
}
