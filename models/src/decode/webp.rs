//! What the chunks of a WebP say of the memory that decoding its first frame takes.

use super::{ImageError, vp8l};

/// A WebP's picture, or the first one of an animation.
#[derive(Debug, Default)]
struct Picture<'a> {
    /// Width and height of the lossy picture, if there is one.
    lossy: Option<[u32; 2]>,
    /// Width and height of the lossless one, and what comes after.
    lossless: Option<([u32; 2], &'a [u8])>,
    /// What says how transparent the lossy picture is.
    alpha: Option<&'a [u8]>,
    /// Whether it is laid on a canvas.
    animated: bool,
}

/// Pixels that fill up the last blocks, at the longest sides there are.
const BORDER: u64 = 2 * 16 * 16_384;

/// The most bytes that the decoder holds beside the pixels that it gives: `canvas` of them, with or without
/// transparency. A picture that is larger than the canvas is an error.
pub(super) fn beside(bytes: &[u8], canvas: u64, transparent: bool) -> Result<u64, ImageError> {
    let mut picture = Picture::default();
    picture.read(bytes.get(12..).unwrap_or_default());
    let Picture { lossy, lossless, alpha, animated } = picture;
    let area = |[width, height]: [u32; 2]| u64::from(width) * u64::from(height);
    let pixels = lossy.or(lossless.map(|(sides, _)| sides)).map_or(canvas, area);
    if pixels > canvas {
        return Err(ImageError::Damaged("its picture is larger than it says".to_owned()));
    }
    // Planes of brightness and colour, what is known of each block of 16×16 pixels, and the compressed
    // bytes, which are copied.
    let planes = if lossy.is_some() { 2 * (pixels + BORDER) + 3 * bytes.len() as u64 } else { 0 };
    let frame = match (lossy, animated) {
        (Some(_), false) => 0,
        (Some(_), true) => pixels * if alpha.is_some() { 4 } else { 3 },
        (None, false) => pixels * if transparent { 0 } else { 4 },
        (None, true) => pixels * 4,
    };
    let of_alpha = if alpha.is_some() { 5 * pixels } else { 0 };
    // Coarser pictures that steer a lossless one, and its codes.
    let codes = match (lossless, lossy, alpha) {
        (_, Some(sides), Some([info, stream @ ..])) if info & 3 == 1 => {
            pixels + vp8l::codes(stream, sides[0], sides[1])
        }
        (Some((sides, stream)), None, _) => pixels + vp8l::codes(stream, sides[0], sides[1]),
        _ => 0,
    };
    let laid = if animated { 4 * canvas } else { 0 };
    Ok(planes + frame + of_alpha + codes + laid)
}

impl<'a> Picture<'a> {
    /// Takes up the chunks in `bytes`, up to the end of the first picture.
    fn read(&mut self, mut bytes: &'a [u8]) {
        while let Some((name, rest)) = bytes.split_at_checked(4) {
            let Some((length, rest)) = rest.split_at_checked(4) else { return };
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]) as usize;
            let payload = &rest[..length.min(rest.len())];
            match name {
                b"ANMF" if !self.animated => {
                    self.animated = true;
                    return self.read(payload.get(16..).unwrap_or_default());
                }
                b"ALPH" if self.alpha.is_none() => self.alpha = Some(payload),
                b"VP8 " if self.lossy.is_none() => self.lossy = lossy(payload),
                b"VP8L" if self.lossless.is_none() => self.lossless = lossless(payload),
                _ => (),
            }
            let Some(next) = rest.get(length.saturating_add(length % 2)..) else { return };
            bytes = next;
        }
    }
}

/// Width and height of a VP8 key frame.
fn lossy(payload: &[u8]) -> Option<[u32; 2]> {
    let side = |at: usize| {
        Some(u32::from(u16::from_le_bytes([*payload.get(at)?, *payload.get(at + 1)?]) & 0x3FFF))
    };
    Some([side(6)?, side(8)?])
}

/// Width and height of a VP8L picture, and what comes after them.
fn lossless(payload: &[u8]) -> Option<([u32; 2], &[u8])> {
    let header = payload.get(1..5)?;
    let header = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    Some(([(header & 0x3FFF) + 1, (header >> 14 & 0x3FFF) + 1], &payload[5..]))
}
