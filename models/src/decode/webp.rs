//! The chunks of a WebP: the memory that decoding its first frame needs.

use super::{ImageError, vp8l};

/// The image of a WebP, or the first one of an animation.
#[derive(Debug, Default)]
struct Picture<'a> {
    /// Width and height of the lossy picture, if there is one.
    lossy: Option<[u32; 2]>,
    /// Width and height of the lossless one, and the bytes after them.
    lossless: Option<([u32; 2], &'a [u8])>,
    /// The alpha channel of the lossy picture.
    alpha: Option<&'a [u8]>,
    /// Whether it is drawn on a canvas.
    animated: bool,
}

/// Pixels of padding in the last blocks, for the longest sides.
const BORDER: u64 = 2 * 16 * 16_384;

/// Maximum bytes that the decoder holds in addition to the decoded pixels of a canvas of that size, with or without
/// transparency. A picture that is larger than the canvas is an error.
pub(super) fn overhead(
    bytes: &[u8],
    sides: [u32; 2],
    transparent: bool,
) -> Result<u64, ImageError> {
    let mut picture = Picture::default();
    picture.read(bytes.get(12..).unwrap_or_default());
    let Picture { lossy, lossless, alpha, animated } = picture;
    let area = |[width, height]: [u32; 2]| u64::from(width) * u64::from(height);
    let canvas = area(sides);
    let pixels = lossy.or(lossless.map(|(sides, _)| sides)).map_or(canvas, area);
    if pixels > canvas {
        return Err(ImageError::Damaged("its picture is larger than its canvas".to_owned()));
    }
    // Planes of luma and chroma, the state of each block of 16×16 pixels, and a copy of the compressed bytes.
    let planes = if lossy.is_some() { 2 * (pixels + BORDER) + 3 * bytes.len() as u64 } else { 0 };
    let frame = match (lossy, animated) {
        (Some(_), false) => 0,
        (Some(_), true) => pixels * if alpha.is_some() { 4 } else { 3 },
        (None, false) => pixels * if transparent { 0 } else { 4 },
        (None, true) => pixels * 4,
    };
    let of_alpha = if alpha.is_some() { 5 * pixels } else { 0 };
    // The transform images of a lossless picture, and its codes.
    let codes = match most_codes(bytes, sides)? {
        0 => 0,
        codes => pixels + codes,
    };
    let laid = if animated { 4 * canvas } else { 0 };
    Ok(planes + frame + of_alpha + codes + laid)
}

/// Maximum bytes of codes of any lossless stream in the file: which of several the decoder uses is not known here.
fn most_codes(bytes: &[u8], canvas: [u32; 2]) -> Result<u64, ImageError> {
    let mut most = 0;
    let mut count = |name: &[u8], payload: &[u8], frame: [u32; 2]| {
        let streams = match (name, payload) {
            (b"VP8L", _) => lossless(payload).map(|(sides, stream)| (stream, [sides, sides])),
            (b"ALPH", [info, stream @ ..]) if info & 3 == 1 => Some((stream, [canvas, frame])),
            _ => None,
        };
        let Some((stream, [one, other])) = streams else { return Ok::<_, ImageError>(()) };
        for sides in std::iter::once(one).chain((one != other).then_some(other)) {
            let codes = vp8l::codes(stream, sides);
            let repeated = || ImageError::Damaged("it repeats a transform".to_owned());
            most = most.max(codes.ok_or_else(repeated)?);
        }
        Ok(())
    };
    for Chunk { name, payload, .. } in Chunks(bytes.get(12..).unwrap_or_default()) {
        match (name, payload.split_at_checked(16)) {
            (b"ANMF", Some((header, inner))) => {
                let side = |at: usize| {
                    1 + u32::from_le_bytes([header[at], header[at + 1], header[at + 2], 0])
                };
                for Chunk { name, payload, .. } in Chunks(inner) {
                    count(name, payload, [side(6), side(9)])?;
                }
            }
            _ => count(name, payload, canvas)?,
        }
    }
    Ok(most)
}

/// A chunk, whose end may be missing.
struct Chunk<'a> {
    name: &'a [u8],
    payload: &'a [u8],
    whole: bool,
}

/// The chunks in some bytes.
struct Chunks<'a>(&'a [u8]);

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (header, rest) = self.0.split_first_chunk::<8>()?;
        let name = &self.0[..4];
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let whole = length <= rest.len();
        let payload = &rest[..length.min(rest.len())];
        self.0 = rest.get(length.saturating_add(length % 2)..).unwrap_or_default();
        Some(Chunk { name, payload, whole })
    }
}

/// Refuses a file with a chunk that claims more bytes than there are, because the decoder would allocate them. Bytes after
/// the file's own end are not a chunk, unless the decoder reads them as one.
pub(super) fn check(bytes: &[u8]) -> Result<(), ImageError> {
    const KNOWN: [&[u8]; 9] =
        [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "];
    let length = bytes
        .get(4..8)
        .map_or(0, |size| u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize);
    let mut chunks = Chunks(bytes.get(12..).unwrap_or_default());
    let extended = chunks.0.starts_with(b"VP8X");
    loop {
        let at = bytes.len() - chunks.0.len();
        let Some(Chunk { name, payload, whole }) = chunks.next() else { return Ok(()) };
        let inside = at < length.saturating_add(8);
        let inner = if name == b"ANMF" { payload.get(16..).unwrap_or_default() } else { &[] };
        let truncated = !whole || Chunks(inner).any(|chunk| !chunk.whole);
        if truncated && (inside || KNOWN.contains(&name)) {
            return Err(ImageError::Truncated);
        }
        // Without this header only the first chunk is read.
        if !extended {
            return Ok(());
        }
    }
}

impl<'a> Picture<'a> {
    /// Reads the chunks in `bytes` up to the end of the first picture.
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

/// Width and height of a VP8L picture, and the bytes after them.
fn lossless(payload: &[u8]) -> Option<([u32; 2], &[u8])> {
    let header = payload.get(1..5)?;
    let header = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
    Some(([(header & 0x3FFF) + 1, (header >> 14 & 0x3FFF) + 1], &payload[5..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(name: &[u8], payload: &[u8]) -> Vec<u8> {
        let padding = vec![0; payload.len() % 2];
        [name, &(payload.len() as u32).to_le_bytes(), payload, &padding].concat()
    }

    #[test]
    fn the_streams_of_every_frame_are_looked_at() {
        let stream = |transforms: u8| chunk(b"VP8L", &[0x2F, 7, 0xC0, 1, 0, transforms]);
        let frame = |transforms| chunk(b"ANMF", &[vec![0; 16], stream(transforms)].concat());
        let file = |second| [b"RIFF\0\0\0\0WEBP".to_vec(), frame(0b101), second].concat();
        assert!(most_codes(&file(frame(0b101)), [8, 8]).is_ok());
        for repeated in [frame(0b10_1101), stream(0b10_1101)] {
            assert!(most_codes(&file(repeated), [8, 8]).is_err());
        }
    }
}
