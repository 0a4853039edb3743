//! Captions in real photos, read back by `exiftool` and `exiv2`: every field that was written is found, every other tag stays, and
//! so do the compressed images.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]
#![expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::Size;
use metadata::{Embedding, Existing, Keep, Photo, Places, Sidecar, Text, sidecar_path};
use serde_json::Value;
use tempfile::TempDir;

const PHOTOS: usize = 100;
const LIMIT: Size = Size::mib(64);
const CAPTION: &str = "A brown dog & a <small> cat run.";
const TEXT: Text = Text { text: CAPTION, model: "showtell 0.1.0 abc", existing: Existing::Skip };
/// Tags of the file, and those that say where something lies or how it was made, by the beginning of their names.
const OF_THE_FILE: [&str; 12] = [
    "SourceFile",
    "ExifTool:",
    "File:",
    "System:",
    "Composite:",
    "XMP-x:XMPToolkit",
    "IFD0:StripOffsets",
    "IFD1:ThumbnailOffset",
    "Photoshop:IPTCDigest",
    "MPF0:",
    "MPImage",
    "RIFF:",
];

/// The tags of a file by group and name.
type Tags = BTreeMap<String, Value>;

fn read(exiftool: &Path, files: &[PathBuf]) -> Vec<Tags> {
    let output =
        Command::new(exiftool).args(["-j", "-G1", "-a", "-struct"]).args(files).output().unwrap();
    let all = serde_json::from_slice::<Vec<Tags>>(&output.stdout).unwrap();
    assert_eq!(all.len(), files.len());
    let of_content = |name: &String| !OF_THE_FILE.iter().any(|prefix| name.starts_with(prefix));
    let content = |tags: Tags| tags.into_iter().filter(|(name, _)| of_content(name)).collect();
    all.into_iter().map(content).collect()
}

/// Real photos in four formats, half of them with metadata of other programs.
fn photos(exiftool: &Path, shared: &Path) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let mut with_metadata = Vec::new();
    let mut all = Vec::new();
    for (at, photo) in tests::files_in(shared).iter().take(PHOTOS).enumerate() {
        let extension = ["jpg", "png", "webp", "tif"][at % 4];
        let path = folder.path().join(format!("{at:03}.{extension}"));
        if extension == "jpg" {
            fs::write(&path, fs::read(photo).unwrap()).unwrap();
        } else {
            image::open(photo).unwrap().thumbnail(160, 160).to_rgb8().save(&path).unwrap();
        }
        if at % 8 < 4 {
            with_metadata.push(path.clone());
        }
        all.push(path);
    }
    let written = Command::new(exiftool)
        .args(["-q", "-overwrite_original", "-Make=Canon", "-Artist=Zoë", "-GPSLatitude=21.03"])
        .args(["-GPSLatitudeRef=N", "-XMP:Rating=4", "-XMP:Subject=dog"])
        .args(["-XMP-xmpRights:Marked=true", "-XMP-mwg-rs:RegionInfo={RegionList=[{Name=Rex}]}"])
        .args(&with_metadata)
        .status();
    assert!(written.unwrap().success());
    // The other formats have no standard place for IPTC records.
    let with_iptc = with_metadata.iter().step_by(3).filter(|path| {
        path.extension().is_some_and(|extension| extension == "jpg" || extension == "tif")
    });
    let written = Command::new(exiftool)
        .args(["-q", "-overwrite_original", "-IPTC:Keywords=dog", "-IPTC:Credit=me"])
        .args(with_iptc)
        .status();
    assert!(written.unwrap().success());
    (folder, all)
}

