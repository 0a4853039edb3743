//! TIFF, strip by strip or tile by tile: only the RGB pixels and one strip or tile are held.

use std::io::{Cursor, ErrorKind};

use image::ColorType;
use image::metadata::Orientation;
use tiff::TiffError;
use tiff::decoder::{ChunkType, Decoder};
use tiff::tags::{CompressionMethod, PlanarConfiguration, SampleFormat, Tag};

use super::directory::Directory;
use super::{ImageError, jpeg, rgb};

/// The meaning of the samples of a pixel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Samples {
    /// The samples of other formats.
    Usual(ColorType),
    /// Grey of so few bits that a byte has several pixels.
    Bits(u8),
    Cmyk8,
    Cmyk16,
    YCbCr,
}

impl Samples {
    fn read(decoder: &mut Decoder<Cursor<&[u8]>>) -> Result<Self, ImageError> {
        let color = decoder.colortype()?;
        let formats = decoder.find_tag_unsigned_vec::<u16>(Tag::SampleFormat)?.unwrap_or_default();
        let all = |wanted: SampleFormat| {
            formats.iter().all(|&format| SampleFormat::from_u16(format) == Some(wanted))
        };
        let floats = !formats.is_empty() && all(SampleFormat::IEEEFP);
        let found = match color {
            tiff::ColorType::RGB(32) if floats => Some(Self::Usual(ColorType::Rgb32F)),
            tiff::ColorType::RGBA(32) if floats => Some(Self::Usual(ColorType::Rgba32F)),
            _ if !all(SampleFormat::Uint) => None,
            tiff::ColorType::Gray(bits @ (1 | 2 | 4)) => Some(Self::Bits(bits)),
            tiff::ColorType::Gray(8) => Some(Self::Usual(ColorType::L8)),
            tiff::ColorType::Gray(16) => Some(Self::Usual(ColorType::L16)),
            tiff::ColorType::GrayA(8) => Some(Self::Usual(ColorType::La8)),
            tiff::ColorType::GrayA(16) => Some(Self::Usual(ColorType::La16)),
            tiff::ColorType::RGB(8) => Some(Self::Usual(ColorType::Rgb8)),
            tiff::ColorType::RGB(16) => Some(Self::Usual(ColorType::Rgb16)),
            tiff::ColorType::RGBA(8) => Some(Self::Usual(ColorType::Rgba8)),
            tiff::ColorType::RGBA(16) => Some(Self::Usual(ColorType::Rgba16)),
            tiff::ColorType::CMYK(8) => Some(Self::Cmyk8),
            tiff::ColorType::CMYK(16) => Some(Self::Cmyk16),
            tiff::ColorType::YCbCr(8) => Some(Self::YCbCr),
            _ => None,
        };
        found.ok_or_else(|| ImageError::Unsupported(format!("TIFF of {color:?} in {formats:?}")))
    }

    /// Number of samples of a pixel.
    fn count(self) -> u32 {
        match self {
            Self::Usual(color) => color.channel_count().into(),
            Self::Bits(_) => 1,
            Self::YCbCr => 3,
            Self::Cmyk8 | Self::Cmyk16 => 4,
        }
    }

    /// Bytes of a row of `pixels` pixels.
    fn row(self, pixels: usize) -> usize {
        match self {
            Self::Usual(color) => pixels * usize::from(color.bytes_per_pixel()),
            Self::Bits(bits) => (pixels * usize::from(bits)).div_ceil(8),
            Self::YCbCr => pixels * 3,
            Self::Cmyk8 => pixels * 4,
            Self::Cmyk16 => pixels * 8,
        }
    }

    /// Converts a row of `pixels` pixels, with [`rgb::bytes_per_pixel`] bytes for each, to RGB.
    fn to_rgb(self, row: &mut [u8], pixels: usize) -> Option<()> {
        match self {
            Self::Usual(color) => return rgb::in_place(row, pixels, color),
            Self::Bits(bits) => {
                rgb::unpack(row, pixels, bits);
                return rgb::in_place(row, pixels, ColorType::L8);
            }
            Self::Cmyk8 => rgb::each(row, pixels, rgb::of_cmyk),
            Self::Cmyk16 => {
                rgb::each(row, pixels, |pixel: [u8; 8]| rgb::of_cmyk(rgb::shorts(&pixel)));
            }
            Self::YCbCr => rgb::each(row, pixels, rgb::of_ycbcr),
        }
        Some(())
    }
}

