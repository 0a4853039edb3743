//! Errors of HEIC and AVIF images.

/// The result of this crate's functions.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why an image cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// libheif is missing, or is not usable.
    #[error("libheif, which reads it, is missing (Debian and Ubuntu: apt-get install libheif1)")]
    NoLibrary,
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
