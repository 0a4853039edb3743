//! Errors of HEIC and AVIF images.

use std::path::PathBuf;

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why an image cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// libheif is missing.
    #[error("libheif, which reads it, is missing (Debian and Ubuntu: apt-get install libheif1)")]
    NoLibrary,
    /// The environment variable turns libheif off.
    #[error("libheif, which reads it, is turned off (SHOWTELL_LIBHEIF is empty)")]
    TurnedOff,
    /// The file that the environment variable names is not libheif.
    #[error("{}: not a usable libheif (SHOWTELL_LIBHEIF)", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
    },
    /// libheif has no decoder for the image.
    #[error(
        "libheif has no decoder for it (newer Debian and Ubuntu: apt-get install libheif-plugin-libde265 \
         libheif-plugin-aomdec): {0}"
    )]
    NoDecoder(String),
    /// The image is damaged, or has a variant that libheif does not support.
    #[error("{0}")]
    Damaged(String),
}
