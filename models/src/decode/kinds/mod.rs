//! Image formats that the image crate does not decode, recognised by their bytes or by their file extension.

mod table;

use std::path::Path;

use self::table::{
    AVIF, BEGINNINGS, CANON, CANON_OTHER, DICOM, DNG, HEIC, JPEG_2000, KINDS, NETPBM, NIKON,
    PENTAX, RAW, SAMSUNG, SONY, SVG, TARGA, VIDEO,
};
use super::directory::Directory;

/// An image format that the image crate does not decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) reading: Reading,
    advice: &'static str,
    /// File extensions.
    extensions: &'static [&'static str],
}

/// How a format is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// It is not.
    Never,
    /// By libheif.
    Libheif,
    /// By its JPEG preview.
    Preview,
}

impl Kind {
    /// Whether files of the format are read here.
    fn is_read(&self) -> bool {
        match self.reading {
            Reading::Never => false,
            Reading::Libheif => heif::check().is_ok(),
            Reading::Preview => true,
        }
    }

    /// The reason why it is not read, and the next step.
    pub(super) fn refusal(&self, reason: &str) -> String {
        let Self { name, advice, .. } = self;
        format!("{name}{reason}; {advice}")
    }
}

/// The image format that is not read of a file by its extension: `Some("JPEG XL")` for `a.jxl`, and `Some("HEIC")` for
/// `IMG_1.HEIC` where libheif is missing. `None` for formats that are read, and for other files.
#[must_use]
pub fn unread_kind(path: &Path) -> Option<&'static str> {
    by_extension(path).filter(|kind| !kind.is_read()).map(|kind| kind.name)
}

/// The image format that is not read of a file by its bytes, of which the first 64 KiB are enough. `None` for formats that
/// are read, and for other files.
#[must_use]
pub(crate) fn unread_kind_of_bytes(bytes: &[u8]) -> Option<&'static str> {
    of_bytes(bytes).filter(|kind| !kind.is_read()).map(|kind| kind.name)
}

/// Whether the bytes are of a format that libheif or a preview makes readable here.
#[must_use]
pub(crate) fn is_read_otherwise(bytes: &[u8]) -> bool {
    of_bytes(bytes).is_some_and(|kind| kind.is_read())
}

/// Whether a file has the extension of a format that libheif or a preview makes readable here.
pub(super) fn has_readable_extension(path: &Path) -> bool {
    by_extension(path).is_some_and(|kind| kind.is_read())
}

/// The extensions of formats that libheif or a preview makes readable here.
pub(super) fn readable_extensions() -> impl Iterator<Item = &'static str> {
    KINDS.into_iter().filter(Kind::is_read).flat_map(|kind| kind.extensions).copied()
}

fn by_extension(path: &Path) -> Option<Kind> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    KINDS.into_iter().find(|kind| kind.extensions.contains(&extension.as_str()))
}

/// The format of a file that the image crate does not decode.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<Kind> {
    let begins = BEGINNINGS.iter().find(|(beginning, _)| bytes.starts_with(beginning));
    begins
        .map(|(_, kind)| *kind)
        .or_else(|| of_media_file(bytes))
        .or_else(|| of_directory(bytes))
        .or_else(|| of_text(bytes))
        .or_else(|| (bytes.get(128..132) == Some(b"DICM")).then_some(DICOM))
        .or_else(|| bytes.ends_with(b"TRUEVISION-XFILE.\0").then_some(TARGA))
}

/// HEIC and related formats: a box `ftyp` with brands.
fn of_media_file(bytes: &[u8]) -> Option<Kind> {
    let length =
        u32::from_be_bytes([*bytes.first()?, *bytes.get(1)?, *bytes.get(2)?, *bytes.get(3)?]);
    let brands = bytes.get(8..(length as usize).min(bytes.len()).max(12))?;
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    let brands = || brands.chunks_exact(4);
    let any = |of: &[&[u8]]| brands().any(|brand| of.contains(&brand));
    if any(&[b"avif", b"avis"]) {
        Some(AVIF)
    } else if any(&[b"crx "]) {
        Some(CANON_OTHER)
    } else if any(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        Some(HEIC)
    } else if any(&[b"jp2 ", b"jpx "]) {
        Some(JPEG_2000)
    } else {
        Some(VIDEO)
    }
}

/// Raw photos that are TIFF files, which begin with a thumbnail.
fn of_directory(bytes: &[u8]) -> Option<Kind> {
    const DNG_VERSION: u16 = 50_706;
    const MAKE: u16 = 271;
    const SUBFILE_TYPE: u16 = 254;
    const SUB_DIRECTORIES: u16 = 330;
    const PHOTOMETRIC: u16 = 262;
    let directory = Directory::first(bytes)?;
    if directory.entry(DNG_VERSION).is_some() {
        return Some(DNG);
    }
    if bytes.get(8..10) == Some(b"CR") {
        return Some(CANON);
    }
    let small = directory.number(SUBFILE_TYPE).is_some_and(|kind| kind & 1 == 1);
    let sensor =
        directory.number(PHOTOMETRIC).is_some_and(|meaning| matches!(meaning, 32_803 | 34_892));
    let preview = small && directory.entry(SUB_DIRECTORIES).is_some();
    if !sensor && !preview {
        return None;
    }
    let make = directory.text(MAKE).unwrap_or_default().to_ascii_uppercase();
    let makers: [(&[u8], Kind); 6] = [
        (b"NIKON", NIKON),
        (b"SONY", SONY),
        (b"CANON", CANON),
        (b"PENTAX", PENTAX),
        (b"RICOH", PENTAX),
        (b"SAMSUNG", SAMSUNG),
    ];
    let maker = makers.iter().find(|(name, _)| make.starts_with(name));
    Some(maker.map_or(RAW, |(_, kind)| *kind))
}

