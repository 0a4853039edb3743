//! What is told of each photo.

use std::io::Write;

use data::program::warn;
use models::Caption;
use serde::Serialize;
use serde_json::json;

use crate::photos::Photo;

/// Captions as text or JSON, a line each; what could not be captioned on stderr as well.
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
        match found {
            Ok(captions) => self.captions(file, &captions),
            Err(error) => {
                self.failed += 1;
                warn(format_args!("{file}: {error:#}"));
                if self.json {
                    let line = json!({ "file": file, "error": format!("{error:#}") });
                    writeln!(self.out, "{line}")?;
                }
                Ok(())
            }
        }
    }

    fn captions(&mut self, file: String, captions: &[Caption]) -> anyhow::Result<()> {
        let captions = &captions[..self.n_best.min(captions.len())];
        if self.json {
            let caption = captions.first().map_or("", |best| &best.text);
            let line = serde_json::to_string(&Line { file, caption, captions })?;
            writeln!(self.out, "{line}")?;
        } else {
            for caption in captions {
                writeln!(self.out, "{file}\t{}", caption.text)?;
            }
        }
        Ok(self.out.flush()?)
    }
}
