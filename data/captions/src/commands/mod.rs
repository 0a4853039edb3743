//! The commands.

pub(crate) mod score;
mod table;

use std::io::{self, BufRead as _, BufWriter, Write as _};
use std::path::Path;

use anyhow::Context as _;
use captions::coco::{Choices, Coco};
use captions::flickr8k::Flickr8k;
use captions::import::Imported;
use captions::scenes::Counts;
use common::program::{print, report_skipped_entries, warn};
use common::{Size, files};
use data::metrics::DocumentFrequencies;
use data::pairs::{References, read_references};
use data::splits::folder_of;
use data::tokens::tokenize;
use data::vocabulary::SPECIAL;
use data::{Captions, Corpus, Split, Splits, Vocabulary};

use crate::cli::{Coco2017, Scenes, Source};

/// Reads captions and splits, and reports the entries that were skipped of them.
fn read(captions: &Path, splits: Option<&Path>) -> data::Result<(Captions, Splits)> {
    let folder = splits.map_or_else(|| folder_of(captions), Path::to_path_buf);
    let (read, splits) = (Captions::read(captions)?, Splits::find(&folder)?);
    report_skipped_entries(captions, read.skipped_entries());
    report_skipped_entries(&folder, splits.skipped_entries());
    report_skipped_entries(&folder, &splits.unmatched(&read));
    Ok((read, splits))
}

/// `captions vocabulary`.
pub(crate) fn vocabulary(source: &Source, out: &Path, min_count: usize) -> anyhow::Result<()> {
    let (captions, splits) = read(&source.captions, source.splits.as_deref())?;
    let vocabulary = Vocabulary::from_training(&[&Corpus::new(captions, &splits)], min_count)?;
    vocabulary.save(out)?;
    print(format_args!(
        "{}: {} words that occur at least {min_count} times in the training captions, and {} special ones \
         (split by {splits})",
        out.display(),
        vocabulary.len() - SPECIAL.len(),
        SPECIAL.len()
    ))
}

/// `captions tokenize`.
pub(crate) fn tokenize_lines() -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut number = 0;
    for chunk in io::stdin().lock().split(b'\n') {
        let mut chunk = chunk.context("stdin")?;
        if number == 0 && chunk.starts_with(b"\xEF\xBB\xBF") {
            chunk.drain(..3);
        }
        // Lines may end in CR LF, or in CR alone.
        for line in chunk.strip_suffix(b"\r").unwrap_or(&chunk).split(|byte| *byte == b'\r') {
            number += 1;
            let line = str::from_utf8(line)
                .with_context(|| format!("stdin, line {number}: not UTF-8: convert it first"))?;
            writeln!(out, "{}", tokenize(line).join(" ")).context("standard output")?;
        }
    }
    out.flush().context("standard output")
}

/// `captions flickr8k`.
pub(crate) fn flickr8k(out: &Path) -> anyhow::Result<()> {
    warn(format_args!(
        "Flickr8k (Hodosh, Young and Hockenmaier 2013) is for research and teaching, and may not be redistributed."
    ));
    let fetched = Flickr8k::published().fetch(out, &mut download::progress_bar())?;
    report_skipped_entries(out, &fetched.skipped_entries);
    print(format_args!(
        "{}: {} photos, {} images with captions",
        out.display(),
        fetched.photos,
        fetched.captioned
    ))
}

/// `captions coco2017`.
pub(crate) fn coco2017(options: &Coco2017) -> anyhow::Result<()> {
    let out = &options.out;
    warn(format_args!(
        "COCO 2017 (Lin et al. 2014): the annotations are under CC BY 4.0; the photos belong to their authors on Flickr, \
         each under its own licence."
    ));
    let choices = Choices::read(options.karpathy.as_deref(), options.exclude.as_deref())?;
    let coco = Coco::published();
    let (need, free) = (coco.space_needed(out), free_space(out)?);
    warn(format_args!("{}: needs {need}; {free} are free", out.display()));
    if need > free {
        return Err(captions::Error::Disk { folder: out.clone(), need, free }.into());
    }
    let fetched = coco.fetch(out, &choices, &mut download::progress_bar())?;
    if options.exclude.is_some() {
        warn(format_args!("{}: {} photos are left out", out.display(), fetched.excluded));
    }
    report(&fetched.imported, out, out)
}

