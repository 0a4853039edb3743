//! `captions`: what can be done with captions alone, without images, models or native libraries.

mod cli;

use std::io::{BufRead as _, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use data::flickr8k::Flickr8k;
use data::metrics::DocumentFrequencies;
use data::pairs::{References, read_references};
use data::program::{CAPTIONS, print, warn};
use data::scenes::Counts;
use data::splits::folder_of;
use data::tokens::tokenize;
use data::{Captions, Split, Splits, Vocabulary, download, files};

use crate::cli::{Cli, Command, Scenes, Source};

fn main() -> ExitCode {
    CAPTIONS.run(|cli: Cli| {
        match cli.command {
            Command::Vocabulary { source, out, min_count } => vocabulary(&source, &out, min_count),
            Command::Tokenize => tokenize_lines(),
            Command::Score(options) => cli::score::run(&options),
            Command::References { source, split, out } => references(&source, split.into(), &out),
            Command::Flickr8k { out } => flickr8k(&out),
            Command::Import { data_set, out } => import(&data_set, &out),
            Command::Scenes(options) => scenes(&options),
            Command::Looked { objects, captions } => looked(&objects, &captions),
            Command::Frequencies { references, out } => frequencies(&references, &out),
        }?;
        Ok(ExitCode::SUCCESS)
    })
}

fn read(source: &Source) -> data::Result<(Captions, Splits)> {
    let captions = Captions::read(&source.captions)?;
    let folder = source.splits.clone().unwrap_or_else(|| folder_of(&source.captions));
    Ok((captions, Splits::find(&folder)?))
}

fn vocabulary(source: &Source, out: &Path, min_count: usize) -> anyhow::Result<()> {
    let (captions, splits) = read(source)?;
    let vocabulary = Vocabulary::of_training(&captions, &splits, min_count)?;
    vocabulary.save(out)?;
    print(format_args!(
        "{}: {} words that occur {min_count} times in the training captions (split by {splits})",
        out.display(),
        vocabulary.len()
    ))?;
    Ok(())
}

fn tokenize_lines() -> anyhow::Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (number, line) in (1..).zip(std::io::stdin().lock().split(b'\n')) {
        let line = String::from_utf8(line.context("stdin")?)
            .with_context(|| format!("stdin, line {number}: no UTF-8; convert it first"))?;
        writeln!(out, "{}", tokenize(&line).join(" "))?;
    }
    Ok(out.flush()?)
}

fn flickr8k(out: &Path) -> anyhow::Result<()> {
    warn(format_args!(
        "Flickr8k (Hodosh, Young and Hockenmaier 2013) is for research and teaching, and may not be passed on."
    ));
    let found = Flickr8k::published().fetch(out, &mut download::bar())?;
    print(format_args!(
        "{}: {} photos, {} images with captions",
        out.display(),
        found.photos,
        found.captioned
    ))?;
    Ok(())
}

fn import(data_set: &Path, out: &Path) -> anyhow::Result<()> {
    let found = data::import::import(data_set, out)?;
    let splits = if found.splits { "lists of its splits" } else { "no splits, so names decide" };
    print(format_args!(
        "{}: {} images with {} captions, {splits}",
        out.display(),
        found.images,
        found.captions
    ))?;
    Ok(())
}

fn scenes(options: &Scenes) -> anyhow::Result<()> {
    let (train, dev, test) = (options.train, options.dev, options.test);
    data::scenes::write(&options.out, Counts { train, dev, test }, options.seed)?;
    let all = train + dev + test;
    print(format_args!("{}: {all} scenes, {train} to train on", options.out.display()))?;
    Ok(())
}

fn looked(objects: &Path, captions: &Path) -> anyhow::Result<()> {
    let found = data::scenes::looked(objects, captions)?;
    print(format_args!(
        "{} of {} words that name an object name one of the picture; {:.1} % of their attention lies on it, \
         which is {:.1} % of the area",
        found.words,
        found.named,
        100.0 * found.mass,
        100.0 * found.area
    ))?;
    Ok(())
}

fn references(source: &Source, split: Split, out: &Path) -> anyhow::Result<()> {
    let (captions, splits) = read(source)?;
    let of_split = captions.iter().filter(|of| splits.of(&of.image) == Some(split));
    let references =
        of_split.map(|of| (of.image.clone(), of.captions.clone())).collect::<References>();
    anyhow::ensure!(
        !references.is_empty(),
        "{}: no captions of that split in it (split by {splits})",
        source.captions.display()
    );
    files::replace(out, &serde_json::to_vec_pretty(&references)?)
        .with_context(|| out.display().to_string())?;
    print(format_args!(
        "{}: references of {} images (split by {splits})",
        out.display(),
        references.len()
    ))?;
    Ok(())
}

fn frequencies(references: &Path, out: &Path) -> anyhow::Result<()> {
    let tokens = read_references(references)?
        .into_values()
        .map(|of| of.iter().map(|caption| tokenize(caption)).collect::<Vec<_>>())
        .collect::<Vec<_>>();
    let frequencies = DocumentFrequencies::count(tokens.iter().map(Vec::as_slice));
    frequencies.save(out)?;
    print(format_args!(
        "{}: {} n-grams in the references of {} images",
        out.display(),
        frequencies.iter().count(),
        frequencies.images()
    ))?;
    Ok(())
}
