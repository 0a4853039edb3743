//! The images to encode: files of a folder or a list, and members of archives.

mod archive;
mod folder;
mod list;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use common::SkippedEntries;
use common::names::{normal, note_on_folders, one_line};
use data::Captions;
use features::{MAX_NAME_BYTES, Shard, Source, Stamp};
use models::decode::{extensions, has_image_extension, unread_kind};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::progress::Progress;

/// Bytes of a file that are hashed at once.
const PIECE: usize = 1 << 18;

/// An image: its name in Unicode normal form C, and the location of its bytes.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) name: String,
    location: Location,
    /// Whether it belongs to the shard that is filled.
    is_mine: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Location {
    File(PathBuf),
    Member { archive: Arc<Path>, at: u64, length: u64 },
}

impl Image {
    /// The number of bytes of its file.
    pub(crate) fn length(&self) -> io::Result<u64> {
        self.open().map(|bytes| bytes.limit())
    }

    /// Size and modification time of its file; for a member of an archive, the time of the archive. A time within the
    /// resolution of the file system is unknown: another change might have the same one.
    pub(crate) fn stamp(&self) -> Stamp {
        /// Resolution of the times of coarse file systems.
        const NEAR: Duration = Duration::from_secs(2);
        let (path, size) = match &self.location {
            Location::File(path) => (&**path, None),
            Location::Member { archive, length, .. } => (&**archive, Some(*length)),
        };
        let Ok(metadata) = path.metadata() else { return Stamp::default() };
        let modified = metadata
            .modified()
            .ok()
            .filter(|&time| SystemTime::now().duration_since(time).is_ok_and(|age| age >= NEAR));
        let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let modified = since.map_or(0, |since| since.as_nanos() as u64);
        Stamp { size: size.unwrap_or(metadata.len()), modified }
    }

