//! Alternative texts for the images that documents name (`--fill-alt`): a dry run with a diff, or written (`--apply`).

use std::collections::HashMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use common::names::one_line;
use common::program::{explain, print, warn};
use common::{Size, count, files};
use documents::{Alt, Document, Format, Image, Location, Obstacle};
use models::{SearchOptions, Style};
use similar::TextDiff;

use crate::budget::Budget;
use crate::captioning::{Captioned, Captioning, for_each_captioned};
use crate::cli::Cli;
use crate::destinations::Destinations;
use crate::photos::Photo;
use crate::run::open_workers;

/// The most bytes of a document.
const MAX_BYTES: Size = Size::mib(64);

/// The text of an image file, or why there is none.
type Texts = HashMap<PathBuf, Result<String, String>>;

/// A document as it was read.
struct Source {
    path: PathBuf,
    text: String,
    format: Format,
}

/// Numbers of images.
#[derive(Debug, Default)]
struct Counts {
    filled: usize,
    not_filled: usize,
    decoration: usize,
}

/// Fills the documents of `--fill-alt`; returns whether all could be read and written.
///
/// # Errors
/// If the model or the output fails; a document that fails is reported and counted.
pub(crate) fn run(cli: &Cli, search: &SearchOptions) -> anyhow::Result<bool> {
    let mut failed = 0;
    let mut sources = Vec::new();
    for path in &cli.documents.fill_alt {
        match Source::read(path) {
            Ok(source) => sources.push(source),
            Err(error) => {
                failed += 1;
                warn(explain(&error));
            }
        }
    }
    let documents = sources.iter().map(|source| Document::parse(&source.text, source.format));
    let documents = sources.iter().zip(documents).collect::<Vec<_>>();
    let texts = caption(cli, search, &documents)?;
    let mut counts = Counts::default();
    for (source, document) in &documents {
        let filled = source.fill(cli, document, &texts, &mut counts);
        if let Err(error) = source.show(cli, &filled) {
            failed += 1;
            warn(explain(&error));
        }
    }
    counts.print(cli);
    Ok(failed == 0)
}

/// Captions the files of all images that can be filled, each once.
fn caption(
    cli: &Cli,
    search: &SearchOptions,
    documents: &[(&Source, Document)],
) -> anyhow::Result<Texts> {
    let paths = documents.iter().flat_map(|(source, document)| {
        let wanted = document.images().iter().filter(|image| is_wanted(cli, image));
        wanted.filter_map(|image| source.file_of(cli, document, image).ok())
    });
    let mut texts = paths.map(|path| (path, Err(String::new()))).collect::<Texts>();
    if texts.is_empty() {
        return Ok(texts);
    }
    let mut paths = texts.keys().cloned().collect::<Vec<_>>();
    paths.sort();
    let photos = paths.into_iter().map(Photo::from_file).collect::<Vec<_>>();
    let workers = open_workers(cli, search, photos.len())?;
    let destinations = Destinations::open(cli, String::new(), &photos)?;
    let budget = Budget::new(cli.memory);
    let min_confidence = cli.min_confidence.unwrap_or(0.0);
    let captioning = Captioning {
        search,
        destinations: &destinations,
        budget: &budget,
        thumbnails: false,
        hashes: false,
        min_confidence,
    };
    let tasks = photos.into_iter().map(|photo| (photo, None)).collect::<Vec<_>>();
    for_each_captioned(&workers, &captioning, &tasks, |photo, captioned| {
        let text = captioned.and_then(|captioned| text_of(captioned, min_confidence));
        texts.insert(photo.path().to_owned(), text.map_err(|error| explain(&error)));
        Ok(())
    })?;
    Ok(texts)
}

/// The alternative text of a photo.
fn text_of(captioned: Option<Captioned>, min_confidence: f32) -> anyhow::Result<String> {
    let captioned = captioned.context("it has no caption")?;
    ensure!(!captioned.is_unsure(min_confidence), "its caption is below --min-confidence");
    let best = captioned.description.captions.first().context("it has no caption")?;
    Ok(Style::Alt.sentence(best))
}

/// Whether an image has no text and is to have one, if nothing is in the way.
fn is_wanted(cli: &Cli, image: &Image) -> bool {
    match image.alt {
        Alt::Missing => true,
        Alt::Empty => cli.documents.empty_too,
        Alt::Present(_) => false,
    }
}

