//! The output: one line per caption, or one JSON document per photo.

use std::io::{self, Write};

use anyhow::Context as _;
use common::names::one_line;
use common::program::{explain, warn};
use models::{Caption, Description, ImageError, Tag};
use serde::Serialize;
use serde_json::json;

use crate::photos::Photo;

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A file name, a tab and a caption per line, and after another tab the tags, if there are any. Control characters of
    /// names are escaped.
    Text,
    /// One JSON document per line.
    Json,
}

/// A writer of results. Errors of photos go to standard error as well.
pub(crate) struct Results<W> {
    format: Format,
    n_best: usize,
    /// The least confidence of a caption that is printed as text.
    min_confidence: f32,
    out: W,
    failed: usize,
    unsure: usize,
}

#[derive(Serialize)]
struct Line<'a> {
    file: String,
    caption: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f32>,
    unfamiliar: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Tag]>,
    captions: &'a [Caption],
}

impl<W: Write> Results<W> {
    pub(crate) fn new(format: Format, n_best: usize, out: W) -> Self {
        Self { format, n_best, min_confidence: 0.0, out, failed: 0, unsure: 0 }
    }

    /// Skips captions with a lower confidence in text.
    pub(crate) fn with_min_confidence(self, min_confidence: f32) -> Self {
        Self { min_confidence, ..self }
    }

    /// The number of photos whose caption was skipped.
    pub(crate) fn unsure(&self) -> usize {
        self.unsure
    }

    /// The number of photos without a caption.
    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    /// Writes the captions of a photo, or its error.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub(crate) fn write(
        &mut self,
        photo: &Photo,
        described: anyhow::Result<Description>,
    ) -> anyhow::Result<()> {
        let file = photo.name();
        let written = match described {
            Ok(description) => self.write_description(file, &description),
            Err(error) => self.write_error(&file, &error),
        };
        written.and_then(|()| self.out.flush()).context("standard output")
    }

    fn write_error(&mut self, file: &str, error: &anyhow::Error) -> io::Result<()> {
        self.failed += 1;
        let advice = next_step(error).map_or_else(String::new, |advice| format!(": {advice}"));
        let error = explain(error);
        warn(format_args!("{}: {error}{advice}", one_line(file)));
        match self.format {
            Format::Text => Ok(()),
            Format::Json => writeln!(self.out, "{}", json!({ "file": file, "error": error })),
        }
    }

    fn write_description(&mut self, file: String, description: &Description) -> io::Result<()> {
        let Description { captions, tags, unfamiliar } = description;
        let captions = &captions[..self.n_best.min(captions.len())];
        let confidence = captions.first().and_then(|best| best.confidence);
        match self.format {
            Format::Text if confidence.is_some_and(|of| of < self.min_confidence) => {
                self.unsure += 1;
                Ok(())
            }
            Format::Text => {
                let (file, tags) = (one_line(&file), tags.as_deref().map(column));
                let tags = tags.unwrap_or_default();
                captions
                    .iter()
                    .try_for_each(|best| writeln!(self.out, "{file}\t{}{tags}", best.text))
            }
            Format::Json => {
                let caption = captions.first().map_or("", |best| &best.text);
                let (unfamiliar, tags) = (*unfamiliar, tags.as_deref());
                let line = Line { file, caption, confidence, unfamiliar, tags, captions };
                let line = serde_json::to_string(&line)?;
                writeln!(self.out, "{line}")
            }
        }
    }
}

/// A column of tags, after a tab: `espresso 62%, cup 20%`.
fn column(tags: &[Tag]) -> String {
    let tag = |tag: &Tag| format!("{} {:.0}%", one_line(&tag.name), 100.0 * tag.probability);
    format!("\t{}", tags.iter().map(tag).collect::<Vec<_>>().join(", "))
}

/// What to do about a photo that cannot be captioned, if its error does not say so.
fn next_step(error: &anyhow::Error) -> Option<&'static str> {
    let models::Error::Image(error) = error.downcast_ref()? else { return None };
    Some(match error {
        ImageError::NotAnImage => "use JPEG or PNG",
        ImageError::Unsupported(_) => "save it as JPEG or PNG",
        ImageError::Truncated => "copy it again from where it came from",
        ImageError::TooLarge { .. } => "scale it down, or raise --max-pixels",
        ImageError::Damaged(_) => "copy it again, or save it anew as JPEG or PNG",
    })
}
