//! JSON: a document per photo and line.

use std::io::{self, Write};

use models::{CaptionSummary, Style, Tag};
use serde::Serialize;
use serde_json::json;

use super::{Form, Written};

pub(super) struct Json {
    /// Whether captions have their words, with probability and attention.
    pub(super) words: bool,
    pub(super) style: Style,
}

#[derive(Serialize)]
struct Line<'a> {
    file: &'a str,
    caption: &'a str,
    sentence: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f32>,
    unfamiliar: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a [Tag]>,
    captions: Vec<CaptionSummary<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl Form for Json {
    fn write(&mut self, out: &mut dyn Write, photo: &Written) -> io::Result<()> {
        let best = photo.captions.first();
        let line = Line {
            file: photo.file,
            caption: best.map_or("", |best| &best.text),
            sentence: best.map(|best| self.style.sentence(best)).unwrap_or_default(),
            confidence: photo.confidence,
            unfamiliar: photo.description.unfamiliar,
            tags: photo.description.tags.as_deref(),
            captions: photo
                .captions
                .iter()
                .map(|caption| CaptionSummary::new(caption, self.style, self.words))
                .collect(),
            error: photo.error,
        };
        writeln!(out, "{}", serde_json::to_string(&line)?)
    }

    fn write_error(&mut self, out: &mut dyn Write, file: &str, error: &str) -> io::Result<()> {
        writeln!(out, "{}", json!({ "file": file, "error": error }))
    }
}
