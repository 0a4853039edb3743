use std::path::{Path, PathBuf};

use common::{Size, SkippedEntries};

use crate::run::EncoderDifference;

/// An error of training. Its message names the file and the next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written, or is not text.
    #[error(transparent)]
    File(#[from] common::Error),
    /// The content of a file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// A run, or a file of it, cannot be used.
    #[error("{}: {problem}", path.display())]
    Run {
        /// The folder or file.
        path: PathBuf,
        /// The problem.
        problem: RunProblem,
    },
    /// The file system has no locks.
    #[error("{}: cannot be locked: {source}\n  Put the run on a file system that has locks (--run DIR).", path.display())]
    CannotLock {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A store was made by another encoder than the run's.
    #[error("{}: {difference}\n  Name the store of the run (--store), or train another run (--run DIR).", path.display())]
    OtherEncoder {
        /// The store.
        path: PathBuf,
        /// The difference.
        difference: Box<EncoderDifference>,
    },
    /// The stores of several data sets have values of several types.
    #[error(
        "{}: its values are {}, but those of the first store are {}\n  \
         Extract one of the stores again (`extract --dtype`).",
        path.display(), found.name(), first.name()
    )]
    OtherDtype {
        /// The store.
        path: PathBuf,
        /// The type of its values.
        found: features::Dtype,
        /// The type of those of the first store.
        first: features::Dtype,
    },
    /// A tensor of a checkpoint has another shape or type than the network's.
    #[error(
        "{}: `{name}`: {found:?}, but {expected:?} of 32-bit floats is expected; the checkpoint belongs to another network",
        path.display()
    )]
    OtherTensor {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its shape.
        found: Vec<i64>,
        /// The shape in the network.
        expected: Vec<i64>,
    },
    /// A weight is not finite; no checkpoint was written.
    #[error(
        "{}: not written: `{name}` is not a finite number\n  Train again with a lower --learning-rate.",
        path.display()
    )]
    NotFinite {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// Training diverged.
    #[error(
        "the {quantity} is not a finite number in epoch {epoch}; the last checkpoint is unchanged\n  \
         Train again with a lower --learning-rate (--run DIR)."
    )]
    Diverged {
        /// The quantity.
        quantity: &'static str,
        /// The epoch.
        epoch: usize,
    },

    /// A setting is outside its limits.
    #[error(
        "{name} is {value}: it must be {limit}\n  `train fit --help` lists the settings; flags and --config FILE change them."
    )]
    Setting {
        /// The flag, or the name in a file of settings.
        name: String,
        /// The value.
        value: String,
        /// The values that are allowed.
        limit: String,
    },
    /// The heads of a network cannot share its attention.
    #[error(
        "[network] attention is {attention}: it must be a multiple of the number of heads, {heads}"
    )]
    Heads {
        /// Width of the attention.
        attention: i64,
        /// Number of heads.
        heads: i64,
    },
    /// A network does not fit into memory.
    #[error(
        "[network]: a network of these sizes needs {need} of memory for training{}\n  \
         Lower hidden, embedding, annotation or attention in the table [network] of --config FILE.",
        memory.map(|memory| format!(", and this machine has {memory}")).unwrap_or_default()
    )]
    NetworkTooLarge {
        /// The memory that its training needs.
        need: Size,
        /// The memory of the machine, if that is the limit.
        memory: Option<Size>,
    },
    /// Settings cannot be written as TOML.
    #[error("settings: {0}")]
    SettingsText(toml::ser::Error),
    /// A file has no settings.
    #[error("{}: no recipe and none of the tables {tables}", path.display())]
    NoSettings {
        /// The file.
        path: PathBuf,
        /// The tables that hold settings.
        tables: String,
    },
    /// A file has an unknown setting.
    #[error("{}: there is no setting `{name}`; there are {known}", path.display())]
    UnknownSetting {
        /// The file.
        path: PathBuf,
        /// The setting with its table.
        name: String,
        /// The settings of the table.
        known: String,
    },
    /// A file has a setting that was removed, at a value that had an effect.
    #[error(
        "{}: training.regularization.{name} is {value}: this setting was removed\n  \
         Set it to 0 or remove the line. A trained network is unchanged by it; further training goes on without it.",
        path.display()
    )]
    RemovedSetting {
        /// The file.
        path: PathBuf,
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
    },

    /// The data changed since a run was trained.
    #[error(
        "{}: since training the data changed:\n    {changes}\n  \
         Name the data of the run (--captions, --splits, --store), train another run (--run DIR), or take the data \
         as it is (--accept-changed-data).",
        path.display()
    )]
    ChangedData {
        /// The run.
        path: PathBuf,
        /// The changed parts.
        changes: String,
    },
    /// The lessons of teachers are of other teachers, data or settings.
    #[error(
        "{}: the lessons of other teachers, or with other data or settings\n  \
         Name another file (--lessons FILE), or remove it to ask the teachers again.",
        path.display()
    )]
    OtherLessons {
        /// The file.
        path: PathBuf,
    },
    /// A file has no lessons of teachers.
    #[error(
        "{}: not the lessons of teachers, or damaged\n  \
         Name another file (--lessons FILE), or remove it to ask the teachers again.",
        path.display()
    )]
    NotLessons {
        /// The file.
        path: PathBuf,
    },
    /// A line of a list of photos is damaged.
    #[error("{}: line {line}: not the name and the SHA-256 of a photo\n  Restore the file of the run.", path.display())]
    PhotoLine {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// Images that are to be scored as new were trained on.
    #[error(
        "{seen} of {images} {split} images were trained on: {examples}\n  \
         Scores of them say nothing about new photos. Name the captions and the split lists that belong to the run \
         (--captions, --splits), leave these images out, or score the training images (--split train)."
    )]
    SeenImages {
        /// Number of images that were trained on.
        seen: usize,
        /// Number of images.
        images: usize,
        /// The split.
        split: data::Split,
        /// Some of their names.
        examples: String,
    },

    /// A file that is compressed with gzip is damaged.
    #[error(
        "{}: damaged gzip data: {flaw}\n  Compress or fetch the file again, or name another one (--text FILE).",
        path.display()
    )]
    Gzip {
        /// The file.
        path: PathBuf,
        /// The flaw.
        flaw: String,
    },
    /// A file has no caption to learn language from.
    #[error("{}: no caption that could be used\n{skipped_entries}\n  Name another file (--text FILE).", path.display())]
    NoText {
        /// The file.
        path: PathBuf,
        /// The captions, by the reasons why they are not used.
        skipped_entries: SkippedEntries,
    },
    /// A file has too many captions to learn language from.
    #[error("{}: more than {most} captions could be used\n  Name a file with fewer of them (--text FILE).", path.display())]
    TooMuchText {
        /// The file.
        path: PathBuf,
        /// The most that are used.
        most: usize,
    },
    /// The recipe cannot learn from captions without photos.
    #[error(
        "--text: the recipe {0} cannot learn from captions without photos\n  Use --recipe adaptive, or leave out --text."
    )]
    TextRecipe(crate::settings::Recipe),
    /// The search found no caption of an image.
    #[error("the search found no caption")]
    NoCaption,
    /// There is no run to report on.
    #[error("no run to report on")]
    NoReport,
    /// The page of a report cannot be rendered.
    #[error("the report: {0:#}")]
    Template(minijinja::Error),
    /// CUDA was requested and is not available.
    #[error(
        "--device cuda: {problem}\n  Use --device cpu, or `make setup GPU=1` on a machine with an NVIDIA GPU."
    )]
    NoCuda {
        /// The cause: what the loader of libraries said, or the number of devices.
        problem: String,
    },
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

