//! The places that captions are written to beside the output.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{bail, ensure};
use clap::ValueEnum;
use common::{Size, digest};
use metadata::{Existing, ImageFolder, Keep, Places, Text, TextFile, sidecar_path, text_path};
use models::{Caption, Style};

use crate::cli::{Cli, Place, WriteArgs};
use crate::identity::real_path;
use crate::photos::Photo;

/// The captions after which `metadata.jsonl` is written again.
const SAVED_AFTER: usize = 1000;

/// Where captions are written to, and how.
pub(crate) struct Destinations {
    places: Vec<Place>,
    existing: Existing,
    prefix: String,
    style: Style,
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
    /// The photo with its metadata, if captions are written into it or into a sidecar.
    metadata: Option<metadata::Photo>,
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
            style: cli.style,
            keep: Keep { times: *keep_times },
            break_signature: *break_signature,
            model,
            taken: Mutex::default(),
            folders,
        })
    }

    /// Opens the destinations of a photo of at most `limit`; none if there are some, and all are left as they are.
    ///
    /// # Errors
    /// If one cannot be read or changed.
    pub(crate) fn open_for<'a>(
        &'a self,
        photo: &'a Photo,
        limit: Size,
    ) -> anyhow::Result<Option<Opened<'a>>> {
        let mut opened =
            Opened { destinations: self, photo, metadata: None, text: None, is_in_folder: false };
        opened.open_metadata(limit)?;
        opened.open_text()?;
        opened.open_folder()?;
        Ok((self.places.is_empty() || opened.is_wanted()).then_some(opened))
    }

    /// Whether captions are written into photos.
    pub(crate) fn has_embedded(&self) -> bool {
        self.places.contains(&Place::Embed)
    }

    /// Whether `metadata.jsonl` has a text of a photo, if captions are written there.
    pub(crate) fn has_line(&self, photo: &Photo) -> bool {
        self.folders.get(photo.root()).is_none_or(|folder| {
            lock(folder).0.is_left_alone(photo.path(), Existing::Skip).unwrap_or(false)
        })
    }

    /// Whether captions are written to a place, and the file at `path` is not another photo's of this run.
    fn takes(&self, place: Place, path: &Path) -> bool {
        self.places.contains(&place) && lock(&self.taken).insert(real_path(path))
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
    /// Opens the photo itself and its sidecar, if captions are written there and `--existing` does not leave them alone.
    fn open_metadata(&mut self, limit: Size) -> anyhow::Result<()> {
        let Destinations { existing, break_signature, .. } = *self.destinations;
        let path = self.photo.path();
        let places = Places {
            embedded: self.destinations.takes(Place::Embed, path),
            sidecar: self.destinations.takes(Place::Xmp, &sidecar_path(path)),
        };
        if places == Places::default() {
            return Ok(());
        }
        self.photo.check()?;
        let metadata = metadata::Photo::read(path, limit, places, existing)?;
        if metadata.places().embedded && !break_signature {
            metadata.check_unsigned()?;
        }
        self.metadata = Some(metadata);
        Ok(())
    }

    fn open_text(&mut self) -> anyhow::Result<()> {
        let path = text_path(self.photo.path());
        if self.destinations.takes(Place::Txt, &path) {
            let existing = self.destinations.existing;
            self.text = Some(TextFile::read(&path)?).filter(|of| !of.is_left_alone(existing));
        }
        Ok(())
    }

    fn open_folder(&mut self) -> anyhow::Result<()> {
        let Destinations { existing, folders, .. } = self.destinations;
        if let Some(folder) = folders.get(self.photo.root()) {
            self.is_in_folder = !lock(folder).0.is_left_alone(self.photo.path(), *existing)?;
        }
        Ok(())
    }

    fn is_wanted(&self) -> bool {
        self.written_places() != Places::default() || self.text.is_some() || self.is_in_folder
    }

    /// Whether the caption is written into the photo itself.
    pub(crate) fn is_embedded(&self) -> bool {
        self.written_places().embedded
    }

    /// Whether the caption was to be written into the photo, too, whose format cannot hold it.
    pub(crate) fn is_sidecar_alone(&self) -> bool {
        self.metadata.as_ref().is_some_and(metadata::Photo::is_sidecar_alone)
    }

    /// Where the photo's metadata is written to.
    fn written_places(&self) -> Places {
        self.metadata.as_ref().map(metadata::Photo::places).unwrap_or_default()
    }

    /// The bytes of the photo, if they were read already.
    pub(crate) fn bytes(&self) -> Option<&[u8]> {
        self.metadata.as_ref().and_then(metadata::Photo::bytes)
    }

    /// The SHA-256 of the photo after its caption was written; `bytes` are those that were read.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn hash(&self, bytes: &[u8]) -> anyhow::Result<Option<String>> {
        if self.photo.is_stdin() {
            return Ok(None);
        }
        let path = self.photo.path();
        Ok(Some(if self.is_embedded() { digest::of_file(path)? } else { digest::of_bytes(bytes) }))
    }

    /// Writes a caption to all destinations that are not left as they are.
    ///
    /// # Errors
    /// If one cannot be written; those before it were.
    pub(crate) fn write(&self, caption: &Caption) -> anyhow::Result<()> {
        let Destinations { existing, prefix, keep, style, model, .. } = self.destinations;
        let sentence = style.sentence(caption);
        let text = Text { text: &sentence, model, existing: *existing };
        if let Some(metadata) = &self.metadata {
            metadata.write(&text, *keep)?;
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
