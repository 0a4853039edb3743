//! The output: the captions of each photo, or its error.

mod csv;
mod html;
mod json;
mod text;

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use common::count;
use common::files::Staged;
use common::names::one_line;
use common::program::{explain, warn};
use models::{Caption, Description, ImageError};

use crate::captioning::Captioned;
use crate::cli::{Cli, Format};
use crate::photos::Photo;

/// Why a photo that was left alone has no caption.
const LEFT_ALONE: &str = "left alone: it has a text already";

/// A form of the output.
trait Form {
    /// Writes the captions of a photo, the best first; never none.
    fn write(&mut self, out: &mut dyn Write, photo: &Written) -> io::Result<()>;

    /// Writes the error of a photo, or why it was not captioned.
    fn write_error(&mut self, out: &mut dyn Write, file: &str, error: &str) -> io::Result<()>;

    /// Writes the end of the output.
    fn finish(&mut self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

/// A photo that is written.
struct Written<'a> {
    file: &'a str,
    description: &'a Description,
    /// The best captions, as many as were asked for.
    captions: &'a [Caption],
    /// The confidence in the best one, if it is known.
    confidence: Option<f32>,
    /// Whether the confidence is below the least one.
    is_unsure: bool,
    /// A small JPEG picture, where the form has pictures.
    thumbnail: Option<&'a [u8]>,
    /// Why the best caption could not be written to its destinations.
    error: Option<&'a str>,
}

/// A writer of results. Errors of photos go to standard error as well.
pub(crate) struct Results {
    form: Box<dyn Form>,
    out: Out,
    n_best: usize,
    /// The least confidence of a caption that is printed as text.
    min_confidence: f32,
    counts: Counts,
}

/// Numbers of photos.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Those without a caption, or whose caption could not be written.
    pub(crate) failed: usize,
    /// Those whose caption has less than the least confidence.
    pub(crate) unsure: usize,
}

/// Where the output goes.
enum Out {
    Stdout(io::StdoutLock<'static>),
    File(PathBuf, io::BufWriter<Staged>),
}

impl Results {
    /// Opens the output.
    ///
    /// # Errors
    /// If its file cannot be created.
    pub(crate) fn open(cli: &Cli) -> anyhow::Result<Self> {
        let path = cli.output.out.as_deref();
        let is_terminal = path.is_none() && io::stdout().is_terminal();
        let out = match path {
            None => Out::Stdout(io::stdout().lock()),
            Some(path) => {
                let file = Staged::create(path).map_err(common::Error::io(path))?;
                Out::File(path.to_owned(), io::BufWriter::new(file))
            }
        };
        let style = cli.style;
        let form: Box<dyn Form> = match cli.output.format() {
            Format::Text => Box::new(text::Text { sentences: is_terminal, style }),
            Format::Csv => Box::new(csv::Csv::new(style)),
            Format::Json => Box::new(json::Json { words: cli.output.words, style }),
            Format::Html => Box::new(html::Html::new(style)?),
        };
        let (n_best, min_confidence) = (cli.n_best.into(), cli.min_confidence.unwrap_or(0.0));
        Ok(Self { form, out, n_best, min_confidence, counts: Counts::default() })
    }

    /// Writes the captions of a photo, or its error.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub(crate) fn write(
        &mut self,
        photo: &Photo,
        captioned: anyhow::Result<Captioned>,
    ) -> anyhow::Result<()> {
        let file = photo.name();
        let written = match captioned {
            Ok(captioned) => {
                let error = captioned.failure.as_ref().map(|error| self.report(&file, error));
                self.write_captions(&file, &captioned, error.as_deref())
            }
            Err(error) => {
                let error = self.report(&file, &error);
                self.form.write_error(&mut self.out, &file, &error)
            }
        };
        written.and_then(|()| self.out.flush()).with_context(|| self.out.name())
    }

    /// Writes a photo that was left alone.
    ///
    /// # Errors
    /// If the output cannot be written.
    pub(crate) fn write_left_alone(&mut self, photo: &Photo) -> anyhow::Result<()> {
        let written = self.form.write_error(&mut self.out, &photo.name(), LEFT_ALONE);
        written.with_context(|| self.out.name())
    }

    /// Writes the end of the output, and gives its file its name.
    ///
    /// # Errors
    /// If it cannot be written, or would replace one that may have the captions of photos that were `left_alone`.
    pub(crate) fn finish(mut self, left_alone: usize) -> anyhow::Result<Counts> {
        let finished = self.form.finish(&mut self.out).and_then(|()| self.out.flush());
        finished.with_context(|| self.out.name())?;
        if let Out::File(path, file) = self.out {
            ensure!(
                left_alone == 0 || !path.is_file(),
                "--out: {} exists and stays, as its replacement would lack the captions of {} that were left alone\n  \
                 Caption them again (--existing machine), or name another file.",
                path.display(),
                count(left_alone, "photo")
            );
            let file = file.into_inner().map_err(io::IntoInnerError::into_error);
            file.and_then(Staged::commit).map_err(common::Error::io(&path))?;
        }
        Ok(self.counts)
    }

    /// Counts a photo that failed, and says why; returns the reason.
    fn report(&mut self, file: &str, error: &anyhow::Error) -> String {
        self.counts.failed += 1;
        let advice = next_step(error).map_or_else(String::new, |advice| format!(": {advice}"));
        let error = explain(error);
        // Some errors name the file, or one beside it, themselves.
        let name = one_line(file);
        match error.strip_prefix(file) {
            Some(rest) => warn(format_args!("{name}{rest}{advice}")),
            None => warn(format_args!("{name}: {error}{advice}")),
        }
        error.strip_prefix(&format!("{file}: ")).unwrap_or(&error).to_owned()
    }

    fn write_captions(
        &mut self,
        file: &str,
        captioned: &Captioned,
        error: Option<&str>,
    ) -> io::Result<()> {
        let Captioned { description, thumbnail, .. } = captioned;
        let captions = &description.captions;
        let captions = &captions[..self.n_best.min(captions.len())];
        let confidence = captions.first().and_then(|best| best.confidence);
        let is_unsure = captioned.is_unsure(self.min_confidence);
        self.counts.unsure += usize::from(is_unsure);
        let thumbnail = thumbnail.as_deref();
        let photo =
            Written { file, description, captions, confidence, is_unsure, thumbnail, error };
        self.form.write(&mut self.out, &photo)
    }
}

impl Out {
    /// Its name in messages.
    fn name(&self) -> String {
        match self {
            Self::Stdout(_) => "standard output".to_owned(),
            Self::File(path, _) => path.display().to_string(),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File(_, out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File(_, out) => out.flush(),
        }
    }
}

/// What to do about a photo that cannot be captioned, if its error does not say so.
fn next_step(error: &anyhow::Error) -> Option<&'static str> {
    let models::Error::Image(error) = error.downcast_ref()? else { return None };
    Some(match error {
        ImageError::NotAnImage => "use JPEG or PNG",
        // Its text has advice for its kind.
        ImageError::Unsupported(kind) if kind.contains("; ") => return None,
        ImageError::Unsupported(_) => "save it as JPEG or PNG",
        ImageError::Truncated => "copy it again from where it came from",
        ImageError::TooLarge { .. } => "scale it down",
        ImageError::Damaged(_) => "copy it again, or save it anew as JPEG or PNG",
    })
}
