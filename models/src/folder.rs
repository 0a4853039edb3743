//! The photos of a folder and the folders below it. All programs list photos in this way.
//!
//! Files are selected by their extension, hidden ones included. Links are followed. The side files of macOS
//! (`._photo.jpg`) and the system folders of thumbnails and deleted files are skipped.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use common::SkippedEntries;
use common::names::one_line;
use image::ImageFormat;
use walkdir::{DirEntry, WalkDir};

use crate::decode::{has_image_extension, is_read_otherwise, unread_kind, unread_kind_of_bytes};

/// Folders of systems and devices: thumbnails, indexes, deleted files.
const SYSTEM_FOLDERS: [&str; 15] = [
    "@eaDir",
    "#recycle",
    "$RECYCLE.BIN",
    "System Volume Information",
    "__MACOSX",
    ".@__thumb",
    ".AppleDouble",
    ".DocumentRevisions-V100",
    ".Spotlight-V100",
    ".TemporaryItems",
    ".Trash",
    ".Trashes",
    ".fseventsd",
    ".git",
    ".thumbnails",
];

/// The prefix of Linux's folders of deleted files, such as `.Trash-1000`.
const TRASH: &str = ".Trash-";

/// The first bytes of an `AppleDouble` file, which holds the metadata of macOS on other file systems.
pub const APPLE_DOUBLE: [u8; 4] = [0x00, 0x05, 0x16, 0x07];

/// Extensions of files that are often next to photos and are not opened.
const TEXT: [&str; 5] = ["csv", "json", "txt", "xml", "xmp"];

/// Bytes at the beginning of a file that are enough to identify its format.
const FIRST_BYTES: u64 = 1 << 16;

/// The reason why photos with other extensions are skipped.
const MISNAMED: &str =
    "a photo by its content but not by its name; end the name in .jpg or the like";

/// The files of a folder.
#[derive(Debug, Default)]
pub struct Listing {
    /// The selected files, sorted by name.
    pub files: Vec<PathBuf>,
    /// Files that seem to be photos and are not supported, by reason.
    pub skipped_entries: SkippedEntries,
    /// Entries that cannot be read.
    pub problems: Vec<Problem>,
}

/// A folder or file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its path.
    pub path: PathBuf,
    /// The cause.
    pub reason: String,
}

/// Lists the photos below `folder`, and the files with one of the extensions `others`, such as `tar`.
///
/// An entry that cannot be read is one of the problems and does not stop the listing. A link to a folder above is skipped.
#[must_use]
pub fn list(folder: &Path, others: &[&str]) -> Listing {
    let mut listing = Listing::default();
    let entries = WalkDir::new(folder).follow_links(true).sort_by_file_name();
    for entry in entries.into_iter().filter_entry(|entry| !is_system_folder(entry)) {
        match entry {
            Ok(entry) => listing.add(folder, &entry, others),
            Err(error) if error.loop_ancestor().is_some() => {}
            Err(error) => {
                let path = error.path().unwrap_or(folder).to_path_buf();
                listing.problems.push(Problem { reason: reason(&path, error), path });
            }
        }
    }
    listing
}

impl Listing {
    fn add(&mut self, folder: &Path, entry: &DirEntry, others: &[&str]) {
        let path = entry.path();
        let is_file = entry.file_type().is_file();
        if entry.file_type().is_dir() || (is_file && is_side_file(path)) {
            return;
        }
        let is_wanted = has_image_extension(path) || has_extension(path, others);
        let name = path.strip_prefix(folder).unwrap_or(path);
        let mut leave_out =
            |why: String| self.skipped_entries.add(why, one_line(&name.to_string_lossy()));
        if !is_file {
            if is_wanted || unread_kind(path).is_some() {
                leave_out("not a regular file".to_owned());
            }
        } else if is_wanted {
            self.files.push(path.to_path_buf());
        } else if let Some(reason) = skipped_entries_for(path) {
            leave_out(reason);
        }
    }
}

/// The reason why a file that seems to be a photo is skipped; `None` for other files. Its bytes take precedence over its
/// name.
fn skipped_entries_for(path: &Path) -> Option<String> {
    let by_name = unread_kind(path);
    if by_name.is_none() && has_extension(path, &TEXT) {
        return None;
    }
    let bytes = first_bytes(path, FIRST_BYTES);
    if is_read_otherwise(&bytes) {
        return Some(MISNAMED.to_owned());
    }
    let format = image::guess_format(&bytes).ok();
    match (unread_kind_of_bytes(&bytes), by_name, format) {
        (
            None,
            _,
            Some(ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Gif | ImageFormat::WebP),
        )
        | (None, None, Some(ImageFormat::Tiff)) => Some(MISNAMED.to_owned()),
        (by_bytes, Some(kind), _) => Some(unread(by_bytes.unwrap_or(kind))),
        // Videos and documents are not reported.
        (Some(kind), None, Some(ImageFormat::Tiff | ImageFormat::Avif)) => Some(unread(kind)),
        (Some("HEIC"), None, _) => Some(unread("HEIC")),
        _ => None,
    }
}

/// The reason why a photo of an unsupported format is skipped.
#[must_use]
pub fn unread(kind: &str) -> String {
    match heif::check() {
        Err(error) if ["HEIC", "AVIF"].contains(&kind) => format!("{kind}: {error}"),
        _ => format!("{kind} is not read; save it as JPEG or PNG"),
    }
}

/// Whether a path is in a system folder, such as `__MACOSX`.
#[must_use]
pub fn is_in_system_folder(path: &Path) -> bool {
    path.iter().any(|part| part.to_str().is_some_and(is_system))
}

