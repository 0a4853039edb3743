//! PNG, row by row: only the RGB pixels and a few rows of the file's own samples are held.

use std::io::{Cursor, ErrorKind};

use image::ColorType;
use image::metadata::Orientation;
use png::{BitDepth, Decoder, DecodingError, InterlaceInfo, Limits, Reader, Transformations};

use super::{ImageError, rgb};

/// The passes of an interlaced PNG: the first column and the distance of columns, and the same for rows.
const PASSES: [[[u32; 2]; 2]; 7] = [
    [[0, 8], [0, 8]],
    [[4, 8], [0, 8]],
    [[0, 4], [4, 8]],
    [[2, 4], [0, 4]],
    [[0, 2], [2, 4]],
    [[1, 2], [0, 2]],
    [[0, 1], [1, 2]],
];

/// Maximum bytes that the decoder may hold in addition to rows: the chunks of the header.
const CHUNKS: usize = 16 << 20;

/// A PNG whose header was read.
pub(super) struct Png<'a> {
    reader: Reader<Cursor<&'a [u8]>>,
    color: ColorType,
    /// Whether its samples have 16 bits.
    deep: bool,
}

impl<'a> Png<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let limits = Limits { bytes: CHUNKS };
        let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        decoder.set_transformations(Transformations::EXPAND);
        let reader = decoder.read_info()?;
        let (color, depth) = reader.output_color_type();
        let deep = depth == BitDepth::Sixteen;
        let color = match color {
            png::ColorType::Grayscale => [ColorType::L8, ColorType::L16],
            png::ColorType::GrayscaleAlpha => [ColorType::La8, ColorType::La16],
            png::ColorType::Rgba => [ColorType::Rgba8, ColorType::Rgba16],
            // Expanded palettes are RGB.
            png::ColorType::Rgb | png::ColorType::Indexed => [ColorType::Rgb8, ColorType::Rgb16],
        }[usize::from(deep)];
        Ok(Self { reader, color, deep })
    }

    pub(super) fn dimensions(&self) -> (u32, u32) {
        self.reader.info().size()
    }

    pub(super) fn orientation(&self) -> Orientation {
        let exif = self.reader.info().exif_metadata.as_deref();
        exif.and_then(Orientation::from_exif_chunk).unwrap_or(Orientation::NoTransforms)
    }

    /// Maximum bytes in addition to the RGB pixels: a stored, an expanded and an RGB row, and the header.
    pub(super) fn overhead(&self) -> u64 {
        let info = self.reader.info();
        let stored = info.raw_row_length() as u64;
        let expanded = u64::from(info.width) * rgb::bytes_per_pixel(self.color) as u64;
        let exif = info.exif_metadata.as_ref().map_or(0, |exif| exif.len() as u64);
        10 * stored + 3 * expanded + 2 * exif + (1 << 19)
    }

    /// Decodes the RGB pixels row by row, up to the last row: a file whose end is missing has lost no pixel.
    pub(super) fn read(mut self) -> Result<Vec<u8>, ImageError> {
        let (width, height) = self.dimensions();
        let row_bytes = width as usize * 3;
        let mut image = vec![0; row_bytes * height as usize];
        let mut samples = vec![0; width as usize * rgb::bytes_per_pixel(self.color)];
        for line in 0..self.rows() {
            let Some(row) = self.reader.read_row(&mut samples)? else { break };
            self.convert(&mut samples, width as usize)?;
            match row {
                InterlaceInfo::Null(_) => {
                    image[line * row_bytes..][..row_bytes].copy_from_slice(&samples[..row_bytes]);
                }
                InterlaceInfo::Adam7(pass) => {
                    png::expand_interlaced_row(&mut image, row_bytes, &samples, &pass, 24);
                }
            }
        }
        Ok(image)
    }

    /// Number of rows in the file.
    fn rows(&self) -> usize {
        let info = self.reader.info();
        if !info.interlaced {
            return info.height as usize;
        }
        let count = |side: u32, [first, step]: [u32; 2]| side.saturating_sub(first).div_ceil(step);
        let rows = |[across, down]: [[u32; 2]; 2]| {
            if count(info.width, across) == 0 { 0 } else { count(info.height, down) as usize }
        };
        PASSES.into_iter().map(rows).sum()
    }

    /// Converts a row of samples to RGB.
    fn convert(&self, samples: &mut [u8], pixels: usize) -> Result<(), ImageError> {
        if self.deep {
            // PNG is big-endian.
            for value in samples.chunks_exact_mut(2) {
                let native = u16::from_be_bytes([value[0], value[1]]).to_ne_bytes();
                value.copy_from_slice(&native);
            }
        }
        let unknown = || ImageError::Unsupported("samples of a PNG".to_owned());
        rgb::in_place(samples, pixels, self.color).ok_or_else(unknown)
    }
}

impl From<DecodingError> for ImageError {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Self::Truncated
            }
            error => Self::Damaged(error.to_string()),
        }
    }
}
