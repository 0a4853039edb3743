use std::path::{Path, PathBuf};

/// What can go wrong with a feature store. Each error names the file and the next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The store.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no HDF5 file or a part of the layout is missing.
    #[error("{}: not a feature store: {problem}\n  Fill it again with `extract`.", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// What was found.
        problem: String,
    },
    /// The store was written in another version of the format.
    #[error(
        "{}: feature store of format version {found}; this program reads version {expected}",
        path.display()
    )]
    Version {
        /// The store.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The version this program reads.
        expected: u32,
    },
    /// The store was filled by another encoder or with other preprocessing.
    #[error(
        "{}: its {what} is {found}, but {expected} is asked for\n  \
         Use the encoder that filled it, or name another store.",
        path.display()
    )]
    OtherProvenance {
        /// The store.
        path: PathBuf,
        /// Which part of the provenance differs.
        what: &'static str,
        /// What the store says.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// Another process is writing the store.
    #[error("{}: another extraction is writing it; wait for it or name another store", path.display())]
    Busy {
        /// The store.
        path: PathBuf,
    },
    /// The grid of an image was never written.
    #[error("{}: `{name}` is not extracted yet; run `extract` again", path.display())]
    Incomplete {
        /// The store.
        path: PathBuf,
        /// The image.
        name: String,
    },
    /// A grid does not fit its checksum.
    #[error("{}: the grid of `{name}` is damaged; extract into a new store", path.display())]
    Checksum {
        /// The store.
        path: PathBuf,
        /// The image.
        name: String,
    },
}

/// A result of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn not_a_store(path: &Path, problem: impl Into<String>) -> Self {
        Self::NotAStore { path: path.to_path_buf(), problem: problem.into() }
    }

    pub(crate) fn hdf5(path: &Path) -> impl FnOnce(hdf5::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::NotAStore { path, problem: error.to_string() }
    }
}
