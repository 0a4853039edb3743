//! Captions of a batch of photos: each is read, captioned and written to its destinations.

use std::path::PathBuf;

use anyhow::Context as _;
use common::Size;
use common::files::FileState;
use common::memory::Reservation;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use models::captioner::Prepared;
use models::{Caption, Captioner, Description, SearchOptions};

use crate::attention;
use crate::budget::Budget;
use crate::destinations::{Destinations, Opened};
use crate::parallel;
use crate::photos::{MAX_BYTES, Photo, file_state};
use crate::workers::Workers;

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
    /// Whether it was written to the sidecar alone, as the format of the photo cannot hold it.
    pub(crate) is_sidecar_alone: bool,
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
    pub(crate) budget: &'a Budget,
    /// Whether small pictures are wanted.
    pub(crate) thumbnails: bool,
    /// Whether the SHA-256 of photos is wanted.
    pub(crate) hashes: bool,
    /// The least confidence of a caption that is written to destinations.
    pub(crate) min_confidence: f32,
}

/// Captions photos, and calls `finish` for each in their order. Shows the progress of more than one.
///
/// # Errors
/// If the model fails, and those of `finish`, which end the work.
pub(crate) fn for_each_captioned(
    workers: &Workers,
    captioning: &Captioning,
    photos: &[Task],
    mut finish: impl FnMut(&Photo, anyhow::Result<Option<Captioned>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let bar = progress_bar(photos.len());
    let batches = photos.chunks(workers.batch()).collect::<Vec<_>>();
    parallel::for_each_in_order(
        &workers.captioners(),
        &batches,
        |captioner, batch| captioning.run(captioner, batch),
        |batch, captioned| {
            for ((photo, _), captioned) in batch.iter().zip(captioned?) {
                bar.suspend(|| finish(photo, captioned))?;
                bar.inc(1);
            }
            Ok(())
        },
    )?;
    bar.finish_and_clear();
    Ok(())
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
    /// Captions a batch of photos, as many at once as memory allows. A photo that cannot be captioned has its own error; one
    /// that is left as it is has nothing.
    ///
    /// # Errors
    /// Those of [`Captioner::caption_all`].
    pub(crate) fn run(
        &self,
        captioner: &Captioner,
        batch: &[Task],
    ) -> anyhow::Result<Vec<anyhow::Result<Option<Captioned>>>> {
        let mut results = Vec::new();
        while let rest @ [_, ..] = &batch[results.len()..] {
            results.extend(self.run_part(captioner, rest)?);
        }
        Ok(results)
    }

    /// Captions the first photos of a batch: those whose files fit into memory together, and at least one.
    fn run_part(
        &self,
        captioner: &Captioner,
        batch: &[Task],
    ) -> anyhow::Result<Vec<anyhow::Result<Option<Captioned>>>> {
        let mut prepared = Vec::new();
        let mut held = Vec::new();
        let mut photos = Vec::new();
        for (photo, _) in batch {
            let length = photo.length().unwrap_or(self.budget.largest_file().bytes());
            let reserved = match self.reserve(length, held.is_empty()) {
                Ok(Some(reserved)) => reserved,
                Ok(None) => break,
                Err(error) => {
                    photos.push(Err(error));
                    continue;
                }
            };
            photos.push(self.read(photo, Size::new(length)).and_then(|read| {
                let Some(read) = read else { return Ok(None) };
                prepared.push(self.prepare(captioner, &read)?);
                held.push(reserved);
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

    /// Reserves the memory of a file of `length` bytes. `None` if the thread may not wait for it, as it holds other files.
    fn reserve(&self, length: u64, may_wait: bool) -> anyhow::Result<Option<Reservation<'_>>> {
        // A photo with a caption in it is a copy.
        let copies = if self.destinations.has_embedded() { 2 } else { 1 };
        let bytes = length.saturating_mul(copies);
        match self.budget.take_file(bytes) {
            None if may_wait => self.budget.wait_for_file(bytes).map(Some),
            taken => Ok(taken),
        }
    }

    /// Reads a photo of at most `limit`, unless it is left as it is.
    fn read<'a>(&'a self, photo: &'a Photo, limit: Size) -> anyhow::Result<Option<ReadPhoto<'a>>> {
        let limit = limit.min(MAX_BYTES);
        let state = file_state(photo.path());
        let Some(opened) = self.destinations.open_for(photo, limit)? else { return Ok(None) };
        let state = state.filter(|_| !opened.is_embedded());
        let bytes = if opened.bytes().is_some() { Vec::new() } else { photo.read(limit)? };
        Ok(Some(ReadPhoto { opened, state, bytes }))
    }

    fn prepare(&self, captioner: &Captioner, read: &ReadPhoto) -> anyhow::Result<Prepared> {
        let _held = self.budget.wait_for_decoding(captioner.decode_memory(read.bytes())?)?;
        Ok(captioner.prepare(read.bytes())?)
    }

    /// Draws what is wanted of a photo beside its caption: attention, and a small picture, which is returned.
    fn draw(
        &self,
        captioner: &Captioner,
        bytes: &[u8],
        attention: Option<(&PathBuf, &Caption)>,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        if attention.is_none() && !self.thumbnails {
            return Ok(None);
        }
        let _held = self.budget.wait_for_decoding(captioner.decode_memory(bytes)?)?;
        if let Some((folder, best)) = attention {
            let place = || format!("attention: {}", folder.display());
            attention::remove_old(folder).with_context(place)?;
            captioner.draw_attention(bytes, best, folder).with_context(place)?;
        }
        let thumbnail = self.thumbnails.then(|| captioner.thumbnail(bytes, THUMBNAIL));
        Ok(thumbnail.transpose()?)
    }

    fn finish(
        &self,
        captioner: &Captioner,
        read: ReadPhoto,
        folder: Option<&PathBuf>,
        description: Description,
    ) -> anyhow::Result<Captioned> {
        let attention = folder.zip(description.captions.first());
        let thumbnail = self.draw(captioner, read.bytes(), attention)?;
        let mut result =
            Captioned { description, thumbnail, state: read.state, ..Captioned::default() };
        if !result.is_unsure(self.min_confidence)
            && let Some(best) = result.description.captions.first()
        {
            result.failure = read.opened.write(best).err();
            result.is_written = result.failure.is_none();
            result.is_sidecar_alone = result.is_written && read.opened.is_sidecar_alone();
        }
        if self.hashes && result.failure.is_none() {
            result.sha256 = read.opened.hash(read.bytes())?;
        }
        Ok(result)
    }
}

fn progress_bar(photos: usize) -> ProgressBar {
    if photos < 2 {
        return ProgressBar::hidden();
    }
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.1}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} photos  {rate}  {eta} left");
    let bar = ProgressBar::new(photos as u64);
    style.map_or(bar.clone(), |style| bar.with_style(style.with_key("rate", rate)))
}