/// SVG and Netpbm.
fn of_text(bytes: &[u8]) -> Option<Kind> {
    if let [b'P', b'1'..=b'7', space, ..] = bytes
        && space.is_ascii_whitespace()
    {
        return Some(NETPBM);
    }
    let start = &bytes[..bytes.len().min(4096)];
    let start = String::from_utf8_lossy(start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start));
    let start = start.trim_start();
    let is_drawing = start.starts_with("<svg")
        || (start.starts_with("<?xml") || start.starts_with("<!")) && start.contains("<svg");
    is_drawing.then_some(SVG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(brands: &[&[u8; 4]]) -> Vec<u8> {
        let length = (16 + 4 * (brands.len() - 1)) as u32;
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend(b"ftyp");
        bytes.extend(brands[0]);
        bytes.extend([0; 4]);
        brands[1..].iter().for_each(|brand| bytes.extend(*brand));
        bytes.extend(b"\0\0\0\x08mdat");
        bytes
    }

    #[test]
    fn bytes_tell_the_kind() {
        for (bytes, expected) in [
            (boxed(&[b"heic", b"mif1"]), "HEIC"),
            (boxed(&[b"mif1", b"heic", b"miaf"]), "HEIC"),
            (boxed(&[b"mif1", b"avif", b"miaf"]), "AVIF"),
            (boxed(&[b"crx ", b"isom"]), "Canon raw photo"),
            (boxed(&[b"qt  "]), "video"),
            (b"\xFF\x0A\x10".to_vec(), "JPEG XL"),
            (b"\xEF\xBB\xBF<?xml version='1.0'?>\n<svg/>".to_vec(), "SVG drawing"),
            (b"P6\n2 2\n255\n".to_vec(), "Netpbm image"),
            (b"%PDF-1.7".to_vec(), "PDF document"),
        ] {
            assert_eq!(of_bytes(&bytes).map(|kind| kind.name), Some(expected));
        }
        for bytes in [&b""[..], b"P7", b"<html><svg/></html>", b"GIF89a", b"\xFF\xD8\xFF\xE0"] {
            assert_eq!(unread_kind_of_bytes(bytes), None);
        }
    }

    /// A TIFF file with entries of one 32-bit number each, and the name of a maker.
    fn tiff(numbers: &[(u16, u32)], make: &[u8]) -> Vec<u8> {
        let mut bytes = b"II*\0\x08\0\0\0".to_vec();
        bytes.extend((numbers.len() as u16 + 1).to_le_bytes());
        for (tag, value) in numbers {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(b"\x04\0\x01\0\0\0");
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(271_u16.to_le_bytes());
        bytes.extend(b"\x02\0");
        bytes.extend((make.len() as u32).to_le_bytes());
        bytes.extend((bytes.len() as u32 + 4).to_le_bytes());
        bytes.extend(make);
        bytes
    }

    #[test]
    fn raw_photos_are_no_tiff() {
        for (numbers, make, expected) in [
            (&[(254, 1), (330, 999)][..], &b"NIKON CORPORATION\0"[..], "Nikon raw photo"),
            (&[(254, 1), (330, 999)], b"SONY\0", "Sony raw photo"),
            (&[(262, 32_803)], b"PENTAX Corporation\0", "Pentax raw photo"),
            (&[(262, 32_803)], b"Some other maker\0", "raw photo"),
            (&[(50_706, 1)], b"Google\0", "DNG raw photo"),
        ] {
            let kind = of_bytes(&tiff(numbers, make)).unwrap();
            assert_eq!((kind.name, kind.reading), (expected, Reading::Preview));
        }
        assert_eq!(unread_kind_of_bytes(&tiff(&[(254, 0), (262, 2)], b"NIKON scanner\0")), None);
    }

    #[test]
    fn names_tell_the_kind() {
        let heic = unread_kind(Path::new("a/IMG_1.HEIC"));
        assert_eq!(heic, heif::check().is_err().then_some("HEIC"));
        assert_eq!(unread_kind(Path::new("DSC.rw2")), Some("Panasonic or Leica raw photo"));
        for name in ["a.jpg", "a.JFIF", "DSC.nef", "notes.txt", "heic", ".heic"] {
            assert_eq!(unread_kind(Path::new(name)), None, "{name}");
        }
        for kind in KINDS {
            let read = kind.extensions.iter().any(|name| super::super::EXTENSIONS.contains(name));
            assert!(!read, "{kind:?}");
        }
    }
}