/// A problem of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunProblem {
    /// The folder is not a run.
    #[error("no run here\n  Train one (`train fit --run DIR`), or name another folder.")]
    Missing,
    /// The folder holds a captioner without checkpoints, such as an exported or a shipped one.
    #[error(
        "a captioner without a checkpoint: it can be served, not trained, evaluated or exported\n  \
         Name the folder of a run, or train one (`train fit --run DIR`)."
    )]
    CaptionerOnly,
    /// No epoch is finished.
    #[error("no epoch is finished\n  Resume the run first (`train fit --resume`).")]
    NoEpoch,
    /// Another process trains in the folder.
    #[error(
        "another training runs in this folder\n  Wait for its end, or name another folder (--run DIR)."
    )]
    Locked,
    /// The file is not a checkpoint.
    #[error(
        "not a checkpoint of this program, or damaged\n  Restore the file, or train another run (--run DIR)."
    )]
    NotACheckpoint,
    /// The vocabulary is not the one that the network was trained with.
    #[error("not the vocabulary this network was trained with\n  Restore the file of the run.")]
    OtherVocabulary,
    /// The configuration names another encoder than the checkpoint.
    #[error(
        "not the config of this network: it was trained on grids of another encoder\n  Restore the file of the run."
    )]
    OtherConfig,
    /// The list of photos is not the one that the run recorded.
    #[error("not the list of photos that this run was trained on\n  Restore the file of the run.")]
    OtherPhotos,
    /// The file is not a record of reliability.
    #[error(
        "not the reliability of the confidence in captions, or damaged\n  Calibrate the run again (`train calibrate --run DIR`)."
    )]
    NotAReliability,
    /// The record of reliability is of another calibration than that in the manifest.
    #[error(
        "not of the calibration in the manifest\n  Calibrate the run again (`train calibrate --run DIR`)."
    )]
    OtherReliability,
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn run(path: &Path, problem: RunProblem) -> Self {
        Self::Run { path: path.to_path_buf(), problem }
    }

    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let error = common::Error::io(path);
        move |source| Self::File(error(source))
    }

    pub(crate) fn content<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        path: &Path,
    ) -> impl Fn(E) -> Self + use<E> {
        let path = path.to_path_buf();
        move |source| Self::Content { path: path.clone(), source: source.into() }
    }
}
