//! Decoding of image files to upright RGB pixels.

mod directory;
mod entropy;
mod gif;
mod jpeg;
mod kinds;
mod opened;
mod png;
mod preview;
mod rgb;
mod tiff;
mod vp8l;
mod webp;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use common::View;
use image::ImageError as Cause;
pub use image::RgbImage;

pub use self::kinds::unread_kind;
pub(crate) use self::kinds::{is_read_otherwise, unread_kind_of_bytes};
use self::opened::Opened;
use crate::Preprocess;

/// The default limit of an image's pixels.
pub const MAX_PIXELS: u64 = 50_000_000;

/// The largest limit, so that numbers of bytes do not overflow.
const LARGEST_LIMIT: u64 = 1 << 40;

/// The file extensions of images that are always read.
const EXTENSIONS: [&str; 11] =
    ["apng", "bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// The file extensions of images that are read: those of HEIC and AVIF are among them where libheif is installed.
#[must_use]
pub fn extensions() -> Vec<&'static str> {
    EXTENSIONS.into_iter().chain(kinds::readable_extensions()).collect()
}

/// Whether a file has the extension of an image that is read.
#[must_use]
pub fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is_usual = |extension: &str| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str());
    extension.is_some_and(is_usual) || kinds::has_readable_extension(path)
}

/// Reasons why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The bytes are not an image.
    #[error("not an image")]
    NotAnImage,
    /// The format or variant of the image is not supported.
    #[error("unsupported image format: {0}")]
    Unsupported(String),
    /// The image ends before its last pixel.
    #[error("the image is truncated")]
    Truncated,
    /// Too many pixels.
    #[error("{width}×{height} pixels are more than the {max_pixels} of --max-pixels")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// The image is damaged.
    #[error("the image is damaged: {0}")]
    Damaged(String),
}

/// The limits of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of pixels of an image.
    pub max_pixels: u64,
    /// Whether HEIC and AVIF are decoded, by the system's libheif. Its memory is bounded for sound files alone.
    pub heif: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: MAX_PIXELS, heif: true }
    }
}

impl Limits {
    pub(crate) fn check(self, [width, height]: [u32; 2]) -> Result<(), ImageError> {
        let max_pixels = self.max_pixels.min(LARGEST_LIMIT);
        match u64::from(width) * u64::from(height) {
            0 => Err(ImageError::Damaged("it has no pixels".to_owned())),
            pixels if pixels > max_pixels => {
                Err(ImageError::TooLarge { width, height, max_pixels })
            }
            _ => Ok(()),
        }
    }
}

/// Decodes an image: its EXIF orientation is applied, transparency is blended with white, and grey, palette, 16-bit and
/// CMYK are converted to 8-bit RGB. Of an animation the first frame is decoded, of a raw photo a JPEG preview. A panic in a
/// decoder is an error of that image.
///
/// # Errors
/// Each variant of [`ImageError`].
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, ImageError> {
    guarded(|| Opened::new(bytes, *limits)?.decode())
}

/// Maximum memory in bytes that [`decode`] and then preprocessing of its views for an encoder of up to 512×512 pixels hold at
/// one time in addition to `bytes`, according to the image's header.
///
/// # Errors
/// Those of [`decode`] that follow from the header.
pub fn memory(bytes: &[u8], limits: &Limits, views: &[View]) -> Result<u64, ImageError> {
    memory_for(bytes, *limits, &Preprocess::imagenet([512, 512]), views)
}

/// [`memory`] for a known preprocessing.
pub(crate) fn memory_for(
    bytes: &[u8],
    limits: Limits,
    preprocess: &Preprocess,
    views: &[View],
) -> Result<u64, ImageError> {
    guarded(|| Ok(Opened::new(bytes, limits)?.memory(preprocess, views)))
}

fn guarded<T>(work: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ImageError> {
    let panicked = |_| Err(ImageError::Damaged("its decoder panicked".to_owned()));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked).map_err(shortened)
}

/// Shortens an error to one line: messages of decoders may contain parts of the file.
fn shortened(error: ImageError) -> ImageError {
    const MAX_LETTERS: usize = 300;
    let shorten = |text: String| {
        let start = text.chars().take(MAX_LETTERS).collect::<String>();
        start.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    match error {
        ImageError::Damaged(text) => ImageError::Damaged(shorten(text)),
        ImageError::Unsupported(text) => ImageError::Unsupported(shorten(text)),
        error => error,
    }
}

impl From<Cause> for ImageError {
    fn from(error: Cause) -> Self {
        match error {
            Cause::Unsupported(error) => Self::Unsupported(error.to_string()),
            Cause::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Self::Truncated
            }
            error => Self::Damaged(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_decoders_stay_short_and_on_one_line() {
        let long = ImageError::Damaged("no\n tag ".to_owned() + &"7".repeat(1_000_000));
        let error = guarded(|| Err::<(), _>(long)).unwrap_err().to_string();
        assert!(error.contains("no tag 777") && error.len() < 400, "{error}");
    }
}
