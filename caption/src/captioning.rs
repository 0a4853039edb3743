//! Captions of a batch of photos: each is read, captioned and written to its destinations.

use std::path::PathBuf;

use anyhow::Context as _;
use common::files::FileState;
use models::{Captioner, Description, SearchOptions};

use crate::attention;
use crate::destinations::{Destinations, Opened};
use crate::photos::{Photo, file_state};

/// The longest side of small pictures in pixels.
const THUMBNAIL: u32 = 320;

/// A photo, and the folder for pictures of its attention.
pub(crate) type Task = (Photo, Option<PathBuf>);

/// What there is to say of one photo.
#[derive(Debug, Default)]
pub(crate) struct Captioned {
    pub(crate) description: Description,
    /// A small JPEG picture, where it is wanted.
    pub(crate) thumbnail: Option<Vec<u8>>,
    /// Why its caption could not be written to a destination.
    pub(crate) failure: Option<anyhow::Error>,
    /// Whether its caption was written to its destinations.
    pub(crate) is_written: bool,
    /// The SHA-256 of the photo, as it is now, where a ledger needs it.
    pub(crate) sha256: Option<String>,
    /// The state of the photo before it was read, unless the caption was written into it.
    pub(crate) state: Option<FileState>,
}

impl Captioned {
    /// Whether the confidence is known and below the least one.
    pub(crate) fn is_unsure(&self, min_confidence: f32) -> bool {
        let best = self.description.captions.first();
        best.and_then(|best| best.confidence).is_some_and(|of| of < min_confidence)
    }
}

/// How photos are captioned.
pub(crate) struct Captioning<'a> {
    pub(crate) search: &'a SearchOptions,
    pub(crate) destinations: &'a Destinations,
    /// Whether small pictures are wanted.
    pub(crate) thumbnails: bool,
    /// Whether the SHA-256 of photos is wanted.
    pub(crate) hashes: bool,
    /// The least confidence of a caption that is written to destinations.
    pub(crate) min_confidence: f32,
}

/// A photo that was read.
struct ReadPhoto<'a> {
    opened: Opened<'a>,
    state: Option<FileState>,
    /// Its bytes, unless its destinations have them.
    bytes: Vec<u8>,
}

impl ReadPhoto<'_> {
    fn bytes(&self) -> &[u8] {
        self.opened.bytes().unwrap_or(&self.bytes)
    }
}

impl Captioning<'_> {
    /// Captions a batch of photos. A photo that cannot be captioned has its own error; one that is left as it is has
    /// nothing.
    ///
    /// # Errors
    /// Those of [`Captioner::caption_all`].
    pub(crate) fn run(
        &self,
        captioner: &Captioner,
        batch: &[Task],
    ) -> anyhow::Result<Vec<anyhow::Result<Option<Captioned>>>> {
        let mut prepared = Vec::new();
        let mut photos = Vec::new();
        for (photo, _) in batch {
            photos.push(self.read(photo).and_then(|read| {
                let Some(read) = read else { return Ok(None) };
                prepared.push(captioner.prepare(read.bytes())?);
                Ok(Some(read))
            }));
        }
        let mut described = captioner.caption_all(&prepared, self.search)?.photos.into_iter();
        let finish = |((_, folder), read): (&Task, anyhow::Result<Option<ReadPhoto>>)| {
            let Some(read) = read? else { return Ok(None) };
            let description = described.next().unwrap_or_default();
            self.finish(captioner, read, folder.as_ref(), description).map(Some)
        };
        Ok(batch.iter().zip(photos).map(finish).collect())
    }

    /// Reads a photo, unless it is left as it is.
    fn read<'a>(&'a self, photo: &'a Photo) -> anyhow::Result<Option<ReadPhoto<'a>>> {
        let state = file_state(photo.path());
        let Some(opened) = self.destinations.open_for(photo)? else { return Ok(None) };
        let state = state.filter(|_| !opened.is_embedded());
        let bytes = if opened.bytes().is_some() { Vec::new() } else { photo.read()? };
        Ok(Some(ReadPhoto { opened, state, bytes }))
    }

    fn finish(
        &self,
        captioner: &Captioner,
        read: ReadPhoto,
        folder: Option<&PathBuf>,
        description: Description,
    ) -> anyhow::Result<Captioned> {
        let best = description.captions.first();
        if let (Some(folder), Some(best)) = (folder, best) {
            let place = || format!("attention: {}", folder.display());
            attention::remove_old(folder).with_context(place)?;
            captioner.draw_attention(read.bytes(), best, folder).with_context(place)?;
        }
        let thumbnail = self.thumbnails.then(|| captioner.thumbnail(read.bytes(), THUMBNAIL));
        let thumbnail = thumbnail.transpose()?;
        let mut result =
            Captioned { description, thumbnail, state: read.state, ..Captioned::default() };
        if !result.is_unsure(self.min_confidence)
            && let Some(best) = result.description.captions.first()
        {
            result.failure = read.opened.write(best).err();
            result.is_written = result.failure.is_none();
        }
        if self.hashes && result.failure.is_none() {
            result.sha256 = read.opened.hash(read.bytes())?;
        }
        Ok(result)
    }
}