impl Source {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let place = || path.display().to_string();
        let format = Format::from_path(path).with_context(|| {
            format!(
                "{}: not HTML or Markdown: name .html, .htm, .xhtml, .md or .markdown files",
                place()
            )
        })?;
        let bytes = files::read(path, MAX_BYTES).map_err(common::Error::io(path))?;
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| anyhow!("{}: not UTF-8: save it as UTF-8", place()))?;
        Ok(Self { path: path.to_owned(), text, format })
    }

    /// The file of an image, or why it is not filled.
    fn file_of(&self, cli: &Cli, document: &Document, image: &Image) -> Result<PathBuf, String> {
        if let Some(obstacle) = image.obstacle {
            return Err(explain_obstacle(obstacle).to_owned());
        }
        let folder = self.path.parent().unwrap_or(Path::new(""));
        match document.locate(image, folder, cli.documents.root.as_deref()) {
            Location::Local(path) if path.is_file() => Ok(path),
            Location::Local(path) => Err(format!("{} is not a file", path.display())),
            Location::Remote => Err("an address; only local files are captioned".to_owned()),
            Location::Rootless => {
                Err("a path from the root of the site: name it (--root)".to_owned())
            }
            Location::Itself => Err("it names the document".to_owned()),
        }
    }

    /// The document with texts. Images that are not filled are reported.
    fn fill(&self, cli: &Cli, document: &Document, texts: &Texts, counts: &mut Counts) -> String {
        let wanted = |image: &&Image| is_wanted(cli, image);
        let decoration = document.images().iter().filter(|image| image.alt == Alt::Empty);
        counts.decoration += decoration.filter(|image| !wanted(image)).count();
        for image in document.images().iter().filter(wanted) {
            if let Err(reason) = self.text(cli, document, image, texts) {
                counts.not_filled += 1;
                self.report(image, reason);
            }
        }
        document.fill(|image| {
            let text =
                Some(image).filter(wanted).map(|image| self.text(cli, document, image, texts));
            let text = text?.ok();
            counts.filled += usize::from(text.is_some());
            text
        })
    }

    /// The text of an image, or why it has none.
    fn text<'t>(
        &self,
        cli: &Cli,
        document: &Document,
        image: &Image,
        texts: &'t Texts,
    ) -> Result<&'t str, String> {
        let file = self.file_of(cli, document, image)?;
        let text = texts.get(&file).map(|text| text.as_ref().map_err(Clone::clone));
        text.unwrap_or_else(|| Err("it was not there a moment ago".to_owned())).map(String::as_str)
    }

    fn report(&self, image: &Image, reason: impl Display) {
        let Image { line, column, source, .. } = image;
        let source = one_line(source);
        warn(format_args!(
            "{}:{line}:{column}: {source}: not filled: {reason}",
            self.path.display()
        ));
    }

    /// Prints what changes, or writes it.
    fn show(&self, cli: &Cli, filled: &str) -> anyhow::Result<()> {
        if filled == self.text {
            return Ok(());
        }
        if !cli.documents.apply {
            let name = self.path.display().to_string();
            let diff = TextDiff::from_lines(self.text.as_str(), filled);
            print(format_args!("{}", diff.unified_diff().header(&name, &name)))?;
            return Ok(());
        }
        let now = files::read(&self.path, MAX_BYTES).map_err(common::Error::io(&self.path))?;
        ensure!(
            now == self.text.as_bytes(),
            "{}: changed in the meantime, and stays as it is\n  Run the command again.",
            self.path.display()
        );
        Ok(files::replace(&self.path, filled.as_bytes()).map_err(common::Error::io(&self.path))?)
    }
}

fn explain_obstacle(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::NoSource => "it has no source",
        Obstacle::Decoration => "it is declared decoration (aria-hidden or role)",
        Obstacle::Labelled => "it has a label (aria-label or the like)",
        Obstacle::Unclear => "template code or markup is where the text belongs",
        Obstacle::Link => "in a link or button, whose name the text would be",
    }
}

impl Counts {
    /// Says what was done.
    fn print(&self, cli: &Cli) {
        let Self { filled, not_filled, decoration } = *self;
        let all = count(filled + not_filled, "image");
        let dry = if filled == 0 || cli.documents.apply {
            ""
        } else {
            " (a dry run: --apply writes them)"
        };
        let left = if decoration == 0 {
            String::new()
        } else {
            format!("; {decoration} with alt=\"\" count as decoration (--empty-too)")
        };
        warn(format_args!("{filled} of {all} without a text filled{dry}{left}"));
    }
}
