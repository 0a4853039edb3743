//! CSV (RFC 4180): a row per caption, and a row per photo that failed.

use std::io::{self, Write};

use csv::{Terminator, WriterBuilder};

use models::Style;

use super::{Form, Written, text};

const HEAD: [&str; 7] = ["file", "rank", "caption", "sentence", "confidence", "tags", "error"];

pub(super) struct Csv {
    has_head: bool,
    style: Style,
}

impl Csv {
    pub(super) fn new(style: Style) -> Self {
        Self { has_head: false, style }
    }

    /// Writes a row, after the head if it is the first one.
    fn write_row(&mut self, out: &mut dyn Write, row: [&str; 7]) -> io::Result<()> {
        self.finish(out)?;
        write_record(out, row)
    }
}

fn write_record(out: &mut dyn Write, row: [&str; 7]) -> io::Result<()> {
    let mut csv = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(out);
    csv.write_record(row)?;
    csv.flush()
}

impl Form for Csv {
    fn write(&mut self, out: &mut dyn Write, photo: &Written) -> io::Result<()> {
        let tags = photo.description.tags.as_deref().map(text::list).unwrap_or_default();
        for (rank, caption) in (1..).zip(photo.captions) {
            let rank = format!("{rank}");
            let confidence = caption.confidence.map(|of| format!("{of:.3}")).unwrap_or_default();
            let (words, sentence) = (&caption.text, &self.style.sentence(caption));
            let error = photo.error.unwrap_or_default();
            self.write_row(out, [photo.file, &rank, words, sentence, &confidence, &tags, error])?;
        }
        Ok(())
    }

    fn write_error(&mut self, out: &mut dyn Write, file: &str, error: &str) -> io::Result<()> {
        self.write_row(out, [file, "", "", "", "", "", error])
    }

    /// Writes the head, if there is none: a table without photos has one as well.
    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.has_head {
            return Ok(());
        }
        self.has_head = true;
        write_record(out, HEAD)
    }
}
