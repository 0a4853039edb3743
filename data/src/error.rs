use std::path::{Path, PathBuf};

use crate::LeftOut;
use crate::download::Source;

/// What can go wrong with captions, splits and vocabularies. Each error names its file and the next step.
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
    /// A text file is not UTF-8, or not a document of the kind that it should be.
    #[error("{}, line {line}: {problem}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What was found there.
        problem: String,
    },
    /// A captions file is neither of the two known forms.
    #[error(
        "{}, line {line}: {problem}\n  \
         Expected the CSV form (header `image,caption`) or the token form (`name.jpg#0<TAB>caption`).",
        path.display()
    )]
    Captions {
        /// The captions file.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What was found there.
        problem: String,
    },
    /// A captions file holds no caption at all.
    #[error(
        "{}: no caption in it{}{left_out}",
        path.display(),
        if left_out.is_empty() { "" } else { "\n" }
    )]
    NoCaptions {
        /// The captions file.
        path: PathBuf,
        /// The rows that were left out.
        left_out: LeftOut,
    },
    /// Captions were taken away to be replaced, and new ones did not come.
    #[error(
        "{}: not there: a command that replaces the data set was stopped\n  \
         Run it again (captions import or captions flickr8k); the captions of before are in {}.",
        path.display(),
        replaced.display()
    )]
    Replaced {
        /// The captions file.
        path: PathBuf,
        /// The captions of before.
        replaced: PathBuf,
    },
    /// The official lists contradict each other or are incomplete.
    #[error("{}: {problem}", path.display())]
    Splits {
        /// The list.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No word occurs often enough in the training captions.
    #[error(
        "no word occurs at least {min_count} times in the {captions} training captions\n  \
         Lower --min-count, or check which images are in the training split."
    )]
    NoWords {
        /// Training captions that were counted.
        captions: usize,
        /// How often a word had to occur.
        min_count: usize,
    },
    /// A vocabulary file is damaged or of another format.
    #[error(
        "{}: {problem}\n  Build it again with `captions vocabulary --captions FILE --out FILE`.",
        path.display()
    )]
    Vocabulary {
        /// The vocabulary file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// References or hypotheses cannot be scored.
    #[error(
        "{}: cannot be scored\n  {}\n  \
         References are `{{\"<id>\": [\"caption\", …], …}}`, hypotheses `{{\"<id>\": \"caption\", …}}`, \
         with the same ids.",
        path.display(),
        problems.join("\n  ")
    )]
    Pairs {
        /// The file.
        path: PathBuf,
        /// What is wrong, with counts and examples.
        problems: Vec<String>,
    },
    /// A file of document frequencies is damaged or of another format.
    #[error(
        "{}: no document frequencies: {problem}\n  \
         Count them again with `captions frequencies --references FILE --out FILE`.",
        path.display()
    )]
    Frequencies {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
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
        /// What is wrong with it.
        problem: String,
    },
    /// A scene cannot be drawn.
    #[error("scene {number}: {problem}")]
    Scene {
        /// Which one.
        number: u64,
        /// What is in the way.
        problem: String,
    },
    /// Captions with attention, or the objects they are compared with, cannot be read.
    #[error(
        "{}: {problem}\n  Objects are what `captions scenes` wrote, captions what `caption --json` says of its pictures.",
        path.display()
    )]
    Looked {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An archive that was fetched does not hold what it should.
    #[error("{}: {problem}\n  Remove it and run the command again.", path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file cannot be fetched, or is not what it should be.
    #[error(
        "{}: {problem}\n  Run the command again, or fetch the file by hand and put it at {}\n  \
         ({}{}).",
        file.address,
        path.display(),
        file.bytes.map(|bytes| format!("{bytes} bytes, ")).unwrap_or_default(),
        file.checksum
    )]
    Download {
        /// The file that was asked for.
        file: Box<Source>,
        /// Where it is to lie.
        path: PathBuf,
        /// What went wrong.
        problem: String,
    },
    /// METEOR was asked for and cannot be run.
    #[error("METEOR: {problem}")]
    Meteor {
        /// What is missing, or what went wrong.
        problem: String,
    },
}

/// A result of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn text(path: &Path, line: u64, problem: impl Into<String>) -> Self {
        Self::Text { path: path.to_path_buf(), line, problem: problem.into() }
    }

    /// An error of a JSON file; the message of `error` names the column.
    pub(crate) fn json(path: &Path, error: &serde_json::Error) -> Self {
        Self::text(path, error.line() as u64, error.to_string())
    }
}