/// The free space of the disk of a folder that may not exist yet.
fn free_space(folder: &Path) -> anyhow::Result<Size> {
    let folder = std::path::absolute(folder)?;
    let existing = folder.ancestors().find(|folder| folder.exists()).unwrap_or(&folder);
    let disk = rustix::fs::statvfs(existing).with_context(|| existing.display().to_string())?;
    Ok(Size::new(disk.f_bavail * disk.f_frsize))
}

/// `captions import`.
pub(crate) fn import(data_set: &Path, out: &Path) -> anyhow::Result<()> {
    report(&captions::import::import(data_set, out)?, data_set, out)
}

/// Reports a data set that was imported from `source` into the folder `out`.
fn report(imported: &Imported, source: &Path, out: &Path) -> anyhow::Result<()> {
    report_skipped_entries(source, &imported.skipped_entries);
    if !imported.removed_lists.is_empty() {
        warn(format_args!(
            "{}: removed split lists of other captions: {}",
            out.display(),
            imported.removed_lists.join(", ")
        ));
    }
    let splits = imported.splits.as_ref().map_or_else(
        || "no splits: images are split by a hash of their names".to_owned(),
        |counts| {
            let counts = counts.each_ref().map(|(split, count)| format!("{count} {split}"));
            format!("split lists: {}", counts.join(", "))
        },
    );
    print(format_args!(
        "{}: {} images with {} captions, {splits}",
        out.display(),
        imported.images,
        imported.captions
    ))
}

/// `captions scenes`.
pub(crate) fn scenes(options: &Scenes) -> anyhow::Result<()> {
    let (train, dev, test) = (options.train, options.dev, options.test);
    captions::scenes::write(&options.out, Counts { train, dev, test }, options.seed)?;
    let all = train + dev + test;
    print(format_args!("{}: {all} scenes, {train} of them for training", options.out.display()))
}

/// `captions looked`.
pub(crate) fn looked(objects: &Path, captions: &Path) -> anyhow::Result<()> {
    let (pointing, skipped_entries) = captions::scenes::score_attention(objects, captions)?;
    report_skipped_entries(captions, &skipped_entries);
    print(format_args!(
        "{} of {} words for objects name an object of the picture; {:.1} % of their attention falls on it \
         ({:.1} % by chance)",
        pointing.words,
        pointing.named,
        100.0 * pointing.mass,
        100.0 * pointing.area
    ))
}

/// `captions references`.
pub(crate) fn references(source: &Source, split: Split, out: &Path) -> anyhow::Result<()> {
    let (captions, splits) = read(&source.captions, source.splits.as_deref())?;
    let references = captions
        .iter()
        .filter(|image| splits.split_of(&image.image) == Some(split))
        .map(|image| (image.image.clone(), image.captions.clone()))
        .collect::<References>();
    anyhow::ensure!(
        !references.is_empty(),
        "{}: no captions of this split in it (split by {splits})",
        source.captions.display()
    );
    files::replace(out, &serde_json::to_vec_pretty(&references)?)
        .with_context(|| out.display().to_string())?;
    print(format_args!(
        "{}: references of {} images (split by {splits})",
        out.display(),
        references.len()
    ))
}

/// `captions frequencies`.
pub(crate) fn frequencies(references: &Path, out: &Path) -> anyhow::Result<()> {
    let (read, skipped_entries) = read_references(references)?;
    report_skipped_entries(references, &skipped_entries);
    let tokens = read
        .into_values()
        .map(|captions| captions.iter().map(|caption| tokenize(caption)).collect::<Vec<_>>())
        .collect::<Vec<_>>();
    let frequencies = DocumentFrequencies::count(tokens.iter().map(Vec::as_slice));
    frequencies.save(out)?;
    print(format_args!(
        "{}: {} n-grams in the references of {} images",
        out.display(),
        frequencies.iter().count(),
        frequencies.images()
    ))
}
