//! What is told of each photo.

use std::io::{self, Write};

use anyhow::Context as _;
use data::names::one_line;
use data::program::{explain, warn};
use models::Caption;
use serde::Serialize;
use serde_json::json;

use crate::photos::Photo;

/// Captions as text or JSON, one per line; errors of photos on stderr as well.
///
/// As text a name has its control characters escaped; JSON has it as it is.
pub(crate) struct Results<W> {
    json: bool,
    n_best: usize,
    out: W,
    failed: usize,
}

#[derive(Serialize)]
struct Line<'a> {
    file: String,
    caption: &'a str,
    captions: &'a [Caption],
}

impl<W: Write> Results<W> {
    pub(crate) fn new(json: bool, n_best: usize, out: W) -> Self {
        Self { json, n_best, out, failed: 0 }
    }

    /// Photos that got no caption.
    pub(crate) fn failed(&self) -> usize {
        self.failed
    }

    /// Tells what came of a photo.
    pub(crate) fn tell(
        &mut self,
        photo: &Photo,
        found: anyhow::Result<Vec<Caption>>,
    ) -> anyhow::Result<()> {
        let file = photo.name();
        let written = match found {
            Ok(captions) => self.captions(file, &captions),
            Err(error) => {
                self.failed += 1;
                let error = explain(&error);
                warn(format_args!("{}: {error}", one_line(&file)));
                if !self.json {
                    return Ok(());
                }
                writeln!(self.out, "{}", json!({ "file": file, "error": error }))
            }
        };
        written.and_then(|()| self.out.flush()).context("standard output")
    }

    fn captions(&mut self, file: String, captions: &[Caption]) -> io::Result<()> {
        let captions = &captions[..self.n_best.min(captions.len())];
        if self.json {
            let caption = captions.first().map_or("", |best| &best.text);
            let line = serde_json::to_string(&Line { file, caption, captions })?;
            writeln!(self.out, "{line}")?;
        } else {
            let file = one_line(&file);
            for caption in captions {
                writeln!(self.out, "{file}\t{}", caption.text)?;
            }
        }
        Ok(())
    }
}
