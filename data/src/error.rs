use std::path::{Path, PathBuf};

use common::SkippedEntries;

/// An error of captions, splits, vocabularies or scores. Each names its file and the next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written, or is not text.
    #[error(transparent)]
    File(#[from] common::Error),
    /// A captions file has neither of the two known forms.
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
        /// The problem with this line.
        problem: String,
    },
    /// A captions file contains no caption.
    #[error(
        "{}: no caption in it{}{skipped_entries}",
        path.display(),
        if skipped_entries.is_empty() { "" } else { "\n" }
    )]
    NoCaptions {
        /// The captions file.
        path: PathBuf,
        /// The rows that were skipped.
        skipped_entries: SkippedEntries,
    },
    /// The replacement of the captions was interrupted.
    #[error(
        "{}: missing: a command that replaces the data set was stopped\n  \
         Run it again (captions import or captions flickr8k); the old captions are in {}.",
        path.display(),
        replaced.display()
    )]
    Replaced {
        /// The captions file.
        path: PathBuf,
        /// The old captions.
        replaced: PathBuf,
    },
    /// The split lists contradict each other or are incomplete.
    #[error("{}: {problem}", path.display())]
    Splits {
        /// The list.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// No word occurs often enough in the training captions.
    #[error(
        "no word occurs at least {min_count} times in the {captions} training captions\n  \
         Lower --min-count, or check which images are in the training split."
    )]
    NoWords {
        /// The number of training captions.
        captions: usize,
        /// The occurrences that a word needs.
        min_count: usize,
    },
    /// A vocabulary file is damaged or has another format.
    #[error(
        "{}: {problem}\n  Build it again with `captions vocabulary --captions FILE --out FILE`.",
        path.display()
    )]
    Vocabulary {
        /// The vocabulary file.
        path: PathBuf,
        /// The problem.
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
        /// The problems, with counts and examples.
        problems: Vec<String>,
    },
    /// A file of document frequencies is damaged or has another format.
    #[error(
        "{}: not document frequencies: {problem}\n  \
         Count them again with `captions frequencies --references FILE --out FILE`.",
        path.display()
    )]
    Frequencies {
        /// The file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A list of objects is empty.
    #[error("{}: no objects: write one a line, the words that name it separated by spaces", path.display())]
    NoObjects {
        /// The file.
        path: PathBuf,
    },
    /// METEOR cannot be run.
    #[error("METEOR: {problem}")]
    Meteor {
        /// The missing part or the failure.
        problem: String,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let error = common::Error::io(path);
        move |source| Self::File(error(source))
    }
}
