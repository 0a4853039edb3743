//! The places that captions are written to beside the output.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{bail, ensure};
use clap::ValueEnum;
use common::digest;
use metadata::{
    Embedding, Existing, ImageFolder, Keep, Sidecar, Text, TextFile, sidecar_path, text_path,
};
use models::Caption;

use crate::cli::{Cli, Place, WriteArgs};
use crate::photos::{MAX_BYTES, Photo};

/// The captions after which `metadata.jsonl` is written again.
const SAVED_AFTER: usize = 1000;

/// Where captions are written to, and how.
pub(crate) struct Destinations {
    places: Vec<Place>,
    existing: Existing,
    prefix: String,
    keep: Keep,
    break_signature: bool,
    /// The model, as it is recorded.
    model: String,
    /// The files that captions of this run are written to. A photo may be named twice, or reached by a link as well.
    taken: Mutex<HashSet<PathBuf>>,
    /// `metadata.jsonl` of each named folder, and the captions added since it was written.
    folders: HashMap<PathBuf, Mutex<(ImageFolder, usize)>>,
}

/// The destinations of a photo, as they are before it is captioned.
pub(crate) struct Opened<'a> {
    destinations: &'a Destinations,
    photo: &'a Photo,
    embedding: Option<Embedding>,
    sidecar: Option<Sidecar>,
    text: Option<TextFile>,
    is_in_folder: bool,
}

impl Destinations {
    /// Reads what the photos have in common.
    ///
    /// # Errors
    /// If a photo has no place to write to, two photos have the same, or `metadata.jsonl` is damaged.
    pub(crate) fn open(cli: &Cli, model: String, photos: &[Photo]) -> anyhow::Result<Self> {
        let WriteArgs { write, existing, prefix, keep_times, break_signature, .. } = &cli.write;
        check(&cli.write, photos)?;
        let mut folders = HashMap::new();
        if write.contains(&Place::Metadata) {
            let roots = photos.iter().map(Photo::root).collect::<BTreeSet<_>>();
            for root in roots {
                folders.insert(root.to_owned(), Mutex::new((ImageFolder::read(root)?, 0)));
            }
        }
        Ok(Self {
            places: write.clone(),
            existing: *existing,
            prefix: prefix.clone().unwrap_or_default(),
            keep: Keep { times: *keep_times },
            break_signature: *break_signature,
            model,
            taken: Mutex::default(),
            folders,
        })
    }

    /// Opens the destinations of a photo; none if there are some, and all are left as they are.
    ///
    /// # Errors
    /// If one cannot be read or changed.
    pub(crate) fn open_for<'a>(&'a self, photo: &'a Photo) -> anyhow::Result<Option<Opened<'a>>> {
        let mut opened = Opened {
            destinations: self,
            photo,
            embedding: None,
            sidecar: None,
            text: None,
            is_in_folder: false,
        };
        for place in &self.places {
            opened.open(*place)?;
        }
        Ok((self.places.is_empty() || opened.is_wanted()).then_some(opened))
    }

    /// Whether `metadata.jsonl` has a text of a photo, if captions are written there.
    pub(crate) fn has_line(&self, photo: &Photo) -> bool {
        self.folders.get(photo.root()).is_none_or(|folder| {
            lock(folder).0.is_left_alone(photo.path(), Existing::Skip).unwrap_or(false)
        })
    }

    /// Whether the file that `path` leads to is new in this run.
    fn take(&self, path: &Path) -> bool {
        let file = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        lock(&self.taken).insert(file)
    }

    /// Writes what is not written yet.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        for folder in self.folders.values() {
            lock(folder).0.save()?;
        }
        Ok(())
    }
}

