//! The JPEG previews of raw photos that are TIFF files, such as DNG, CR2, NEF and ARW, found by their directories.
//!
//! Tags are those of TIFF 6.0 and TIFF/EP (ISO 12234-2).

use std::collections::{HashSet, VecDeque};

use image::metadata::Orientation;

use super::directory::Directory;
use super::jpeg::Frame;

/// Maximum number of directories that are searched.
const MAX_DIRECTORIES: usize = 64;
/// The side in pixels of the largest encoder input: a preview that has it is large enough.
const ENOUGH: u64 = 512;

/// A preview of a raw photo.
pub(super) struct Preview<'a> {
    pub(super) jpeg: &'a [u8],
    /// The orientation of the photo, if its first directory has one.
    pub(super) orientation: Option<Orientation>,
}

/// Finds the smallest preview that is large enough for every encoder, or else the largest one. `None` if there is none.
pub(super) fn find(bytes: &[u8]) -> Option<Preview<'_>> {
    const ORIENTATION: u16 = 274;
    let first = Directory::first(bytes)?;
    let orientation = first.number(ORIENTATION);
    let orientation = orientation.and_then(|of| Orientation::from_exif(of.min(255) as u8));
    let jpegs = directories(first).into_iter().flat_map(|of| jpegs(bytes, &of));
    let key = |&(_, [width, height]): &(&[u8], [u64; 2])| {
        let (is_small, pixels) = (width.min(height) < ENOUGH, width * height);
        (is_small, if is_small { u64::MAX - pixels } else { pixels })
    };
    let (jpeg, _) = jpegs.min_by_key(key)?;
    Some(Preview { jpeg, orientation })
}

/// All directories of a file, each once.
fn directories(first: Directory) -> Vec<Directory> {
    let mut known = HashSet::new();
    let mut offsets = first.others().into_iter().collect::<VecDeque<_>>();
    let mut found = vec![first];
    while let Some(offset) = offsets.pop_front() {
        if found.len() == MAX_DIRECTORIES {
            break;
        }
        if known.insert(offset)
            && let Some(directory) = found[0].at(offset)
        {
            offsets.extend(directory.others());
            found.push(directory);
        }
    }
    found
}

/// The JPEG images that a directory names, with width and height: by its own tags for them, or as its only strip. Lossless
/// JPEGs, which hold the sensor's values, are not among them.
fn jpegs<'a>(bytes: &'a [u8], directory: &Directory) -> Vec<(&'a [u8], [u64; 2])> {
    const COMPRESSION: u16 = 259;
    const STRIP_OFFSETS: u16 = 273;
    const STRIP_BYTE_COUNTS: u16 = 279;
    const JPEG_OFFSET: u16 = 513;
    const JPEG_LENGTH: u16 = 514;
    let named = [JPEG_OFFSET, JPEG_LENGTH].map(|tag| directory.number(tag));
    let is_jpeg = matches!(directory.number(COMPRESSION), Some(6 | 7));
    let strip = [STRIP_OFFSETS, STRIP_BYTE_COUNTS].map(|tag| directory.only_number(tag));
    let strip = if is_jpeg { strip } else { [None; 2] };
    let jpeg = |[offset, length]: [Option<u32>; 2]| {
        let start = usize::try_from(offset?).ok()?;
        let jpeg = bytes.get(start..start.checked_add(usize::try_from(length?).ok()?)?)?;
        let frame = Frame::read(jpeg).filter(|_| jpeg.starts_with(b"\xFF\xD8"))?;
        Some((jpeg, [frame.width, frame.height]))
    };
    [named, strip].into_iter().filter_map(jpeg).collect()
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let grey = image::GrayImage::new(width, height);
        JpegEncoder::new(&mut bytes).encode_image(&grey).unwrap();
        bytes
    }

    /// A directory of entries with one 32-bit number each, and the offset of the next directory.
    fn directory(entries: &[(u16, u32)], next: u32) -> Vec<u8> {
        let mut bytes = (entries.len() as u16).to_be_bytes().to_vec();
        for (tag, value) in entries {
            bytes.extend(tag.to_be_bytes());
            bytes.extend(b"\0\x04\0\0\0\x01");
            bytes.extend(value.to_be_bytes());
        }
        bytes.extend(next.to_be_bytes());
        bytes
    }

    /// A raw photo with previews of these sizes: the first by its tags in the first directory, the second as a strip of the next
    /// one, the third in a directory below.
    fn raw(sizes: [(u32, u32); 3]) -> Vec<u8> {
        const DIRECTORIES: [u32; 4] = [8, 100, 200, 300];
        let jpegs = sizes.map(|(width, height)| jpeg(width, height));
        let mut offset = 400;
        let places = jpegs.each_ref().map(|jpeg| {
            offset += jpeg.len() as u32;
            (offset - jpeg.len() as u32, jpeg.len() as u32)
        });
        let [first, second, third] = places;
        let written = [
            directory(&[(274, 6 << 16), (330, 200), (513, first.0), (514, first.1)], 100),
            directory(&[(259, 6), (273, second.0), (279, second.1)], 0),
            directory(&[(259, 7), (273, third.0), (279, third.1)], 300),
            // A loop, and strips beyond the end of the file.
            directory(&[(259, 7), (273, u32::MAX), (279, u32::MAX)], 8),
        ];
        let mut bytes = vec![0; 400];
        bytes[..8].copy_from_slice(b"MM\0*\0\0\0\x08");
        for (at, directory) in DIRECTORIES.into_iter().zip(written) {
            bytes[at as usize..at as usize + directory.len()].copy_from_slice(&directory);
        }
        bytes.extend(jpegs.concat());
        bytes
    }

    #[test]
    fn the_smallest_preview_that_is_large_enough_is_taken() {
        for (sizes, expected) in [
            ([(640, 512), (1600, 1200), (160, 120)], [640, 512]),
            ([(160, 120), (800, 600), (1600, 1200)], [800, 600]),
            ([(160, 120), (320, 240), (511, 800)], [511, 800]),
            ([(300, 200), (160, 120), (80, 60)], [300, 200]),
        ] {
            let bytes = raw(sizes);
            let preview = find(&bytes).unwrap();
            let frame = Frame::read(preview.jpeg).unwrap();
            assert_eq!([frame.width, frame.height], expected);
        }
    }

    #[test]
    fn a_damaged_file_has_no_preview_or_a_whole_one() {
        let bytes = raw([(160, 120), (800, 600), (1600, 1200)]);
        for end in [0, 4, 8, 9, 60, 150, 399, 420, bytes.len() - 1] {
            let found = find(&bytes[..end]);
            assert!(found.is_none_or(|preview| Frame::read(preview.jpeg).is_some()));
        }
        let at = bytes.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
        let mut bytes = bytes;
        bytes[at + 1] = 0xC3;
        assert_eq!(Frame::read(find(&bytes).unwrap().jpeg).unwrap().width, 800, "lossless");
    }
}
