//! The metadata of image files. The compressed image, and every other part of a file, is copied byte for byte.

mod jpeg;
mod png;
mod tiff;
mod webp;

use img_parts::Bytes;

use crate::ifd::{ASCII, Tiff};
use crate::{Error, Result};

/// The EXIF tag of a description.
const IMAGE_DESCRIPTION: u16 = 0x010E;

/// The metadata of an image that this crate reads and writes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Embedded {
    /// The XMP packet.
    pub(crate) xmp: Option<Vec<u8>>,
    /// The description in EXIF.
    pub(crate) description: Option<String>,
    /// The IPTC-IIM records. They are changed where they are and never added.
    pub(crate) iptc: Option<Vec<u8>>,
    /// Whether the image carries signed provenance (C2PA), which any change breaks. It is not written.
    pub(crate) is_signed: bool,
    /// Whether it is a raw photo, which is not written.
    pub(crate) is_raw: bool,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Jpeg,
    Png,
    WebP,
    Tiff,
}

impl Format {
    /// The kind of a file by its first bytes.
    ///
    /// # Errors
    /// [`Error::Format`] for all others.
    fn from_bytes(bytes: &[u8]) -> Result<Self> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Ok(Self::Jpeg),
            [0x89, b'P', b'N', b'G', ..] => Ok(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Self::WebP),
            [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Ok(Self::Tiff),
            _ => Err(Error::Format),
        }
    }
}

/// Reads the metadata of an image.
///
/// # Errors
/// [`Error::Format`] for a format without a known place for it, others if the file is damaged.
pub(crate) fn read(bytes: &Bytes) -> Result<Embedded> {
    match Format::from_bytes(bytes)? {
        Format::Jpeg => jpeg::read(bytes.clone()),
        Format::Png => png::read(bytes.clone()),
        Format::WebP => webp::read(bytes.clone()),
        Format::Tiff => tiff::read(bytes),
    }
}

/// The image with other metadata.
///
/// # Errors
/// Those of [`read`], and [`Error::NoRoom`] if it does not fit.
pub(crate) fn write(bytes: &Bytes, embedded: &Embedded) -> Result<Vec<u8>> {
    match Format::from_bytes(bytes)? {
        Format::Jpeg => jpeg::write(bytes.clone(), embedded),
        Format::Png => png::write(bytes, embedded),
        Format::WebP => webp::write(bytes, embedded),
        Format::Tiff => tiff::write(bytes, embedded),
    }
}

/// The description in an EXIF block.
fn description(exif: Option<&[u8]>) -> Result<Option<String>> {
    exif.map_or(Ok(None), |exif| Tiff::parse(exif)?.text(IMAGE_DESCRIPTION))
}

/// An EXIF block with another description; none if there is neither a block nor a description.
fn with_description(exif: Option<&[u8]>, text: Option<&str>) -> Result<Option<Vec<u8>>> {
    let mut tiff = match (exif, text) {
        (Some(exif), _) => Tiff::parse(exif)?,
        (None, Some(_)) => Tiff::new(),
        (None, None) => return Ok(None),
    };
    set_description(&mut tiff, text)?;
    Ok(tiff.has_entries().then(|| tiff.into_bytes()))
}

fn set_description(tiff: &mut Tiff, text: Option<&str>) -> Result<()> {
    match text {
        Some(text) => tiff.set(IMAGE_DESCRIPTION, ASCII, format!("{text}\0").as_bytes()),
        None => tiff.remove(IMAGE_DESCRIPTION),
    }
}

/// The bytes of a file after the `length` of the image itself, such as the video of a motion photo.
fn trailer(bytes: &Bytes, length: usize) -> Bytes {
    bytes.slice(length.min(bytes.len())..)
}
