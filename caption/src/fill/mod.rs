//! Alternative texts for the images that documents name (`--fill-alt`): a dry run with a diff, or written (`--apply`).

mod source;

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use common::count;
use common::program::{explain, warn};
use documents::{Alt, Document};
use models::{SearchOptions, Style};

use self::source::{Filled, Source, Texts, is_wanted, shown};
use crate::budget::Budget;
use crate::captioning::{Captioned, Captioning, for_each_captioned};
use crate::cli::{Cli, DocumentArgs};
use crate::destinations::Destinations;
use crate::identity::real_path;
use crate::photos::Photo;
use crate::run::open_workers;

/// Fills the documents of `--fill-alt`; returns whether all could be read and written.
///
/// # Errors
/// If the model or the output fails; a document that fails is reported and counted.
pub(crate) fn run(cli: &Cli, search: &SearchOptions) -> anyhow::Result<bool> {
    let arguments = &cli.documents;
    if let Some(root) = arguments.root.as_deref().filter(|root| !root.is_dir()) {
        bail!("--root: {} is not a folder: name that of the site", shown(root));
    }
    let (sources, mut failed) = read(&arguments.fill_alt);
    let documents = sources.iter().map(|source| Document::parse(&source.text, source.format));
    let documents = sources.iter().zip(documents).collect::<Vec<_>>();
    let texts = caption(cli, search, &documents)?;
    let mut counts = [0, 0];
    for (source, document) in &documents {
        let filled = source.fill(arguments, document, &texts);
        let [mut added, mut missing] = filled.counts;
        if added > 0 && !arguments.apply {
            source.print_changes(&filled)?;
        } else if added > 0 && !write(source, &filled) {
            failed += 1;
            (added, missing) = (0, added + missing);
        }
        counts = [counts[0] + added, counts[1] + missing];
    }
    print_counts(arguments, counts, &documents);
    Ok(failed == 0)
}

/// Writes a document with its texts, and says so, or why not; returns whether it was written.
fn write(source: &Source, filled: &Filled) -> bool {
    let [added, _] = filled.counts;
    match source.write(filled) {
        Ok(()) => warn(format_args!("{}: {} filled", shown(&source.path), count(added, "text"))),
        Err(error) => {
            warn(explain(&error));
            return false;
        }
    }
    true
}

/// Reads documents, each once: one may be named twice, or reached by a link as well. Returns the number of those that cannot be
/// read, too.
fn read(paths: &[PathBuf]) -> (Vec<Source>, usize) {
    let mut named = HashSet::new();
    let (mut sources, mut failed) = (Vec::new(), 0);
    for path in paths.iter().filter(|path| named.insert(real_path(path))) {
        match Source::read(path) {
            Ok(source) => sources.push(source),
            Err(error) => {
                failed += 1;
                warn(explain(&error));
            }
        }
    }
    (sources, failed)
}

/// Captions the files of all images that can be filled, each once.
fn caption(
    cli: &Cli,
    search: &SearchOptions,
    documents: &[(&Source, Document)],
) -> anyhow::Result<Texts> {
    let paths = documents.iter().flat_map(|(source, document)| {
        let wanted = document.images().iter().filter(|image| is_wanted(&cli.documents, image));
        wanted.filter_map(|image| source.file_of(&cli.documents, document, image).ok())
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

/// Says how many texts were filled, of how many that are missing.
fn print_counts(
    arguments: &DocumentArgs,
    [filled, missing]: [usize; 2],
    documents: &[(&Source, Document)],
) {
    let images = documents.iter().flat_map(|(_, document)| document.images());
    let decoration = images.filter(|image| image.alt == Alt::Empty && !is_wanted(arguments, image));
    let left = match decoration.count() {
        0 => String::new(),
        number => format!("; {number} with alt=\"\" count as decoration (--empty-too)"),
    };
    let is_dry = filled > 0 && !arguments.apply;
    let dry = if is_dry { " (a dry run: --apply writes them)" } else { "" };
    let all = count(filled + missing, "missing text");
    warn(format_args!("{filled} of {all} filled{dry}{left}"));
}
