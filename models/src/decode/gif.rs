//! GIF: the first frame as palette indices, drawn on a white screen.

use std::io::ErrorKind;

use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, MemoryLimit};

use super::ImageError;

/// A GIF whose header was read, up to the pixels of its first frame.
pub(super) struct Gif<'a> {
    decoder: Decoder<&'a [u8]>,
    frame: Frame,
    palette: Vec<u8>,
    transparent: Option<u8>,
}

/// The position of the first frame on the screen.
#[derive(Clone, Copy)]
struct Frame {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl<'a> Gif<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let mut options = DecodeOptions::new();
        options.set_color_output(ColorOutput::Indexed);
        // Pixels are decoded into our own buffer only; the decoder keeps no more of the header than the file holds.
        options.set_memory_limit(MemoryLimit::Unlimited);
        let mut decoder = options.read_info(bytes)?;
        let found = decoder.next_frame_info()?.ok_or(ImageError::Truncated)?;
        let frame = Frame {
            left: found.left.into(),
            top: found.top.into(),
            width: found.width.into(),
            height: found.height.into(),
        };
        let transparent = found.transparent;
        let palette = decoder.palette()?.to_vec();
        Ok(Self { decoder, frame, palette, transparent })
    }

    /// Width and height of the screen and of the frame, which may be larger.
    pub(super) fn dimensions(&self) -> [[u32; 2]; 2] {
        let screen = [self.decoder.width(), self.decoder.height()];
        [screen.map(u32::from), [self.frame.width as u32, self.frame.height as u32]]
    }

    /// Decodes the RGB pixels of the screen.
    pub(super) fn read(mut self) -> Result<Vec<u8>, ImageError> {
        let (width, height) =
            (usize::from(self.decoder.width()), usize::from(self.decoder.height()));
        let (left, top) = (self.frame.left.min(width), self.frame.top);
        let mut indices = vec![0; self.frame.width * self.frame.height];
        self.decoder.read_into_buffer(&mut indices)?;
        let mut screen = vec![255; width * height * 3];
        let visible = self.frame.width.min(width - left);
        let rows = indices.chunks_exact(self.frame.width.max(1)).take(height.saturating_sub(top));
        for (row, indices) in rows.enumerate() {
            let start = ((top + row) * width + left) * 3;
            let pixels = screen[start..start + visible * 3].chunks_exact_mut(3);
            for (pixel, &index) in pixels.zip(indices) {
                let color = self.palette.get(3 * usize::from(index)..3 * usize::from(index) + 3);
                if let Some(color) = color.filter(|_| self.transparent != Some(index)) {
                    pixel.copy_from_slice(color);
                }
            }
        }
        Ok(screen)
    }
}

impl From<DecodingError> for ImageError {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::Io(error) if error.kind() == ErrorKind::UnexpectedEof => Self::Truncated,
            error => Self::Damaged(error.to_string()),
        }
    }
}
