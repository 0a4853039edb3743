use std::io;
use std::path::PathBuf;

use common::describe_io;

use crate::{Checksum, Source};

/// A download that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] common::Error),
    /// The file cannot be fetched, or is not the expected one.
    #[error(
        "{}: {problem}\n  Run the command again, or fetch the file by hand and put it at {}\n  \
         ({}{}).",
        file.address,
        path.display(),
        file.bytes.map(|bytes| format!("{bytes} bytes, ")).unwrap_or_default(),
        file.checksum
    )]
    Download {
        /// The file at its public address.
        file: Box<Source>,
        /// The path where it is expected.
        path: PathBuf,
        /// The reason of the failure.
        problem: Problem,
    },
}

/// The reason why a file cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A file that was already there has another checksum.
    #[error("checksum mismatch: {} has {found}: remove it", path.display())]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// Its checksum.
        found: Checksum,
    },
    /// The fetched file has another checksum.
    #[error("checksum mismatch: {} has {found}", path.display())]
    Mismatch {
        /// The fetched file, which was removed.
        path: PathBuf,
        /// Its checksum.
        found: Checksum,
    },
    /// The server sends more bytes than the file has.
    #[error("the file is longer than {bytes} bytes")]
    TooLong {
        /// The expected length in bytes.
        bytes: u64,
    },
    /// The server refuses the request.
    #[error("the server answers {status}")]
    Refused {
        /// The HTTP status.
        status: ureq::http::StatusCode,
    },
    /// The connection was lost, and an attempt to resume brought no more bytes.
    #[error(
        "{cause}, after {bytes}{} bytes",
        total.map(|total| format!(" of {total}")).unwrap_or_default()
    )]
    Interrupted {
        /// The reason.
        cause: String,
        /// The bytes that arrived.
        bytes: u64,
        /// The length of the file, if it is known.
        total: Option<u64>,
    },
    /// The part that arrived cannot be written.
    #[error("{}", describe_io(.0))]
    Io(#[from] io::Error),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