impl Opened<'_> {
    fn open(&mut self, place: Place) -> anyhow::Result<()> {
        let Destinations { existing, break_signature, .. } = *self.destinations;
        let path = self.photo.path();
        match place {
            Place::Embed => {
                if !self.destinations.take(path) {
                    return Ok(());
                }
                self.photo.check()?;
                let embedding = Embedding::read(path, MAX_BYTES)?;
                if !embedding.is_left_alone(existing) {
                    if !break_signature {
                        embedding.check_unsigned()?;
                    }
                    self.embedding = Some(embedding);
                }
            }
            Place::Xmp => {
                let path = sidecar_path(path);
                if !self.destinations.take(&path) {
                    return Ok(());
                }
                let sidecar = named(&path, Sidecar::read(&path))?;
                self.sidecar = Some(sidecar).filter(|of| !of.is_left_alone(existing));
            }
            Place::Txt => {
                let path = text_path(path);
                if !self.destinations.take(&path) {
                    return Ok(());
                }
                self.text = Some(TextFile::read(&path)?).filter(|of| !of.is_left_alone(existing));
            }
            Place::Metadata => {
                let folder = self.destinations.folders.get(self.photo.root());
                let folder = folder.map(|folder| lock(folder).0.is_left_alone(path, existing));
                self.is_in_folder = !folder.transpose()?.unwrap_or(true);
            }
        }
        Ok(())
    }

    fn is_wanted(&self) -> bool {
        self.embedding.is_some()
            || self.sidecar.is_some()
            || self.text.is_some()
            || self.is_in_folder
    }

    /// The bytes of the photo, if they were read already.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.embedding.as_ref().map(Embedding::bytes)
    }

    /// The SHA-256 of the photo after its caption was written; `bytes` are those that were read.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn hash(&self, bytes: &[u8]) -> anyhow::Result<Option<String>> {
        if self.photo.is_stdin() {
            return Ok(None);
        }
        let is_changed = self.embedding.is_some();
        let path = self.photo.path();
        Ok(Some(if is_changed { digest::of_file(path)? } else { digest::of_bytes(bytes) }))
    }

    /// Writes a caption to all destinations that are not left as they are.
    ///
    /// # Errors
    /// If one cannot be written; those before it were.
    pub(crate) fn write(&self, caption: &Caption) -> anyhow::Result<()> {
        let Destinations { existing, prefix, keep, model, .. } = self.destinations;
        let sentence = caption.sentence();
        let text = Text { text: &sentence, model, existing: *existing };
        if let Some(embedding) = &self.embedding {
            embedding.write(&text, *keep)?;
        }
        if let Some(sidecar) = &self.sidecar {
            let path = sidecar_path(self.photo.path());
            named(&path, sidecar.write(&text))?;
        }
        if let Some(file) = &self.text {
            file.write(&format!("{prefix}{}", caption.text), *existing)?;
        }
        let folder = self.destinations.folders.get(self.photo.root());
        if let (true, Some(folder)) = (self.is_in_folder, folder) {
            let mut folder = lock(folder);
            folder.0.set(self.photo.path(), &caption.text, *existing)?;
            folder.1 += 1;
            if folder.1.is_multiple_of(SAVED_AFTER) {
                folder.0.save()?;
            }
        }
        Ok(())
    }
}

/// A value as the command line names it.
pub(crate) fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

/// Adds the path of a file to an error about its content.
pub(crate) fn named<T>(path: &Path, result: metadata::Result<T>) -> anyhow::Result<T> {
    use metadata::Error::Xmp;
    let name = |error| match error {
        Xmp(_) => anyhow::Error::new(error).context(path.display().to_string()),
        _ => error.into(),
    };
    result.map_err(name)
}

/// Refuses flags without an effect, and photos without a place of their own.
pub(crate) fn check(args: &WriteArgs, photos: &[Photo]) -> anyhow::Result<()> {
    let places = &args.write;
    for (is_given, flag, place) in [
        (args.prefix.is_some(), "--prefix", Place::Txt),
        (args.keep_times, "--keep-times", Place::Embed),
        (args.break_signature, "--break-signature", Place::Embed),
    ] {
        ensure!(
            !is_given || places.contains(&place),
            "{flag}: has no effect\n  Add --write {}, or leave it out.",
            name(place)
        );
    }
    let stdin = photos.iter().any(Photo::is_stdin);
    ensure!(
        places.is_empty() || !stdin,
        "--write: standard input is not a file that a caption could be written to\n  Name files."
    );
    if !places.contains(&Place::Txt) {
        return Ok(());
    }
    let mut owners = HashMap::new();
    for path in photos.iter().map(Photo::path) {
        let text = text_path(path);
        if let Some(other) = owners.insert(text.clone(), path).filter(|other| *other != path) {
            bail!(
                "--write txt: {} and {} have the same text {}\n  Rename one of them.",
                other.display(),
                path.display(),
                text.display()
            );
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
