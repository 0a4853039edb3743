//! An image whose header was read: the memory that it needs, and the decoder of each format.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use super::gif::Gif;
use super::kinds::{Kind, Reading};
use super::png::Png;
use super::preview::{self, Preview};
use super::tiff::Tiff;
use super::{ImageError, Limits, entropy, jpeg, kinds, rgb, webp};
use common::View;

use crate::{Preprocess, preprocess, view};

/// Bytes that every image needs.
const FIXED: u64 = 1 << 19;

/// An image whose header was read.
pub(super) struct Opened<'a> {
    width: u32,
    height: u32,
    orientation: Orientation,
    /// Maximum bytes that the codec holds in addition to the pixels that it writes.
    overhead: u64,
    codec: Codec<'a>,
}

/// The decoder of an image.
enum Codec<'a> {
    Png(Box<Png<'a>>),
    Gif(Box<Gif<'a>>),
    Tiff(Box<Tiff<'a>>),
    /// A decoder that writes all pixels at once.
    Whole(Box<dyn ImageDecoder + 'a>),
    /// A JPEG that only lacks its end marker.
    Endless(&'a [u8]),
    Heif(Kind, heif::Image<'a>),
}

impl<'a> Opened<'a> {
    pub(super) fn new(bytes: &'a [u8], limits: Limits) -> Result<Self, ImageError> {
        if let Some(kind) = kinds::of_bytes(bytes) {
            return Self::special(kind, bytes, limits);
        }
        let format = image::guess_format(bytes).map_err(|_| ImageError::NotAnImage)?;
        match format {
            ImageFormat::Png => Self::png(Png::open(bytes)?, limits),
            ImageFormat::Gif => Self::gif(Gif::open(bytes)?, bytes, limits),
            ImageFormat::Tiff => Self::tiff(Tiff::open(bytes)?, limits),
            ImageFormat::Jpeg => Self::jpeg(bytes, limits),
            _ => Self::whole(bytes, format, limits),
        }
    }

    /// Opens an image of a format that the image crate does not decode.
    fn special(kind: Kind, bytes: &'a [u8], limits: Limits) -> Result<Self, ImageError> {
        let refused = |reason: &str| Err(ImageError::Unsupported(kind.refusal(reason)));
        match kind.reading {
            Reading::Never => refused(""),
            Reading::Libheif if !limits.heif => refused(", which is turned off here"),
            Reading::Libheif => match heif::Image::open(bytes) {
                Ok(image) => Self::heif(kind, image, bytes, limits),
                Err(error) => Err(heif_error(kind, error)),
            },
            Reading::Preview => match preview::find(bytes) {
                Some(preview) => Self::preview(preview, limits),
                None => refused(" without a JPEG preview"),
            },
        }
    }

    fn preview(preview: Preview<'a>, limits: Limits) -> Result<Self, ImageError> {
        let opened = Self::jpeg(preview.jpeg, limits)?;
        Ok(Self { orientation: preview.orientation.unwrap_or(opened.orientation), ..opened })
    }

    /// Opens an image that libheif decodes, and turns upright itself.
    fn heif(
        kind: Kind,
        image: heif::Image<'a>,
        bytes: &[u8],
        limits: Limits,
    ) -> Result<Self, ImageError> {
        let [width, height] = image.size();
        limits.check([width, height])?;
        let pixels = u64::from(width) * u64::from(height);
        let overhead = pixels * heif::bytes_per_pixel(image.has_alpha()) + bytes.len() as u64;
        let orientation = Orientation::NoTransforms;
        Ok(Self { width, height, orientation, overhead, codec: Codec::Heif(kind, image) })
    }

    fn png(png: Png<'a>, limits: Limits) -> Result<Self, ImageError> {
        let (width, height) = png.dimensions();
        limits.check([width, height])?;
        let (orientation, overhead) = (png.orientation(), png.overhead());
        Ok(Self { width, height, orientation, overhead, codec: Codec::Png(Box::new(png)) })
    }

    fn gif(gif: Gif<'a>, bytes: &[u8], limits: Limits) -> Result<Self, ImageError> {
        let [[width, height], [across, down]] = gif.dimensions();
        limits.check([width, height])?;
        limits.check([across, down])?;
        let overhead = u64::from(across) * u64::from(down) + 2 * bytes.len() as u64;
        let orientation = Orientation::NoTransforms;
        Ok(Self { width, height, orientation, overhead, codec: Codec::Gif(Box::new(gif)) })
    }

    fn tiff(mut tiff: Tiff<'a>, limits: Limits) -> Result<Self, ImageError> {
        let [[width, height], chunk] = tiff.dimensions();
        limits.check([width, height])?;
        limits.check(chunk)?;
        let (orientation, overhead) = (tiff.orientation(), tiff.overhead()?);
        Ok(Self { width, height, orientation, overhead, codec: Codec::Tiff(Box::new(tiff)) })
    }

    /// Opens an image that the image crate decodes.
    fn whole(bytes: &'a [u8], format: ImageFormat, limits: Limits) -> Result<Self, ImageError> {
        if format == ImageFormat::WebP {
            webp::check(bytes)?;
        }
        let mut decoder = decoder(bytes, format)?;
        let (width, height) = decoder.dimensions();
        limits.check([width, height])?;
        let file = bytes.len() as u64;
        let overhead = match format {
            ImageFormat::WebP => {
                file + webp::overhead(bytes, [width, height], decoder.color_type().has_alpha())?
            }
            _ => file + 16 * u64::from(width),
        };
        let orientation = decoder.orientation()?;
        Ok(Self { width, height, orientation, overhead, codec: Codec::Whole(decoder) })
    }

    fn jpeg(bytes: &'a [u8], limits: Limits) -> Result<Self, ImageError> {
        let opened = Self::whole(bytes, ImageFormat::Jpeg, limits)?;
        let file = bytes.len() as u64;
        let Some(frame) = jpeg::Frame::read(bytes) else {
            return Err(ImageError::Truncated);
        };
        // The bytes are copied, and those outside the picture once more.
        let overhead = 3 * file + frame.overhead();
        if frame.ends(bytes) {
            return Ok(Self { overhead, ..opened });
        }
        if !entropy::is_whole(&frame, bytes) {
            return Err(ImageError::Truncated);
        }
        Ok(Self { overhead: overhead + file, codec: Codec::Endless(bytes), ..opened })
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes of the buffer that the pixels are decoded into, and become RGB in.
    fn buffer(&self) -> u64 {
        match &self.codec {
            Codec::Whole(decoder) => {
                self.pixels() * rgb::bytes_per_pixel(decoder.color_type()) as u64
            }
            // JPEG has no transparency.
            _ => self.pixels() * 3,
        }
    }

    /// Maximum bytes that decoding and then preprocessing hold at one time.
    pub(super) fn memory(&self, preprocess: &Preprocess, views: &[View]) -> u64 {
        let (buffer, upright) = (self.buffer(), 3 * self.pixels());
        let turned = is_quarter_turn(self.orientation);
        let [width, height] =
            if turned { [self.height, self.width] } else { [self.width, self.height] };
        let decoding = buffer + self.overhead;
        let turning = if turned { buffer + upright } else { 0 };
        let held = if turned { upright } else { buffer };
        let cropped = view::memory(views, [width, height].map(u64::from));
        let resizing = held + cropped + preprocess::memory(preprocess, width, height);
        decoding.max(turning).max(resizing) + FIXED
    }

    /// Decodes the upright RGB pixels.
    pub(super) fn decode(self) -> Result<RgbImage, ImageError> {
        let (width, height, orientation) = (self.width, self.height, self.orientation);
        let (pixels, bytes) = (self.pixels() as usize, self.buffer() as usize);
        let buffer = match self.codec {
            Codec::Png(png) => png.read()?,
            Codec::Gif(gif) => gif.read()?,
            Codec::Tiff(tiff) => tiff.read()?,
            Codec::Whole(decoder) => whole(decoder, pixels, bytes)?,
            Codec::Endless(jpeg) => {
                let ended = [jpeg, &jpeg::END].concat();
                whole(decoder(&ended, ImageFormat::Jpeg)?, pixels, bytes)?
            }
            Codec::Heif(kind, image) => heif_pixels(kind, image, [width, height])?,
        };
        let problem = || ImageError::Damaged("its decoder returned too few pixels".to_owned());
        let image = RgbImage::from_raw(width, height, buffer).ok_or_else(problem)?;
        let mut image = DynamicImage::from(image);
        image.apply_orientation(orientation);
        Ok(image.into_rgb8())
    }
}

/// Decodes an image whose decoder writes all pixels at once, and converts it to RGB in place.
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

/// Decodes an image with libheif, whose size may differ from that in its header.
fn heif_pixels(kind: Kind, image: heif::Image, stated: [u32; 2]) -> Result<Vec<u8>, ImageError> {
    let decoded = image.decode().map_err(|error| heif_error(kind, error))?;
    let heif::Pixels { size, has_alpha, mut samples } = decoded;
    if size != stated {
        return Err(ImageError::Damaged("its size differs from its header".to_owned()));
    }
    if has_alpha {
        let pixels = samples.len() / 4;
        let unknown = || ImageError::Unsupported("transparent pixels".to_owned());
        rgb::in_place(&mut samples, pixels, ColorType::Rgba8).ok_or_else(unknown)?;
        samples.truncate(3 * pixels);
    }
    Ok(samples)
}

/// The error of libheif, which names the format.
fn heif_error(kind: Kind, error: heif::Error) -> ImageError {
    match error {
        heif::Error::Damaged(message) => ImageError::Damaged(format!("{}: {message}", kind.name)),
        error => ImageError::Unsupported(kind.refusal(&format!(": {error}"))),
    }
}

/// Whether width and height are exchanged, which needs a copy of the pixels.
fn is_quarter_turn(orientation: Orientation) -> bool {
    use Orientation as O;
    matches!(orientation, O::Rotate90 | O::Rotate270 | O::Rotate90FlipH | O::Rotate270FlipH)
}

fn decoder(bytes: &[u8], format: ImageFormat) -> Result<Box<dyn ImageDecoder + '_>, ImageError> {
    Ok(Box::new(ImageReader::with_format(Cursor::new(bytes), format).into_decoder()?))
}
