use std::path::{Path, PathBuf};

use common::{View, describe_io};

use crate::{Field, Shard};

/// Errors of a feature store. Each names the file and the next step.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are named in the messages")]
pub enum Error {
    /// The file cannot be read or written.
    #[error("{}: {}", path.display(), describe_io(source))]
    Io { path: PathBuf, source: std::io::Error },
    /// The store does not exist.
    #[error("{}: feature store not found\n  Fill it with `extract` (make extract), or name another one.", path.display())]
    Missing { path: PathBuf },
    /// The file is not a feature store, or its metadata is damaged.
    #[error("{}: not a feature store: {reason}\n  Name another one, or move it away and run `extract` again.", path.display())]
    NotAStore { path: PathBuf, reason: String },
    /// The store was written in another version of the format.
    #[error("{}: feature store of format version {found}; this program reads versions 2 and 3", path.display())]
    Version { path: PathBuf, found: u64 },
    /// A merged store of version 2.
    #[error("{}: merged by an earlier version\n  Merge again: extract merge {}", path.display(), path.display())]
    OldMerged { path: PathBuf },
    /// A tool rewrote the store with datasets in chunks, which have no fixed addresses.
    #[error(
        "{}: dataset `{dataset}` is {storage}, not contiguous\n  \
         Undo it: h5repack -l CONTI -f NONE {} contiguous.h5", path.display(), path.display()
    )]
    Rewritten { path: PathBuf, dataset: String, storage: &'static str },
    /// A tool was killed, or still runs, while it had the store open for writing.
    #[error(
        "{}: marked as open for writing by another tool\n  \
         Close it there; if it was killed, clear the mark: h5clear -s {}", path.display(), path.display()
    )]
    LeftOpen { path: PathBuf },
    /// The store was filled by another encoder or with other settings.
    #[error("{}: its {field} is {found}, but {expected} was requested\n  {}", path.display(), field.hint(found))]
    OtherProvenance { path: PathBuf, field: Field, found: String, expected: String },
    /// Another program has the store open.
    #[error("{}: the store is in use: {holder}\n  Wait until it is closed there, or name another store.", path.display())]
    Busy { path: PathBuf, holder: String },
    /// A name, a grid or an attribute exceeds a limit of the format.
    #[error("{}: {what}; a feature store cannot hold it", path.display())]
    OutOfRange { path: PathBuf, what: String },
    /// The file ends too early.
    #[error(
        "{}: truncated: {length} of {expected} bytes\n  \
         Run `extract` again, which re-encodes the lost images; if their names are lost, extract into a new store.", path.display()
    )]
    Truncated { path: PathBuf, length: u64, expected: u64 },
    /// The attributes of the file and the names of its images do not match their checksum.
    #[error("{}: the names of its images or its attributes are damaged; extract into a new store", path.display())]
    Names { path: PathBuf },
    /// Each append adds a file, and there are too many.
    #[error(
        "{}: images were added {count} times\n  \
         Copy all rows into one file: extract merge --copy NEW.h5 {}", path.display(), path.display()
    )]
    TooManyFiles { path: PathBuf, count: u64 },
    /// A file between the first and the last one of a store is absent.
    #[error(
        "{}: not found, but {} belongs to the same store\n  \
         Bring it back, or move the other one away and run `extract` again.", path.display(), next.display()
    )]
    MissingFile { path: PathBuf, next: PathBuf },
    /// A file was named that holds rows which were added to a store.
    #[error("{}: file {number} of a store\n  Name its first file, without +{number}.", path.display())]
    NotFirst { path: PathBuf, number: u64 },
    /// A file's number or shard is not that in its name.
    #[error("{}: not a file of the store {}; move it away", path.display(), first.display())]
    Misplaced { path: PathBuf, first: PathBuf },
    /// A new file would hide the shards of the store in the same folder.
    #[error(
        "{}: {shards} shards of this store are in its folder\n  \
         Add images to them (--shard I/{shards}), or name another store.",
        path.display()
    )]
    HasShards { path: PathBuf, shards: usize },
    /// A merged store cannot be written to.
    #[error(
        "{}: a merged store, the index of {files} files\n  \
         Add images to its shards (--shard I/{files}) or to the store it was merged from, or name another store.", path.display()
    )]
    Merged { path: PathBuf, files: usize },
    /// A merge would replace a store with rows of its own.
    #[error("{}: a store with rows of its own is there\n  Move it away, or name another file for the merged one.", path.display())]
    WouldReplace { path: PathBuf },
    /// Several stores can be merged only if they are shards.
    #[error("{}: {} is not a shard of a store\n  Shards are filled by `extract --shard I/N`.", path.display(), file.display())]
    NotAShard { path: PathBuf, file: PathBuf },
    /// Shards with different counts.
    #[error(
        "{}: {} and {} are of two sets, {} and {}\n  Move the files of one away.",
        path.display(), one.0.display(), other.0.display(), one.1, other.1
    )]
    TwoSets { path: PathBuf, one: (PathBuf, Shard), other: (PathBuf, Shard) },
    /// Two files of one shard.
    #[error("{}: {} and {} are both shard {shard}\n  Name one of them.", path.display(), one.display(), other.display())]
    SameShard { path: PathBuf, one: PathBuf, other: PathBuf, shard: Shard },
    /// Shards are absent.
    #[error(
        "{}: {} of its {count} shards are missing: {}\n  \
         Run `extract` for each of them, beginning with --shard {}/{count}.",
        path.display(), missing.len(), list(missing), missing.first().unwrap_or(&0)
    )]
    MissingShards { path: PathBuf, missing: Vec<u32>, count: u32 },
    /// Two files of a store differ in something that their grids depend on.
    #[error(
        "{}: its {field} is {found}, but that of {} is {expected}\n  \
         Extract one of them again: all files of a store come from one encoder and preprocessing.",
        path.display(), other.display()
    )]
    OtherFile { path: PathBuf, other: PathBuf, field: Field, found: String, expected: String },
    /// Two shards of a store hold the same image.
    #[error(
        "`{name}` is in both {} and {}\n  \
         Remove the file that should not hold it, and run `extract` for that shard again.",
        path.display(), other.display()
    )]
    Overlap { name: String, path: PathBuf, other: PathBuf },
    /// The store does not have the view.
    #[error("{}: view `{view}` not found, only {views}; extract it into a new store", path.display())]
    NoView { path: PathBuf, view: View, views: String },
    /// The grid of an image was never written.
    #[error("{}: `{name}` is not extracted yet; run `extract` again", path.display())]
    Incomplete { path: PathBuf, name: String },
    /// A grid does not match its checksum.
    #[error(
        "{}: the grid of `{name}` is damaged\n  \
         Run `extract --check`, which re-encodes it; if the photo is gone, add --prune, which removes it.",
        path.display()
    )]
    Checksum { path: PathBuf, name: String },
}

/// Result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn not_a_store(path: &Path, reason: impl Into<String>) -> Self {
        Self::NotAStore { path: path.to_path_buf(), reason: reason.into() }
    }
}

/// The first of the numbers of shards.
fn list(shards: &[u32]) -> String {
    const LISTED: usize = 20;
    let listed = shards.iter().take(LISTED).map(u32::to_string).collect::<Vec<_>>().join(", ");
    if shards.len() > LISTED { listed + ", …" } else { listed }
}