/// The compressed image: what follows the first scan header of JPEG, the image chunks of PNG and WebP.
fn compressed(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let chunks = |start: usize, kinds: &[&[u8]], is_big: bool, tail: usize| {
        let (mut at, mut found) = (start, Vec::new());
        while at + 8 <= bytes.len() {
            let (kind, size) = if is_big { (at + 4, at) } else { (at, at + 4) };
            let size = bytes[size..size + 4].try_into().unwrap();
            let size =
                if is_big { u32::from_be_bytes(size) } else { u32::from_le_bytes(size) } as usize;
            if kinds.contains(&&bytes[kind..kind + 4]) {
                found.extend(&bytes[at + 8..at + 8 + size]);
            }
            at += 8 + size + tail + if is_big { 0 } else { size % 2 };
        }
        found
    };
    match path.extension().unwrap().to_str().unwrap() {
        "jpg" | "jpeg" => {
            let start = bytes.windows(2).position(|pair| pair == [0xFF, 0xDA]);
            start.map_or_else(Vec::new, |start| bytes[start..].to_vec())
        }
        "png" => chunks(8, &[b"IDAT"], true, 4),
        "webp" => chunks(12, &[b"VP8 ", b"VP8L", b"ALPH", b"ANMF"], false, 0),
        _ => image::open(path).unwrap().into_bytes(),
    }
}

fn is_left_alone(path: &Path) -> bool {
    let places = Places { embedded: true, sidecar: false };
    Photo::read(path, LIMIT, places, Existing::Skip).unwrap().places() == Places::default()
}

fn write(path: &Path) -> metadata::Result<()> {
    Embedding::read(path, LIMIT)?.write(&TEXT, None, Keep::default())
}

/// Splits the tags into those that this crate writes and all others.
fn split(tags: &Tags) -> (Tags, Tags) {
    let is_ours = |name: &str| {
        name.starts_with("XMP-showtell:")
            || name.starts_with("XMP-dc:Description")
            || [
                "XMP-iptcCore:AltTextAccessibility",
                "IFD0:ImageDescription",
                "IPTC:Caption-Abstract",
            ]
            .contains(&name)
    };
    tags.clone().into_iter().partition(|(name, _)| is_ours(name))
}

#[test]
fn every_field_is_read_back_and_no_other_tag_changes() {
    let (Some(exiftool), Some(exiv2)) =
        (tests::metadata_reader("exiftool"), tests::metadata_reader("exiv2"))
    else {
        return;
    };
    let Some(shared) = tests::shared("photos") else { return };
    let (_folder, files) = photos(&exiftool, &shared);
    let before = read(&exiftool, &files);
    let images = files.iter().map(|path| compressed(path)).collect::<Vec<_>>();
    assert!(images.iter().all(|image| image.len() > 500));
    for path in &files {
        write(path).unwrap();
    }
    let after = read(&exiftool, &files);
    for ((path, tags), old) in files.iter().zip(&after).zip(&before) {
        let (ours, others) = split(tags);
        assert_eq!(ours["XMP-dc:Description"], CAPTION, "{}", path.display());
        assert_eq!(ours["XMP-iptcCore:AltTextAccessibility"], CAPTION);
        assert_eq!(ours["IFD0:ImageDescription"], CAPTION);
        assert_eq!(ours["XMP-showtell:Model"], TEXT.model);
        let has_iptc = old.keys().any(|name| name.starts_with("IPTC:"));
        let iptc = ours.get("IPTC:Caption-Abstract").and_then(Value::as_str);
        assert_eq!(iptc, has_iptc.then_some(CAPTION), "{}", path.display());
        let old = split(old).1;
        assert_eq!(others, old);
    }
    let known = Command::new(exiv2).args(["-q", "-pa"]).args(&files).output().unwrap();
    let known = String::from_utf8_lossy(&known.stdout).into_owned();
    for key in
        ["Exif.Image.ImageDescription ", "Xmp.dc.description ", "Xmp.iptc.AltTextAccessibility "]
    {
        assert_eq!(known.matches(key).count(), PHOTOS, "{key}");
    }
    for (path, image) in files.iter().zip(&images) {
        assert_eq!(compressed(path), *image, "{}", path.display());
    }
    for path in &files {
        assert!(is_left_alone(path));
        assert!(Embedding::read(path, LIMIT).unwrap().remove(Keep::default()).unwrap());
    }
    assert_eq!(read(&exiftool, &files), before);
    for (path, image) in files.iter().zip(&images) {
        assert_eq!(compressed(path), *image, "{}", path.display());
    }
}

