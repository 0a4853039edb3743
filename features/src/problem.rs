//! What can be found wrong with a store.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// A row that does not fit its checksum, or whose state is none.
    Row {
        /// The file it lies in.
        path: PathBuf,
        /// The row of that file.
        row: usize,
        /// Its image.
        name: String,
        /// What does not fit.
        what: String,
    },
    /// One of the two descriptions on the front page; the other one serves.
    Description {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        number: usize,
    },
    /// The part of the file that describes it to HDF5. Showtell reads the rows without it; other
    /// programs may not.
    Metadata {
        /// The file.
        path: PathBuf,
    },
}

impl Problem {
    /// Damaged descriptions of a file, by their numbers.
    pub(crate) fn of_descriptions(path: &Path, numbers: &[usize]) -> Vec<Self> {
        let problem = |&number: &usize| Self::Description { path: path.to_path_buf(), number };
        numbers.iter().map(problem).collect()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Row { path, row, name, what } => {
                write!(formatter, "{}: row {row}: {name}: {what}", path.display())
            }
            Self::Description { path, number } => write!(
                formatter,
                "{}: front page: description {number} is damaged; the other one is intact",
                path.display()
            ),
            Self::Metadata { path } => write!(
                formatter,
                "{}: HDF5 metadata: damaged; showtell still reads the rows, other programs may not and no image can be added",
                path.display()
            ),
        }
    }
}