fn is_system(name: &str) -> bool {
    SYSTEM_FOLDERS.contains(&name) || name.starts_with(TRASH)
}

/// Whether an entry is a system folder. The listed folder itself is not one, whatever its name.
fn is_system_folder(entry: &DirEntry) -> bool {
    let is_folder = entry.depth() > 0 && entry.file_type().is_dir();
    is_folder && entry.file_name().to_str().is_some_and(is_system)
}

/// Whether a file has the name of a side file of macOS, `._photo.jpg`. Some photos have such names.
#[must_use]
pub fn is_called_as_side_file(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"._"))
}

fn is_side_file(path: &Path) -> bool {
    is_called_as_side_file(path) && first_bytes(path, APPLE_DOUBLE.len() as u64) == APPLE_DOUBLE
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|of| extensions.iter().any(|other| of.eq_ignore_ascii_case(other)))
}

/// The first bytes of a file, none if it cannot be read.
fn first_bytes(path: &Path, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes));
    if read.is_ok() { bytes } else { Vec::new() }
}

/// The reason why an entry cannot be read.
fn reason(path: &Path, error: walkdir::Error) -> String {
    let error = error.into_io_error().unwrap_or_else(|| ErrorKind::Other.into());
    match fs::read_link(path) {
        Ok(target) if error.kind() == ErrorKind::NotFound => {
            format!("a link to {}, which is not there", target.display())
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01";

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        folder
    }

    fn names(folder: &Path, listing: &Listing) -> Vec<String> {
        let below = |path: &PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
        listing.files.iter().map(below).collect()
    }

    #[test]
    fn unsupported_formats_are_counted() {
        let folder = folder(&[
            ("a.JPG", JPEG),
            ("b.tar", b""),
            ("c.Cr3", b"raw"),
            ("d.raf", b"raw"),
            ("more/e.JXL", b"jxl"),
            ("f.jpg_large", JPEG),
            ("g", JPEG),
            ("notes.txt", b"notes"),
            ("LICENSE", b"a licence, which is long enough"),
        ]);
        UnixListener::bind(folder.path().join("h.png")).unwrap();
        let listing = list(folder.path(), &["tar"]);
        assert_eq!(names(folder.path(), &listing), ["a.JPG", "b.tar"]);
        assert_eq!((listing.skipped_entries.count(), listing.problems.len()), (6, 0));
        let message = listing.skipped_entries.to_string();
        for part in [
            "c.Cr3",
            "Fujifilm raw photo is not read; save it as JPEG or PNG (d.raf)",
            "more/e.JXL",
        ] {
            assert!(message.contains(part), "no {part} in {message}");
        }
        assert!(message.contains("by its content but not by its name"), "{message}");
        assert!(
            message.contains("(f.jpg_large, g)") && message.contains("not a regular file (h.png)")
        );
        assert_eq!(names(folder.path(), &list(folder.path(), &[])), ["a.JPG"]);
    }

    #[test]
    fn side_files_and_system_folders_are_skipped() {
        let double = [&APPLE_DOUBLE[..], b"\0\x02\0\0Mac OS X"].concat();
        let folder = folder(&[
            ("._a.jpg", &double),
            ("._b.heic", &double),
            ("._c.jpg", JPEG),
            ("._d.jpg", b""),
            (".hidden/e.jpg", JPEG),
            ("@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg", JPEG),
            ("__MACOSX/._a.jpg", &double),
            (".Trash-1000/files/f.jpg", JPEG),
            (".DS_Store", b"\0\0\0\x01Bud1, and so on"),
            ("Thumbs.db", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 and so on"),
        ]);
        let listing = list(folder.path(), &[]);
        assert_eq!(names(folder.path(), &listing), ["._c.jpg", "._d.jpg", ".hidden/e.jpg"]);
        assert!(listing.problems.is_empty() && listing.skipped_entries.is_empty());
        let asked_for = folder.path().join("@eaDir");
        assert_eq!(list(&asked_for, &[]).files.len(), 1, "a folder that is named is listed");
        assert!(is_in_system_folder(Path::new("a/.Trash-0/b.jpg")));
    }

    #[test]
    fn links_are_followed_and_a_bad_entry_does_not_stop_the_listing() {
        let folder = folder(&[("a.jpg", JPEG), ("more/b.jpg", JPEG)]);
        let at = |name: &str| folder.path().join(name);
        symlink("a.jpg", at("link.jpg")).unwrap();
        symlink("more", at("other")).unwrap();
        symlink("..", at("more/up")).unwrap();
        symlink("itself", at("itself")).unwrap();
        symlink("nowhere", at("gone.jpg")).unwrap();
        fs::write(folder.path().join(OsStr::from_bytes(b"\xE9t\xE9.jpg")), JPEG).unwrap();
        let listing = list(folder.path(), &[]);
        let expected = ["a.jpg", "link.jpg", "more/b.jpg", "other/b.jpg", "\u{FFFD}t\u{FFFD}.jpg"];
        assert_eq!(names(folder.path(), &listing), expected);
        let reasons = listing.problems.iter().map(|of| (of.path.clone(), of.reason.as_str()));
        let reasons = reasons.collect::<Vec<_>>();
        assert_eq!(reasons[0], (at("gone.jpg"), "a link to nowhere, which is not there"));
        assert!(reasons[1].0 == at("itself") && reasons[1].1.contains("symbolic links"));
        assert_eq!(reasons.len(), 2);

        let absent = list(&at("absent"), &[]);
        assert_eq!(absent.problems[0].path, at("absent"));
    }
}
