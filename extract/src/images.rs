//! The images of a folder, beside what the store holds of them.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use anyhow::{bail, ensure};
use data::Captions;
use features::{FeatureStore, Source, StoreWriter};
use models::decode::{EXTENSIONS, has_image_extension};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use walkdir::WalkDir;

use crate::progress::Progress;

/// An image that could not be encoded, and why.
#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    pub(crate) image: String,
    pub(crate) reason: String,
}

/// What a folder holds.
pub(crate) struct Folder {
    /// The images as paths below the folder, in order of their names.
    pub(crate) images: Vec<String>,
    /// What could not be looked at.
    pub(crate) skipped: Vec<Skipped>,
}

/// The images below `folder`.
pub(crate) fn list(folder: &Path) -> anyhow::Result<Folder> {
    ensure!(
        folder.is_dir(),
        "{}: no such folder of images\n  Put the photos there, or name another with --images DIR (make: DATA=DIR).",
        folder.display()
    );
    let (mut images, mut skipped) = (Vec::new(), Vec::new());
    let mut skip = |path: &Path, reason: String| {
        let path = path.strip_prefix(folder).unwrap_or(path);
        skipped.push(Skipped { image: path.to_string_lossy().into_owned(), reason });
    };
    for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
        match entry {
            Ok(entry) if entry.file_type().is_file() && has_image_extension(entry.path()) => {
                let relative = entry.path().strip_prefix(folder).unwrap_or(entry.path());
                match relative.to_str() {
                    Some(name) if !name.contains('\0') => images.push(name.to_owned()),
                    _ => skip(entry.path(), "its name is not UTF-8".to_owned()),
                }
            }
            Ok(_) => {}
            Err(error) => skip(error.path().unwrap_or(folder), error.to_string()),
        }
    }
    if images.is_empty() {
        bail!("{}: no image in it ({})", folder.display(), EXTENSIONS.join(", "));
    }
    Ok(Folder { images, skipped })
}

/// What a store needs to hold the images of a folder.
#[derive(Debug, Default)]
pub(crate) struct Work {
    /// Images to encode: new ones, changed ones, and those whose rows are damaged.
    pub(crate) encode: Vec<String>,
    /// Of these, how many have an intact row of another content.
    pub(crate) changed: usize,
    /// Images that the store has and the folder does not.
    pub(crate) gone: Vec<String>,
}

/// What a store holds of an image.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Its grids.
    Held,
    /// The grids of another file of its name.
    Changed,
    /// Nothing, or nothing intact.
    Lacking,
}

/// Compares the images of a folder with what a store says of each: the SHA-256 of the file that an
/// intact row was encoded from. Reads all files and all rows, which takes less than a hundredth of
/// the time that encoding them does.
pub(crate) fn compare(folder: &Path, images: &[String], held: &impl Held) -> anyhow::Result<Work> {
    let state = |image| {
        let Some(source) = held.intact_source(image)? else { return Ok(State::Lacking) };
        let same = fs::read(folder.join(image)).is_ok_and(|bytes| digest(&bytes) == source);
        Ok(if same { State::Held } else { State::Changed })
    };
    let states = images.par_iter().map(|image| state(image));
    let states = states.collect::<features::Result<Vec<_>>>()?;
    let encode = images.iter().zip(&states).filter(|(_, state)| **state != State::Held);
    let present = images.iter().map(String::as_str).collect::<HashSet<_>>();
    let mut gone = held.images();
    gone.retain(|image| !present.contains(image.as_str()));
    gone.sort_unstable();
    Ok(Work {
        changed: states.iter().filter(|state| **state == State::Changed).count(),
        encode: encode.map(|(image, _)| image.clone()).collect(),
        gone,
    })
}

/// The SHA-256 of an image's file.
pub(crate) fn digest(bytes: &[u8]) -> Source {
    Sha256::digest(bytes).into()
}

/// A store, open for writing or reading, or not there yet.
pub(crate) trait Held: Sync {
    /// The images that have a grid.
    fn images(&self) -> Vec<String>;
    /// The SHA-256 of the file that the intact row of an image was encoded from.
    fn intact_source(&self, image: &str) -> features::Result<Option<Source>>;
}

impl Held for StoreWriter {
    fn images(&self) -> Vec<String> {
        StoreWriter::images(self).map(str::to_owned).collect()
    }

    fn intact_source(&self, image: &str) -> features::Result<Option<Source>> {
        self.intact_source(image)
    }
}

impl Held for Option<FeatureStore> {
    fn images(&self) -> Vec<String> {
        let images = self.iter().flat_map(|store| store.images());
        images.map(|(image, _)| image.to_owned()).collect()
    }

    fn intact_source(&self, image: &str) -> features::Result<Option<Source>> {
        self.as_ref().map_or(Ok(None), |store| store.intact_source(image))
    }
}

/// Says how the captions and the images differ.
pub(crate) fn report_captions(images: &[String], captions: &Captions, progress: &Progress) {
    let present = images.iter().map(String::as_str).collect::<HashSet<_>>();
    let absent = captions.iter().filter(|of| !present.contains(of.image.as_str())).count();
    let bare = images.iter().filter(|image| captions.of(image).is_none()).count();
    if absent > 0 {
        progress.note(&format!(
            "{absent} captioned images are not in the folder; their captions are not used"
        ));
    }
    if bare > 0 {
        progress
            .note(&format!("{bare} images have no caption; they are extracted but not trained on"));
    }
}
