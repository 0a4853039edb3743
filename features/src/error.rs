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
    /// There is no store.
    #[error("{}: no feature store is there\n  Fill it first with `extract` (make extract), or name another one.", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file has no front page that could be understood.
    #[error("{}: not a feature store: {problem}\n  Name another one, or move it away and run `extract` again.", path.display())]
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
    /// Another program has the store open.
    #[error(
        "{}: the store is in use: {holder}\n  Wait until it is closed there, or name another store.",
        path.display()
    )]
    Busy {
        /// The store.
        path: PathBuf,
        /// Which program has it, as far as that is known, and what for.
        holder: String,
    },
    /// Something is larger than a store can hold.
    #[error("{}: {what}; a feature store cannot hold it", path.display())]
    OutOfRange {
        /// The store.
        path: PathBuf,
        /// What is too large.
        what: String,
    },
    /// The file ends too early.
    #[error(
        "{}: cut off after {length} of {expected} bytes\n  \
         Run `extract` again: it encodes the images that are lost.",
        path.display()
    )]
    CutOff {
        /// The store.
        path: PathBuf,
        /// Bytes of the file.
        length: u64,
        /// Bytes it should have.
        expected: u64,
    },
    /// The names of the images do not fit their checksum.
    #[error("{}: the names of its images are damaged; extract into a new store", path.display())]
    Names {
        /// The store.
        path: PathBuf,
    },
    /// The metadata of HDF5 does not fit its checksum, so nothing can be added.
    #[error(
        "{}: its HDF5 metadata is damaged, so no image can be added; extract into a new store",
        path.display()
    )]
    Metadata {
        /// The store.
        path: PathBuf,
    },
    /// The front page has no room to say where everything is.
    #[error(
        "{}: images were added too often, or it has too many shards; extract into a new store",
        path.display()
    )]
    Full {
        /// The store.
        path: PathBuf,
    },
    /// A store of shards was to be filled.
    #[error(
        "{}: a store that was merged of shards\n  \
         Add images to its shards (--shard I/{shards}), or name another store.",
        path.display()
    )]
    OfShards {
        /// The store.
        path: PathBuf,
        /// How many shards it has.
        shards: usize,
    },
    /// Files that were to make one store do not.
    #[error("{}: {problem}", path.display())]
    Shards {
        /// The store.
        path: PathBuf,
        /// What is wrong, with the files, and what to do.
        problem: String,
    },
    /// Two shards of a store differ in something that their grids depend on.
    #[error(
        "{}: its {what} is {found}, but that of {} is {expected}\n  \
         Extract one of them again: all shards of a store come from one encoder and preprocessing.",
        path.display(),
        other.display()
    )]
    OtherShard {
        /// The shard.
        path: PathBuf,
        /// The one it was compared with.
        other: PathBuf,
        /// What differs.
        what: &'static str,
        /// What the shard says.
        found: String,
        /// What the other one says.
        expected: String,
    },
    /// Two shards of a store hold the same image.
    #[error(
        "`{name}` is in both {} and {}\n  \
         Remove the file that should not hold it, and run `extract` for that shard again.",
        path.display(),
        other.display()
    )]
    Overlap {
        /// The image.
        name: String,
        /// A shard.
        path: PathBuf,
        /// Another one.
        other: PathBuf,
    },
    /// The store has no such view.
    #[error("{}: no view `{view}` in it, only {views}; extract it into a new store", path.display())]
    NoView {
        /// The store.
        path: PathBuf,
        /// What was asked for.
        view: String,
        /// What there is.
        views: String,
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
    #[error(
        "{}: the grid of `{name}` is damaged\n  \
         Run `extract` again, which re-encodes it; if the photo is gone, with --prune, which removes it.",
        path.display()
    )]
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
}
