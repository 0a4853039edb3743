use std::path::PathBuf;

use common::{Size, SkippedEntries};
use zip::result::ZipError;

/// A data set that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] common::Error),
    /// Captions or split lists cannot be read.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// A file cannot be fetched.
    #[error(transparent)]
    Download(#[from] download::Error),
    /// A fetched archive is damaged or incomplete.
    #[error("{}: {problem}\n  Remove it and run the command again.", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// The problem.
        problem: ArchiveProblem,
    },
    /// A data set in JSON cannot be read.
    #[error(
        "{}: {problem}\n  \
         Expected Karpathy's form (dataset_flickr8k.json) or COCO's annotations (captions_val2014.json).",
        path.display()
    )]
    Import {
        /// The data set.
        path: PathBuf,
        /// The problem.
        problem: ImportProblem,
    },
    /// A fetched archive is another one than before.
    #[error(
        "{}: its SHA-256 is not the one in {}\n  Remove both and run the command again.",
        path.display(),
        sums.display()
    )]
    OtherArchive {
        /// The archive.
        path: PathBuf,
        /// The recorded checksums.
        sums: PathBuf,
    },
    /// A line of a list of photos to leave out names none.
    #[error(
        "{}: line {line}: `{text}` is not the name or the id of a photo of COCO\n  \
         Write one a line, such as 000000000042.jpg.",
        path.display()
    )]
    Excluded {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// The disk is too small for a data set.
    #[error(
        "{}: the data set needs {need}, and {free} are free\n  Free some space, or name a folder on another disk (--out DIR).",
        folder.display()
    )]
    Disk {
        /// The folder of the data set.
        folder: PathBuf,
        /// The space that is needed.
        need: Size,
        /// The space that is free.
        free: Size,
    },
    /// Scenes would replace captions that are not of scenes.
    #[error(
        "{}: captions of other images are there\n  Name another folder with --out, or move them away.",
        path.display()
    )]
    OtherCaptions {
        /// The captions.
        path: PathBuf,
    },
    /// A scene cannot be drawn.
    #[error("scene {number}: {source}")]
    Scene {
        /// The number of the scene.
        number: u64,
        /// The cause.
        source: DrawError,
    },
    /// Captions with attention, or the objects of scenes, cannot be read.
    #[error(
        "{}: {problem}\n  \
         Expected the objects that `captions scenes` writes, and the captions that `caption --json --words` prints for its pictures.",
        path.display()
    )]
    Attention {
        /// The file.
        path: PathBuf,
        /// The problem, with the line.
        problem: String,
    },
}

/// The problem of an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveProblem {
    /// It is not a zip file, or damaged.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// Files are missing.
    #[error("{} is not in it", names.join(", "))]
    Missing {
        /// Their names.
        names: Vec<String>,
    },
}

/// The problem of a data set in JSON.
#[derive(Debug, thiserror::Error)]
pub enum ImportProblem {
    /// It is not JSON of a known form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// No image has a caption.
    #[error("no image in it has a caption")]
    NoCaptions,
    /// No image has the id of an image of COCO.
    #[error("no image in it has a `cocoid`: it is not Karpathy's file of COCO")]
    NoCocoIds,
    /// Images share a name or an id, or a name does not fit on a line.
    #[error(
        "{count} entries cannot be told apart or written:\n  {}{}",
        examples.join("\n  "),
        if *count > examples.len() { "\n  …" } else { "" }
    )]
    Entries {
        /// The number of such entries.
        count: usize,
        /// The first of them.
        examples: Vec<String>,
    },
    /// No split has a known name.
    #[error("no split in it has a known name (train, val, test)\n  {skipped_entries}")]
    Splits {
        /// The images without a known split.
        skipped_entries: SkippedEntries,
    },
}

/// The reason why a scene cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum DrawError {
    /// The picture does not fit into memory.
    #[error("no memory for a picture")]
    NoMemory,
    /// An object is too small to be drawn.
    #[error("an object has no outline")]
    NoOutline,
    /// The picture cannot be encoded as PNG.
    #[error("PNG: {0}")]
    Png(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