/// A TIFF whose directory was read.
pub(super) struct Tiff<'a> {
    decoder: Decoder<Cursor<&'a [u8]>>,
    bytes: &'a [u8],
    width: u32,
    height: u32,
    samples: Samples,
    /// Width and height of a strip or tile, as it is stored.
    chunk: [u32; 2],
    /// Number of planes: one if the samples of a pixel are stored together, else one for each sample.
    planes: u32,
}

impl<'a> Tiff<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ImageError> {
        if Directory::first(bytes).is_some_and(|directory| !directory.is_reasonable()) {
            return Err(ImageError::Damaged("its directory has too many values".to_owned()));
        }
        let mut decoder = Decoder::new(Cursor::new(bytes))?;
        let (width, height) = decoder.dimensions()?;
        let samples = Samples::read(&mut decoder)?;
        let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration)?;
        let stored = decoder.find_tag_unsigned::<u16>(Tag::SamplesPerPixel)?.unwrap_or(1);
        let planes = match planar.and_then(PlanarConfiguration::from_u16) {
            Some(PlanarConfiguration::Planar) if u32::from(stored) != samples.count() => {
                return Err(ImageError::Unsupported(
                    "TIFF of planes with spare samples".to_owned(),
                ));
            }
            Some(PlanarConfiguration::Planar) => samples.count(),
            _ => 1,
        };
        let (across, down) = decoder.chunk_dimensions();
        let chunk = match decoder.get_chunk_type() {
            ChunkType::Strip => [across, down.min(height)],
            ChunkType::Tile => [across, down],
        };
        Ok(Self { decoder, bytes, width, height, samples, chunk, planes })
    }

    /// Width and height of the image, and of a strip or tile.
    pub(super) fn dimensions(&self) -> [[u32; 2]; 2] {
        [[self.width, self.height], self.chunk]
    }

    pub(super) fn orientation(&mut self) -> Orientation {
        let value = self.decoder.find_tag_unsigned::<u16>(Tag::Orientation).ok().flatten();
        let orientation = value.and_then(|value| Orientation::from_exif(value.min(255) as u8));
        orientation.unwrap_or(Orientation::NoTransforms)
    }

    /// Maximum bytes in addition to the RGB pixels.
    pub(super) fn overhead(&mut self) -> Result<u64, ImageError> {
        let [across, down] = self.chunk.map(|side| side as usize);
        let planes = if self.planes > 1 { 2 } else { 1 };
        let chunk = self.samples.row(across).saturating_mul(planes).saturating_mul(down);
        let rows = 4 * rgb::MAX_BYTES * across;
        let directory = (self.chunks() as usize).saturating_mul(128 * self.planes as usize);
        let known = chunk.saturating_add(rows).saturating_add(directory) as u64;
        Ok(known.saturating_add(self.of_jpegs()?))
    }

    /// Strips or tiles of a plane.
    fn chunks(&self) -> u32 {
        let [across, down] = self.chunk;
        self.width.div_ceil(across.max(1)).saturating_mul(self.height.div_ceil(down.max(1)))
    }

    /// The bytes that decoding a strip or tile that is a JPEG needs. A JPEG larger than the strip is an error.
    fn of_jpegs(&mut self) -> Result<u64, ImageError> {
        let method = self.decoder.find_tag_unsigned::<u16>(Tag::Compression)?.unwrap_or(1);
        if CompressionMethod::from_u16_exhaustive(method) != CompressionMethod::ModernJPEG {
            return Ok(0);
        }
        let (offsets, counts) = match self.decoder.get_chunk_type() {
            ChunkType::Strip => (Tag::StripOffsets, Tag::StripByteCounts),
            ChunkType::Tile => (Tag::TileOffsets, Tag::TileByteCounts),
        };
        let offsets = self.decoder.get_tag_u64_vec(offsets)?;
        let counts = self.decoder.get_tag_u64_vec(counts)?;
        let together = counts.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
        if together > self.bytes.len() as u64 || counts.len() != offsets.len() {
            return Err(ImageError::Damaged("its strips do not fit into it".to_owned()));
        }
        let mut most = 0;
        for (offset, count) in offsets.into_iter().zip(counts) {
            let end = usize::try_from(offset.saturating_add(count)).ok();
            let range = usize::try_from(offset).ok().zip(end);
            let jpeg = range.and_then(|(start, end)| self.bytes.get(start..end));
            let frame = jpeg.and_then(jpeg::Frame::read);
            let frame =
                frame.ok_or_else(|| ImageError::Damaged("a strip has no JPEG".to_owned()))?;
            let [across, down] = self.chunk.map(|side| u64::from(side).next_multiple_of(64));
            if frame.width > across || frame.height > down {
                return Err(ImageError::Damaged("a strip holds a larger JPEG".to_owned()));
            }
            let pixels = frame.width * frame.height * frame.components.len() as u64;
            most = most.max(pixels + frame.overhead());
        }
        // The bytes of the JPEG are copied.
        Ok(most + 2 * self.bytes.len() as u64)
    }

    /// Decodes the RGB pixels chunk by chunk.
    pub(super) fn read(mut self) -> Result<Vec<u8>, ImageError> {
        let row_bytes = self.width as usize * 3;
        let mut image = vec![0; row_bytes * self.height as usize];
        let mut chunk = Vec::new();
        let mut row = vec![0; self.chunk[0] as usize * rgb::MAX_BYTES];
        let across = self.width.div_ceil(self.chunk[0]);
        for at in 0..self.chunks() {
            let (width, height) = self.decoder.chunk_data_dimensions(at);
            let (width, height) = (width as usize, height as usize);
            self.read_chunk(at, width * height, &mut chunk, self.samples.row(width) * height)?;
            let left = (at % across) as usize * self.chunk[0] as usize;
            let top = (at / across) as usize * self.chunk[1] as usize;
            let stored = self.samples.row(width);
            for (line, samples) in chunk.chunks_exact(stored).enumerate() {
                row[..stored].copy_from_slice(samples);
                let unknown = || ImageError::Unsupported("TIFF of unknown samples".to_owned());
                self.samples.to_rgb(&mut row, width).ok_or_else(unknown)?;
                let start = (top + line) * row_bytes + left * 3;
                image[start..start + width * 3].copy_from_slice(&row[..width * 3]);
            }
        }
        Ok(image)
    }

    /// Decodes the samples of a chunk, those of a pixel together, into `chunk`.
    fn read_chunk(
        &mut self,
        at: u32,
        pixels: usize,
        chunk: &mut Vec<u8>,
        bytes: usize,
    ) -> Result<(), ImageError> {
        chunk.resize(bytes, 0);
        if self.planes == 1 {
            return Ok(self.decoder.read_chunk_bytes(at, chunk)?);
        }
        let planes = self.planes as usize;
        let mut plane = vec![0; bytes / planes];
        let sample = plane.len() / pixels.max(1);
        for of in 0..planes {
            self.decoder.read_chunk_bytes(at + of as u32 * self.chunks(), &mut plane)?;
            let pixels = chunk.chunks_exact_mut(sample * planes);
            for (pixel, value) in pixels.zip(plane.chunks_exact(sample)) {
                pixel[of * sample..(of + 1) * sample].copy_from_slice(value);
            }
        }
        Ok(())
    }
}

impl From<TiffError> for ImageError {
    fn from(error: TiffError) -> Self {
        match error {
            TiffError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Self::Truncated
            }
            TiffError::UnsupportedError(error) => Self::Unsupported(format!("TIFF: {error}")),
            error => Self::Damaged(error.to_string()),
        }
    }
}
