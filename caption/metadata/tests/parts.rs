//! Parts of photos that a caption must not lose or break: other pictures in the file, what follows the image, signatures.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::Size;
use image::{ImageFormat, Rgb, RgbImage};
use metadata::{Embedding, Error, Existing, Keep, Text};
use tempfile::TempDir;

const TEXT: Text = Text { text: "A dog runs.", model: "showtell", existing: Existing::Skip };

fn encoded(format: ImageFormat, blue: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(32, 24, Rgb([140, 90, blue])).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn place(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("photo");
    fs::write(&path, bytes).unwrap();
    path
}

fn read(path: &Path) -> metadata::Result<Embedding> {
    Embedding::read(path, Size::mib(16))
}

fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
    let length = (contents.len() as u16 + 2).to_be_bytes();
    [&[0xFF, marker], &length[..], contents].concat()
}

/// A JPEG file with two pictures: their index, with a size and an offset, stands before IPTC records, which grow.
fn with_two_pictures() -> (Vec<u8>, usize) {
    let (first, second) = (encoded(ImageFormat::Jpeg, 0), encoded(ImageFormat::Jpeg, 200));
    let records = b"Photoshop 3.0\08BIM\x04\x04\0\0\0\0\0\x08\x1C\x02\x19\0\x03dog";
    let index = |size: usize, offset: usize| {
        let number = |number: usize| (number as u32).to_le_bytes();
        let directory = b"MPF\0II*\0\x08\0\0\0\x01\0\x02\xB0\x07\0\x20\0\0\0\x1A\0\0\0\0\0\0\0";
        let entries = [number(0x0003_0000), number(size), number(0), [0; 4]].concat();
        let other = [number(0), number(second.len()), number(offset), [0; 4]].concat();
        segment(0xE2, &[&directory[..], &entries, &other].concat())
    };
    let size = first.len() + index(0, 0).len() + segment(0xED, records).len();
    // Offsets are counted from the byte order of the index, which follows SOI, the marker, the length and the name.
    let index = index(size, size - 10);
    let file = [&first[..2], &index, &segment(0xED, records), &first[2..], &second].concat();
    (file, size)
}

#[test]
fn other_pictures_and_what_follows_the_image_are_found_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let (file, size) = with_two_pictures();
    let second = file[size..].to_vec();
    let path = place(&folder, &file);
    read(&path).unwrap().write(&TEXT, None, Keep::default()).unwrap();
    let after = fs::read(&path).unwrap();
    let index = after.windows(4).position(|part| part == b"MPF\0").unwrap() + 4;
    let number =
        |at: usize| u32::from_le_bytes(after[index + at..][..4].try_into().unwrap()) as usize;
    let (size, offset) = (number(26 + 4), number(26 + 16 + 8));
    assert_eq!(after[size..], second, "the size of the first picture");
    assert_eq!(after[index + offset..], second, "the offset of the second");
    assert_eq!(number(26 + 16 + 4), second.len());
    assert!(read(&path).unwrap().remove(Keep::default()).unwrap());
    assert_eq!(fs::read(&path).unwrap(), file);

    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let path = place(&folder, &[&encoded(format, 0)[..], b"and a trailer"].concat());
        read(&path).unwrap().write(&TEXT, None, Keep::default()).unwrap();
        assert!(fs::read(&path).unwrap().ends_with(b"and a trailer"), "{format:?}");
    }
}

#[test]
fn photos_with_signed_provenance_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [jpeg, png, webp] =
        [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::WebP].map(|format| encoded(format, 0));
    let box_of_c2pa = segment(0xEB, b"JP\0\0\0\0\0\x01\0\0\0\x20jumbjumdc2pa");
    let mut riff = [&webp[..], b"C2PA\x04\0\0\0jumb"].concat();
    let size = (riff.len() as u32 - 8).to_le_bytes();
    riff[4..8].copy_from_slice(&size);
    let crc = crc32fast::hash(b"caBX").to_be_bytes();
    let png = [&png[..33], b"\0\0\0\0caBX", &crc, &png[33..]].concat();
    let tiff = b"II*\0\x08\0\0\0\x01\0\x41\xCD\x07\0\x02\0\0\0jb\0\0\0\0\0\0".to_vec();
    let jpeg = [&jpeg[..2], &box_of_c2pa, &jpeg[2..]].concat();
    for (name, bytes) in [("JPEG", jpeg), ("PNG", png), ("WebP", riff), ("TIFF", tiff)] {
        let path = place(&folder, &bytes);
        let signed = read(&path).unwrap().check_unsigned();
        assert!(matches!(signed, Err(Error::Signed)), "{name}: {signed:?}");
    }
    let path = place(&folder, &encoded(ImageFormat::Jpeg, 0));
    read(&path).unwrap().check_unsigned().unwrap();
}

#[test]
fn damaged_files_and_other_formats_are_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let jpeg = encoded(ImageFormat::Jpeg, 0);
    let exif = segment(0xE1, b"Exif\0\0II*\0\xFF\0\0\0");
    let long =
        segment(0xE1, &[&b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"[..], &vec![7; 65_500]].concat());
    let with = |part: &[u8]| [&jpeg[..2], part, &jpeg[2..]].concat();
    for (bytes, expected) in [
        (encoded(ImageFormat::Bmp, 0), "only JPEG, PNG, WebP and TIFF"),
        (jpeg[..200].to_vec(), "its parts cannot be read"),
        (b"\xFF\xD8\xFF\xD9".to_vec(), "it has no image"),
        (encoded(ImageFormat::Png, 0)[..40].to_vec(), "its parts cannot be read"),
        (with(&exif), "its directory is cut off"),
        (with(&long), "no room"),
        (b"MM\0+\0\x08".to_vec(), "only JPEG"),
    ] {
        let path = place(&folder, &bytes);
        let written = read(&path).and_then(|photo| photo.write(&TEXT, None, Keep::default()));
        let error = written.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no scratch file stays");
}

#[test]
fn a_photo_that_was_changed_or_is_written_by_another_run_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = place(&folder, &encoded(ImageFormat::Jpeg, 0));
    let photo = read(&path).unwrap();
    fs::write(&path, encoded(ImageFormat::Png, 9)).unwrap();
    assert!(matches!(photo.write(&TEXT, None, Keep::default()), Err(Error::Changed { .. })));
    assert_eq!(fs::read(&path).unwrap(), encoded(ImageFormat::Png, 9));

    read(&path).unwrap().write(&TEXT, None, Keep::default()).unwrap();
    let written = fs::read(&path).unwrap();
    read(&path).unwrap().write(&TEXT, None, Keep::default()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), written, "the same text is not written again");

    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let other = Text { text: "Two dogs.", existing: Existing::Overwrite, ..TEXT };
    let refused = read(&path).unwrap().write(&other, None, Keep::default());
    assert!(matches!(refused, Err(Error::ReadOnly { .. })), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), written);
}
