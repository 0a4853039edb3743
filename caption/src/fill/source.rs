//! A document: its images, the texts for them, and what is done with the result.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use common::names::one_line;
use common::program::{print, warn};
use common::{Size, files};
use documents::{Alt, Document, Format, Image, Location, Obstacle};
use similar::TextDiff;

use crate::cli::DocumentArgs;

/// The most bytes of a document.
const MAX_BYTES: Size = Size::mib(64);
/// The time in which the smallest diff of a document is searched; then a larger one is printed.
const SEARCH_TIME: Duration = Duration::from_secs(1);

/// The text of an image file, or why there is none.
pub(super) type Texts = HashMap<PathBuf, Result<String, String>>;

/// A document as it was read.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) format: Format,
}

/// A document with texts.
pub(super) struct Filled {
    text: String,
    /// The number of texts that were added, and of those that are still missing.
    pub(super) counts: [usize; 2],
}

/// Whether an image has no text and is to have one, if nothing is in the way.
pub(super) fn is_wanted(arguments: &DocumentArgs, image: &Image) -> bool {
    match image.alt {
        Alt::Missing => true,
        Alt::Empty => arguments.empty_too,
        Alt::Present(_) => false,
    }
}

impl Source {
    /// Reads a document.
    ///
    /// # Errors
    /// If it is not HTML or Markdown, not UTF-8, or cannot be read.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        ensure!(!path.is_dir(), "{}: a folder: name the documents in it", shown(path));
        let format = Format::from_path(path).with_context(|| {
            let advice = "name .html, .htm, .xhtml, .md or .markdown files";
            format!("{}: not HTML or Markdown: {advice}", shown(path))
        })?;
        let bytes = files::read(path, MAX_BYTES).map_err(common::Error::io(path))?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| anyhow!("{}: not UTF-8: save it as UTF-8", shown(path)))?;
        Ok(Self { path: path.to_owned(), text, format })
    }

    /// The file of an image, or why it is not filled.
    pub(super) fn file_of(
        &self,
        arguments: &DocumentArgs,
        document: &Document,
        image: &Image,
    ) -> Result<PathBuf, String> {
        if let Some(obstacle) = image.obstacle {
            return Err(explain(obstacle).to_owned());
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        match document.locate(image, folder, arguments.root.as_deref()) {
            Location::Local(path) if path.is_file() => Ok(path),
            Location::Local(path) => Err(format!("{} is not a file", shown(&path))),
            Location::Remote => Err("not a local file".to_owned()),
            Location::Rootless => {
                Err("a path from the root of the site: name it (--root)".to_owned())
            }
            Location::Itself => Err("it names the document".to_owned()),
        }
    }

    /// Fills the document with texts. Images that are not filled are reported.
    pub(super) fn fill(
        &self,
        arguments: &DocumentArgs,
        document: &Document,
        texts: &Texts,
    ) -> Filled {
        let mut counts = [0, 0];
        let text_of = |image: &Image| {
            let file = self.file_of(arguments, document, image)?;
            let text = texts.get(&file).map(|text| text.as_deref().map_err(Clone::clone));
            text.unwrap_or_else(|| Err("it was not there a moment ago".to_owned()))
        };
        for image in document.images().iter().filter(|image| is_wanted(arguments, image)) {
            let text = text_of(image);
            counts[usize::from(text.is_err())] += 1;
            if let Err(reason) = text {
                self.report(image, reason);
            }
        }
        let text = document.fill(|image| {
            let image = Some(image).filter(|image| is_wanted(arguments, image));
            image.and_then(|image| text_of(image).ok())
        });
        Filled { text, counts }
    }

    fn report(&self, image: &Image, reason: impl Display) {
        let Image { line, column, source, .. } = image;
        let source = if source.is_empty() { "an image".into() } else { one_line(source) };
        let path = shown(&self.path);
        warn(format_args!("{path}:{line}:{column}: {source}: not filled: {reason}"));
    }

    /// Prints what changes.
    ///
    /// # Errors
    /// If it cannot be printed.
    pub(super) fn print_changes(&self, filled: &Filled) -> anyhow::Result<()> {
        let name = shown(&self.path);
        let mut diff = TextDiff::configure();
        let diff = diff.timeout(SEARCH_TIME).diff_lines(&self.text, &filled.text);
        print(diff.unified_diff().header(&name, &name))
    }

    /// Writes the document with its texts.
    ///
    /// # Errors
    /// If it is read-only, was changed in the meantime, or cannot be written.
    pub(super) fn write(&self, filled: &Filled) -> anyhow::Result<()> {
        let io = || common::Error::io(&self.path);
        let metadata = std::fs::metadata(&self.path).map_err(io())?;
        ensure!(
            !metadata.permissions().readonly(),
            "{}: it is read-only, and stays as it is\n  Change its permissions.",
            shown(&self.path)
        );
        let now = files::read(&self.path, MAX_BYTES).map_err(io())?;
        ensure!(
            now == self.text.as_bytes(),
            "{}: changed in the meantime, and stays as it is\n  Run the command again.",
            shown(&self.path)
        );
        Ok(files::replace(&self.path, filled.text.as_bytes()).map_err(io())?)
    }
}

/// A path without control characters, for a terminal.
pub(super) fn shown(path: &Path) -> String {
    one_line(&path.to_string_lossy()).into_owned()
}

fn explain(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::NoSource => "it has no src",
        Obstacle::Decoration => "it is declared decoration (aria-hidden or role)",
        Obstacle::Labelled => "it has a label (aria-label or the like)",
        Obstacle::Unclear => "template code or markup is where the text belongs",
        Obstacle::Link => "in a link or button, whose name the text would be",
    }
}
