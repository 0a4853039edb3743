//! A caption with its photo, its references and the attention of each word.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use common::{Size, SkippedEntries, describe_io, files};
use serde::Serialize;

use crate::dataset::ScoredImage;
use crate::evaluate::CaptionedImage;

/// The largest photo that is put on the page.
const MAX_PHOTO: Size = Size::mib(256);

#[derive(Debug, Serialize)]
pub(super) struct Example {
    image: String,
    caption: String,
    cider: f64,
    references: Vec<String>,
    words: Vec<Word>,
    /// The photo as a `data:` URL.
    photo: Option<String>,
}

#[derive(Debug, Serialize)]
struct Word {
    text: String,
    probability: f64,
    /// The brightness of each cell: its attention over the maximum.
    cells: Vec<f64>,
}

impl Example {
    pub(super) fn new(
        image: &ScoredImage,
        captioned: &CaptionedImage,
        photos: &mut Photos,
    ) -> Self {
        let found = &captioned.hypothesis;
        let texts = captioned.caption.split(' ');
        let attention = found.attention.outer_iter().zip(&found.word_log_probabilities);
        let words = texts.zip(attention).map(|(text, (cells, probability))| {
            let most = cells.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            Word {
                text: text.to_owned(),
                probability: f64::from(probability.exp()),
                cells: cells.iter().map(|cell| f64::from(cell / most)).collect(),
            }
        });
        Self {
            image: image.image.clone(),
            caption: captioned.caption.clone(),
            cider: 100.0 * captioned.sums.scores().cider(),
            references: image.references.clone(),
            words: words.collect(),
            photo: photos.data_url(&image.file),
        }
    }
}

/// The photos of a page.
#[derive(Debug)]
pub(super) struct Photos<'a> {
    pub(super) folder: Option<&'a Path>,
    /// The reasons why photos cannot be read, by name.
    pub(super) missing: BTreeMap<String, String>,
}

impl Photos<'_> {
    /// Reads a photo as a `data:` URL, if that is possible.
    fn data_url(&mut self, image: &str) -> Option<String> {
        let folder = self.folder?;
        let path = folder.join(image);
        let note = |error: io::Error| {
            let error = describe_io(&error);
            let reason = format!("photo of the page in {}: {error}", folder.display());
            self.missing.insert(image.to_owned(), reason);
        };
        let bytes = files::read(&path, MAX_PHOTO).map_err(note).ok()?;
        let kind = match path.extension().and_then(|extension| extension.to_str()) {
            Some("png") => "png",
            Some("webp") => "webp",
            Some("gif") => "gif",
            _ => "jpeg",
        };
        Some(format!("data:image/{kind};base64,{}", BASE64_STANDARD.encode(bytes)))
    }

    /// Adds the photos that could not be read.
    pub(super) fn report(self, skipped_entries: &mut SkippedEntries) {
        for (image, reason) in self.missing {
            skipped_entries.add(reason, image);
        }
    }
}