/// Maker notes, multi-picture and gain-map parts of real cameras survive.
#[test]
fn photos_of_many_cameras_keep_their_maker_notes() {
    let (Some(exiftool), Some(samples)) =
        (tests::metadata_reader("exiftool"), tests::camera_samples())
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let is_photo = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        extension.is_some_and(|of| ["jpg", "tif", "png", "webp"].contains(&of))
    };
    let copy = |path: PathBuf| {
        let copy = folder.path().join(path.file_name().unwrap());
        fs::write(&copy, fs::read(path).unwrap()).unwrap();
        copy
    };
    let files =
        tests::files_in(&samples).into_iter().filter(is_photo).map(copy).collect::<Vec<_>>();
    assert!(files.len() > 40);
    let before = read(&exiftool, &files);
    let originals = files.iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
    let overwrite = Text { existing: Existing::Overwrite, ..TEXT };
    let mut refused = Vec::new();
    for (path, original) in files.iter().zip(&originals) {
        let written =
            Embedding::read(path, LIMIT).and_then(|it| it.write(&overwrite, None, Keep::default()));
        if let Err(error) = written {
            assert_eq!(fs::read(path).unwrap(), *original, "a refused photo is not touched");
            refused.push(format!("{}: {error}", path.file_name().unwrap().display()));
        }
    }
    let after = read(&exiftool, &files);
    let changed = changes(&files, &before, &after);
    assert!(changed.is_empty(), "{}\nrefused: {refused:#?}", changed.join("\n"));
    assert!(refused.len() < 5, "{refused:#?}");
}

/// The tags that differ, without those that this crate writes.
fn changes(files: &[PathBuf], before: &[Tags], after: &[Tags]) -> Vec<String> {
    let mut changed = Vec::new();
    for ((path, new), old) in files.iter().zip(after).zip(before) {
        let ((_, new), (_, old)) = (split(new), split(old));
        for name in new.keys().chain(old.keys()) {
            let (new, old) = (new.get(name), old.get(name));
            if new != old {
                changed.push(format!("{}: {name}: {old:?} is {new:?}", path.display()));
            }
        }
    }
    changed
}

#[test]
fn sidecars_of_other_programs_keep_all_they_have() {
    let Some(exiftool) = tests::metadata_reader("exiftool") else { return };
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("photo.jpg");
    let path = sidecar_path(&photo);
    let made = Command::new(&exiftool)
        .args(["-q", "-XMP:Rating=4", "-XMP:Subject=dog", "-XMP:Subject=cat"])
        .args(["-XMP-mwg-rs:RegionInfo={RegionList=[{Name=Rex},{Name=Mimi}]}", "-XMP:Title-vi=Chó"])
        .args(["-XMP:Description-vi=Một con chó"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    let files = [path.clone()];
    let before = read(&exiftool, &files);
    let bytes = fs::read(&path).unwrap();
    let overwrite = Text { existing: Existing::Overwrite, ..TEXT };
    Sidecar::read(&path).unwrap().write(&overwrite, None).unwrap();
    let after = read(&exiftool, &files);
    assert_eq!(after[0]["XMP-dc:Description"], CAPTION);
    assert_eq!(after[0]["XMP-dc:Description-vi"], "Một con chó");
    assert_eq!(split(&after[0]).1, split(&before[0]).1);
    assert!(Sidecar::read(&path).unwrap().remove().unwrap());
    assert_eq!(read(&exiftool, &files), before);

    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(Sidecar::read(&path).is_err());
    assert_eq!(fs::read(&path).unwrap(), bytes[..bytes.len() / 2]);
    fs::remove_file(&path).unwrap();
    Sidecar::read(&path).unwrap().write(&TEXT, None).unwrap();
    assert_eq!(read(&exiftool, &files)[0]["XMP-iptcCore:AltTextAccessibility"], CAPTION);
    assert!(Sidecar::read(&path).unwrap().remove().unwrap());
    assert!(!path.exists(), "a sidecar of our own is removed");
}
