//! `captions`: what can be done with captions alone, without images, models or native libraries.

mod cli;

use std::io::{self, BufRead as _, BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use data::flickr8k::Flickr8k;
use data::metrics::DocumentFrequencies;
use data::pairs::{References, read_references};
use data::program::{CAPTIONS, print, report_left_out, warn};
use data::scenes::Counts;
use data::splits::folder_of;
use data::tokens::tokenize;
use data::vocabulary::SPECIAL;
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

/// The captions and splits, with a report of what was left out of them.
fn read(captions: &Path, splits: Option<&Path>) -> data::Result<(Captions, Splits)> {
    let folder = splits.map_or_else(|| folder_of(captions), Path::to_path_buf);
    let (read, splits) = (Captions::read(captions)?, Splits::find(&folder)?);
    report_left_out(captions, read.left_out());
    report_left_out(&folder, splits.left_out());
    report_left_out(&folder, &splits.unmatched(&read));
    Ok((read, splits))
}

fn vocabulary(source: &Source, out: &Path, min_count: usize) -> anyhow::Result<()> {
    let (captions, splits) = read(&source.captions, source.splits.as_deref())?;
    let vocabulary = Vocabulary::of_training(&captions, &splits, min_count)?;
    vocabulary.save(out)?;
    print(format_args!(
        "{}: {} words that occur at least {min_count} times in the training captions, and {} special ones \
         (split by {splits})",
        out.display(),
        vocabulary.len() - SPECIAL.len(),
        SPECIAL.len()
    ))
}

fn tokenize_lines() -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut number = 0;
    for lines in io::stdin().lock().split(b'\n') {
        let mut lines = lines.context("stdin")?;
        if number == 0 && lines.starts_with(b"\xEF\xBB\xBF") {
            lines.drain(..3);
        }
        // Lines may end in CR LF, or in CR alone.
        let lines = lines.strip_suffix(b"\r").unwrap_or(&lines);
        for line in lines.split(|byte| *byte == b'\r') {
            number += 1;
            let line = str::from_utf8(line)
                .with_context(|| format!("stdin, line {number}: no UTF-8; convert it first"))?;
            writeln!(out, "{}", tokenize(line).join(" ")).context("standard output")?;
        }
    }
    out.flush().context("standard output")
}

fn flickr8k(out: &Path) -> anyhow::Result<()> {
    warn(format_args!(
        "Flickr8k (Hodosh, Young and Hockenmaier 2013) is for research and teaching, and may not be passed on."
    ));
    let found = Flickr8k::published().fetch(out, &mut download::bar())?;
    report_left_out(out, &found.left_out);
    print(format_args!(
        "{}: {} photos, {} images with captions",
        out.display(),
        found.photos,
        found.captioned
    ))
}

fn import(data_set: &Path, out: &Path) -> anyhow::Result<()> {
    let found = data::import::import(data_set, out)?;
    report_left_out(data_set, &found.left_out);
    if !found.removed_lists.is_empty() {
        warn(format_args!(
            "{}: removed split lists of other captions: {}",
            out.display(),
            found.removed_lists.join(", ")
        ));
    }
    let splits = found.splits.map_or_else(
        || "no splits, so names decide".to_owned(),
        |of| {
            "lists of its splits: ".to_owned()
                + &of.map(|(split, count)| format!("{count} {split}")).join(", ")
        },
    );
    print(format_args!(
        "{}: {} images with {} captions, {splits}",
        out.display(),
        found.images,
        found.captions
    ))
}

fn scenes(options: &Scenes) -> anyhow::Result<()> {
    let (train, dev, test) = (options.train, options.dev, options.test);
    data::scenes::write(&options.out, Counts { train, dev, test }, options.seed)?;
    let all = train + dev + test;
    print(format_args!("{}: {all} scenes, {train} to train on", options.out.display()))?;
    Ok(())
}

fn looked(objects: &Path, captions: &Path) -> anyhow::Result<()> {
    let (found, left_out) = data::scenes::looked(objects, captions)?;
    report_left_out(captions, &left_out);
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
    let (captions, splits) = read(&source.captions, source.splits.as_deref())?;
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
    let (read, left_out) = read_references(references)?;
    report_left_out(references, &left_out);
    let tokens = read
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
