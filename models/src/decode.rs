//! Bytes of an image file to upright RGB pixels.

use std::io::Cursor;
use std::path::Path;

pub use image::RgbImage;
use image::{
    DynamicImage, ImageDecoder as _, ImageError as Cause, ImageFormat, ImageReader, Limits,
};

/// The most pixels an image may have.
pub const MAX_PIXELS: u64 = 50_000_000;
const MAX_ALLOCATION: u64 = 16 * MAX_PIXELS;

/// How the names of image files end.
pub const EXTENSIONS: [&str; 8] = ["bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// Whether a file is an image by the ending of its name.
#[must_use]
pub fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension.to_ascii_lowercase().as_str()))
}

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The bytes are of no image format at all.
    #[error("not an image")]
    NotAnImage,
    /// An image format or variant that is not read.
    #[error("unsupported kind of image: {0}")]
    Unsupported(String),
    /// The image ends before its last pixel.
    #[error("the image is cut off")]
    Truncated,
    /// Too many pixels.
    #[error("{width}×{height} pixels are more than {MAX_PIXELS}")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The image is damaged.
    #[error("the image is damaged: {0}")]
    Damaged(String),
}

/// Decodes an image as people see it: turned as its EXIF orientation says, transparency laid on
/// white, grey, palette, 16-bit and CMYK brought to 8-bit RGB. Of an animation the first frame.
pub fn decode(bytes: &[u8]) -> Result<RgbImage, ImageError> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| ImageError::Damaged(error.to_string()))?;
    let format = reader.format().ok_or(ImageError::NotAnImage)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(ImageError::TooLarge { width, height });
    }
    if format == ImageFormat::Jpeg && !jpeg_ends(bytes) {
        return Err(ImageError::Truncated);
    }
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(if image.color().has_alpha() { on_white(&image) } else { image.into_rgb8() })
}

/// Whether a JPEG's first scan is followed by an end-of-image marker. The decoder fills what is
/// missing with grey, which must not pass for a photo.
fn jpeg_ends(bytes: &[u8]) -> bool {
    const START_OF_SCAN: u8 = 0xDA;
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == START_OF_SCAN {
            return bytes[at..].windows(2).any(|pair| pair == [0xFF, 0xD9]);
        }
        // A fill byte stands alone; every other segment before the scan says its length.
        at += if marker == 0xFF { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
    }
    false
}

fn on_white(image: &DynamicImage) -> RgbImage {
    let rgba = image.to_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (to, from) in rgb.pixels_mut().zip(rgba.pixels()) {
        let alpha = u32::from(from[3]);
        to.0 = std::array::from_fn(|channel| {
            let mixed = u32::from(from[channel]) * alpha + 255 * (255 - alpha);
            ((mixed + 127) / 255) as u8
        });
    }
    rgb
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
