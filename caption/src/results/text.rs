//! Text: a line per caption.

use std::io::{self, Write};

use common::names::one_line;
use models::{Style, Tag};

use super::{Form, Written};

pub(super) struct Text {
    /// Whether captions are sentences, for people; else they have the words of the network, for programs.
    pub(super) sentences: bool,
    pub(super) style: Style,
}

impl Form for Text {
    fn write(&mut self, out: &mut dyn Write, photo: &Written) -> io::Result<()> {
        if photo.is_unsure {
            return Ok(());
        }
        let (file, tags) = (one_line(photo.file), photo.description.tags.as_deref().map(column));
        let tags = tags.unwrap_or_default();
        photo.captions.iter().try_for_each(|caption| {
            if self.sentences {
                writeln!(out, "{file}\t{}{tags}", self.style.sentence(caption))
            } else {
                writeln!(out, "{file}\t{}{tags}", caption.text)
            }
        })
    }

    /// Errors are on standard error alone.
    fn write_error(&mut self, _: &mut dyn Write, _: &str, _: &str) -> io::Result<()> {
        Ok(())
    }
}

/// A column of tags, after a tab: `espresso 62%, cup 20%`.
fn column(tags: &[Tag]) -> String {
    format!("\t{}", list(tags))
}

/// Tags in one line: `espresso 62%, cup 20%`.
pub(super) fn list(tags: &[Tag]) -> String {
    let tag = |tag: &Tag| format!("{} {:.0}%", one_line(&tag.name), 100.0 * tag.probability);
    tags.iter().map(tag).collect::<Vec<_>>().join(", ")
}