    /// The bytes of its file.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let mut file = self.open()?;
        let mut bytes = Vec::with_capacity(file.limit() as usize);
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The SHA-256 of its file, which is not held in memory as a whole.
    pub(crate) fn digest(&self) -> io::Result<Source> {
        let (mut file, mut hasher) = (self.open()?, Sha256::new());
        let mut piece = vec![0; PIECE];
        loop {
            match file.read(&mut piece) {
                Ok(0) => return Ok(hasher.finalize().into()),
                Ok(read) => hasher.update(&piece[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn open(&self) -> io::Result<io::Take<File>> {
        match &self.location {
            Location::File(path) => {
                // Opening a pipe would block until it has a writer.
                if !path.metadata()?.is_file() {
                    return Err(io::Error::other("not a regular file"));
                }
                let file = File::open(path)?;
                let length = file.metadata()?.len();
                Ok(file.take(length))
            }
            Location::Member { archive, at, length } => {
                let mut file = File::open(archive)?;
                file.seek(SeekFrom::Start(*at))?;
                Ok(file.take(*length))
            }
        }
    }
}

/// The SHA-256 of an image's file.
pub(crate) fn digest(bytes: &[u8]) -> Source {
    Sha256::digest(bytes).into()
}

/// An image that could not be encoded, and why.
#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    pub(crate) image: String,
    pub(crate) reason: String,
}

/// The images of a source.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Sorted by name; names are unique.
    pub(crate) images: Vec<Image>,
    /// Entries that are not encoded, with the reason.
    pub(crate) skipped: Vec<Skipped>,
    /// Files of unsupported formats, and rows of a list without a name.
    pub(crate) skipped_entries: SkippedEntries,
    /// The number of skipped entries that could not be read. They may contain photos that are not listed.
    pub(crate) missed: usize,
    shard: Option<Shard>,
}

impl Listing {
    /// Adds an image with its name on the disk or in the list. The name in this form decides its shard, so that it
    /// stays in the shard of earlier runs.
    fn add(&mut self, name: &str, location: Location) {
        let is_mine = self.holds(name);
        // No other name becomes the same one as an ASCII name.
        if is_mine || !name.is_ascii() {
            self.add_to(is_mine, name, location);
        }
    }

    /// Adds an image, which belongs to the shard if `is_mine`.
    fn add_to(&mut self, is_mine: bool, name: &str, location: Location) {
        match problem(name) {
            Some(problem) if is_mine => self.skip(Path::new(name), problem),
            Some(_) => {}
            None => self.images.push(Image { name: normal(name).into_owned(), location, is_mine }),
        }
    }

    fn holds(&self, name: &str) -> bool {
        self.shard.is_none_or(|shard| shard.holds(name))
    }

    fn skip(&mut self, image: &Path, reason: impl Into<String>) {
        let image = image.to_string_lossy().into_owned();
        self.skipped.push(Skipped { image, reason: reason.into() });
    }

    /// Skips an entry that could not be read.
    fn miss(&mut self, entry: &Path, reason: impl Into<String>) {
        self.missed += 1;
        self.skip(entry, reason);
    }

    /// Sorts the images. Skips the second of two with the same name, then drops those of other shards.
    fn sort(&mut self) {
        let mut images = HashMap::<String, Image>::new();
        for image in std::mem::take(&mut self.images) {
            match images.get(&image.name) {
                None => {
                    images.insert(image.name.clone(), image);
                }
                Some(first) if first.location == image.location || !image.is_mine => {}
                Some(_) => self.skip(Path::new(&image.name), "another image has that name"),
            }
        }
        self.images = images.into_values().filter(|image| image.is_mine).collect();
        self.images.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    }
}

/// The reason why a name cannot be stored, where names are zero-padded; `None` if it can.
fn problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        Some("its name is empty")
    } else if name.contains('\0') {
        Some("its name has a zero byte")
    } else if name.len().max(normal(name).len()) > MAX_NAME_BYTES {
        Some("its name is too long")
    } else {
        None
    }
}

/// Lists the images of `source`: a folder, an archive, or a list of files. With a shard, only the images and whole
/// archives whose names belong to it; of a single archive, its images.
pub(crate) fn list(source: &Path, shard: Option<Shard>) -> anyhow::Result<Listing> {
    let mut listing = Listing { shard, ..Listing::default() };
    if source.is_dir() {
        folder::read(source, &mut listing);
    } else if archive::is_archive(source) {
        archive::read(source, &mut listing, false)?;
    } else if archive::is_compressed(source) {
        bail!("{}: {}", source.display(), archive::COMPRESSED);
    } else if source.is_file() && (has_image_extension(source) || unread_kind(source).is_some()) {
        bail!(
            "{}: a photo, not a folder, an archive or a list of images\n  Name its folder (--images DIR), or caption it (`caption FILE`).",
            source.display()
        );
    } else if source.is_file() {
        list::read(source, &mut listing)?;
    } else {
        bail!(
            "{}: no such folder, archive or list of images\n  Put the photos there, or name others with --images PATH (make: DATA=DIR).",
            source.display()
        );
    }
    listing.sort();
    if listing.images.is_empty() && shard.is_none() {
        bail!(
            "{}: no image in it ({}){}",
            source.display(),
            extensions().join(", "),
            rest(&listing)
        );
    }
    Ok(listing)
}

/// The skipped entries, one per line, for a source without images.
fn rest(listing: &Listing) -> String {
    let skipped = listing.skipped.iter().map(|of| format!("skipped: {}: {}", of.image, of.reason));
    let skipped_entries = listing.skipped_entries.to_string();
    let lines = skipped.chain(skipped_entries.lines().map(str::to_owned));
    lines.take(NAMED).fold(String::new(), |text, line| text + "\n  " + &one_line(&line))
}

/// The maximum number of names in a list of messages.
pub(crate) const NAMED: usize = 20;

/// Reports how the captions and the images differ.
pub(crate) fn report_captions(images: &[Image], captions: &Captions, progress: &Progress) {
    let present = images.iter().map(|image| image.name.as_str()).collect::<HashSet<_>>();
    let captioned = captions.iter().map(|of| normal(&of.image)).collect::<HashSet<_>>();
    let absent = captions.iter().map(|of| normal(&of.image));
    let absent = absent.filter(|image| !present.contains(image.as_ref())).collect::<Vec<_>>();
    let bare = images.iter().filter(|image| !captioned.contains(image.name.as_str()));
    let bare = bare.map(|image| Cow::from(&image.name)).collect::<Vec<_>>();
    if !absent.is_empty() {
        progress.note(&format!(
            "{} captioned images are not among the images; their captions are not used ({})",
            absent.len(),
            examples(&absent)
        ));
    }
    if !bare.is_empty() {
        progress.note(&format!(
            "{} images have no caption; they are extracted but not trained on ({})",
            bare.len(),
            examples(&bare)
        ));
    }
    if let Some(note) = note_on_folders(absent.iter().map(Cow::as_ref), present) {
        progress.note(&note);
    }
}

/// The first names of a list.
fn examples(names: &[Cow<str>]) -> String {
    let some = names.iter().take(3).map(|name| one_line(name)).collect::<Vec<_>>().join(", ");
    if names.len() > 3 { some + ", …" } else { some }
}
