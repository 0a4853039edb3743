//! The images that are to be encoded: files of a folder or a list, and members of archives.

mod archive;
mod folder;
mod list;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use data::Captions;
use features::{Shard, Source};
use models::decode::EXTENSIONS;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::progress::Progress;

/// An image: its name, and where its bytes are.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) name: String,
    place: Place,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    File(PathBuf),
    Member { archive: Arc<Path>, at: u64, length: u64 },
}

impl Image {
    /// The bytes of its file.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        match &self.place {
            Place::File(path) => fs::read(path),
            Place::Member { archive, at, length } => {
                let mut bytes = vec![0; *length as usize];
                File::open(archive)?.read_exact_at(&mut bytes, *at)?;
                Ok(bytes)
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

/// What there is to encode.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// In order of their names, no two of one name.
    pub(crate) images: Vec<Image>,
    /// What could not be looked at.
    pub(crate) skipped: Vec<Skipped>,
}

impl Listing {
    /// Names are filled up with zeros in the store, and so must have none.
    fn add(&mut self, name: String, place: Place) {
        if name.contains('\0') {
            self.skip(Path::new(&name), "its name has a zero byte");
        } else {
            self.images.push(Image { name, place });
        }
    }

    fn skip(&mut self, image: &Path, reason: impl Into<String>) {
        let image = image.to_string_lossy().into_owned();
        self.skipped.push(Skipped { image, reason: reason.into() });
    }

    /// In order, the second of two images of one name left out.
    fn sort(&mut self) {
        let mut places = HashMap::new();
        for image in std::mem::take(&mut self.images) {
            match places.get(&image.name) {
                None => {
                    places.insert(image.name, image.place);
                }
                Some(place) if *place == image.place => {}
                Some(_) => self.skip(Path::new(&image.name), "another image has that name"),
            }
        }
        let image = |(name, place)| Image { name, place };
        self.images = places.into_iter().map(image).collect();
        self.images.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    }
}

/// The images of `source`: a folder, an archive, or a list of files. Of these, where only a shard is wanted, the
/// images and whole archives whose names belong to it; of a single archive, the images.
pub(crate) fn list(source: &Path, shard: Option<Shard>) -> anyhow::Result<Listing> {
    let mut listing = Listing::default();
    if source.is_dir() {
        folder::read(source, shard, &mut listing)?;
    } else if archive::is_archive(source) {
        archive::read(source, &mut listing)?;
        listing.images.retain(|image| shard.is_none_or(|shard| shard.holds(&image.name)));
    } else if source.is_file() {
        list::read(source, shard, &mut listing)?;
    } else {
        bail!(
            "{}: no such folder, archive or list of images\n  Put the photos there, or name others with --images PATH (make: DATA=DIR).",
            source.display()
        );
    }
    listing.sort();
    if listing.images.is_empty() && shard.is_none() {
        bail!("{}: no image in it ({})", source.display(), EXTENSIONS.join(", "));
    }
    Ok(listing)
}

/// Says how the captions and the images differ.
pub(crate) fn report_captions(images: &[Image], captions: &Captions, progress: &Progress) {
    let names = images.iter().map(|image| image.name.as_str());
    let present = names.clone().collect::<std::collections::HashSet<_>>();
    let absent = captions.iter().filter(|of| !present.contains(of.image.as_str())).count();
    let bare = names.filter(|image| captions.of(image).is_none()).count();
    if absent > 0 {
        progress.note(&format!(
            "{absent} captioned images are not among the images; their captions are not used"
        ));
    }
    if bare > 0 {
        progress
            .note(&format!("{bare} images have no caption; they are extracted but not trained on"));
    }
}
