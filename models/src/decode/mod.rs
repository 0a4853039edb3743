//! Bytes of an image file to upright RGB pixels.

mod jpeg;
mod png;
mod rgb;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

pub use image::RgbImage;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError as Cause, ImageFormat, ImageReader};

use self::png::Png;
use crate::Preprocess;

/// The most pixels an image may have where nobody says otherwise.
pub const MAX_PIXELS: u64 = 50_000_000;

/// The most bytes that a decoder may hold for each pixel that is let in.
const MAX_BYTES_PER_PIXEL: u64 = 16;

/// What every image needs, however small.
const FIXED: u64 = 1 << 19;

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
    #[error("{width}×{height} pixels are more than the {max_pixels} of --max-pixels")]
    TooLarge {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The most pixels that are let in.
        max_pixels: u64,
    },
    /// The image is damaged.
    #[error("the image is damaged: {0}")]
    Damaged(String),
}

/// What is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most pixels an image may have.
    pub max_pixels: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_pixels: MAX_PIXELS }
    }
}

/// Decodes an image as people see it: turned as its EXIF orientation says, transparency laid on
/// white, grey, palette, 16-bit and CMYK brought to 8-bit RGB. Of an animation the first frame.
/// A panic in the decoder of some format is an error of that image.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<RgbImage, ImageError> {
    guarded(|| Opened::new(bytes, limits)?.decode())
}

/// The most bytes of memory that [`decode`] and then preprocessing for an encoder of up to 512×512 pixels
/// hold at one time, beside `bytes`, as the image's header tells. What is no image, not read or larger than
/// `limits` is refused as [`decode`] refuses it.
pub fn memory(bytes: &[u8], limits: &Limits) -> Result<u64, ImageError> {
    memory_for(bytes, limits, &Preprocess::imagenet([512, 512]))
}

/// [`memory`] where the preprocessing is known.
pub(crate) fn memory_for(
    bytes: &[u8],
    limits: &Limits,
    preprocess: &Preprocess,
) -> Result<u64, ImageError> {
    guarded(|| Ok(Opened::new(bytes, limits)?.memory(preprocess)))
}

fn guarded<T>(work: impl FnOnce() -> Result<T, ImageError>) -> Result<T, ImageError> {
    let panicked = |_| Err(ImageError::Damaged("its decoder gave up".to_owned()));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(panicked)
}

/// An image whose header was read.
struct Opened<'a> {
    width: u32,
    height: u32,
    orientation: Orientation,
    /// The most bytes that the codec holds beside the pixels that it writes.
    beside: u64,
    codec: Codec<'a>,
}

/// What decodes it.
enum Codec<'a> {
    Rows(Box<Png<'a>>),
    Whole(Box<dyn ImageDecoder + 'a>),
}

impl<'a> Opened<'a> {
    fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, ImageError> {
        let format = image::guess_format(bytes).map_err(|_| ImageError::NotAnImage)?;
        let opened = if format == ImageFormat::Png {
            Self::png(Png::open(bytes)?)
        } else {
            Self::whole(bytes, format, limits)?
        };
        let Self { width, height, .. } = opened;
        if u64::from(width) * u64::from(height) > limits.max_pixels {
            return Err(ImageError::TooLarge { width, height, max_pixels: limits.max_pixels });
        }
        if format == ImageFormat::Jpeg && !jpeg_ends(bytes) {
            return Err(ImageError::Truncated);
        }
        Ok(opened)
    }

    fn png(png: Png<'a>) -> Self {
        let (width, height) = png.dimensions();
        let (orientation, beside) = (png.orientation(), png.beside());
        Self { width, height, orientation, beside, codec: Codec::Rows(Box::new(png)) }
    }

    fn whole(bytes: &'a [u8], format: ImageFormat, limits: &Limits) -> Result<Self, ImageError> {
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut allowed = image::Limits::default();
        allowed.max_alloc = Some(limits.max_pixels.saturating_mul(MAX_BYTES_PER_PIXEL));
        reader.limits(allowed);
        let mut decoder = reader.into_decoder()?;
        let (width, height) = decoder.dimensions();
        let orientation = decoder.orientation()?;
        let pixels = u64::from(width) * u64::from(height);
        let file = bytes.len() as u64;
        let beside = file
            + match format {
                ImageFormat::Jpeg => {
                    2 * file + jpeg::Frame::read(bytes).map_or(6 * pixels, |frame| frame.beside())
                }
                ImageFormat::Bmp => 8 * u64::from(width),
                ImageFormat::Gif => 5 * pixels,
                ImageFormat::Tiff => {
                    pixels * u64::from(decoder.original_color_type().bits_per_pixel()).div_ceil(8)
                }
                _ => 8 * pixels,
            };
        Ok(Self { width, height, orientation, beside, codec: Codec::Whole(Box::new(decoder)) })
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of the buffer that the pixels are decoded into, and become RGB in.
    fn buffer(&self) -> u64 {
        self.pixels()
            * match &self.codec {
                Codec::Rows(_) => 3,
                Codec::Whole(decoder) => rgb::bytes_per_pixel(decoder.color_type()) as u64,
            }
    }

    fn memory(&self, preprocess: &Preprocess) -> u64 {
        let (buffer, upright) = (self.buffer(), 3 * self.pixels());
        let decoded = buffer + self.beside;
        let turned = is_quarter_turn(self.orientation);
        let held = if turned { upright } else { buffer };
        let (width, height) =
            if turned { (self.height, self.width) } else { (self.width, self.height) };
        let turning = if turned { buffer + upright } else { 0 };
        let prepared = held + preprocess.memory(width, height);
        decoded.max(turning).max(prepared) + FIXED
    }

    fn decode(self) -> Result<RgbImage, ImageError> {
        let (width, height, orientation) = (self.width, self.height, self.orientation);
        let (pixels, bytes) = (self.pixels() as usize, self.buffer() as usize);
        let buffer = match self.codec {
            Codec::Rows(png) => png.read()?,
            Codec::Whole(decoder) => whole(decoder, pixels, bytes)?,
        };
        let problem = || ImageError::Damaged("its decoder gave too few pixels".to_owned());
        let image = RgbImage::from_raw(width, height, buffer).ok_or_else(problem)?;
        let mut image = DynamicImage::from(image);
        image.apply_orientation(orientation);
        Ok(image.into_rgb8())
    }
}

/// The pixels of an image whose decoder writes them all at once, brought to RGB where they lie.
fn whole(
    decoder: Box<dyn ImageDecoder + '_>,
    pixels: usize,
    bytes: usize,
) -> Result<Vec<u8>, ImageError> {
    let color = decoder.color_type();
    let mut buffer = vec![0; bytes];
    decoder.read_image(&mut buffer[..pixels * usize::from(color.bytes_per_pixel())])?;
    let unknown = || ImageError::Unsupported(format!("pixels of {color:?}"));
    rgb::in_place(&mut buffer, pixels, color).ok_or_else(unknown)?;
    buffer.truncate(3 * pixels);
    Ok(buffer)
}

/// Whether width and height change places, for which the pixels are copied.
fn is_quarter_turn(orientation: Orientation) -> bool {
    use Orientation as O;
    matches!(orientation, O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH)
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
