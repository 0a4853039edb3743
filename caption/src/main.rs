//! `caption`: captions of photos, on the command line.

mod attention;
mod captioning;
mod cli;
mod destinations;
mod ledger;
mod parallel;
mod photos;
mod removal;
mod results;
mod workers;

use std::process::ExitCode;

use anyhow::ensure;
use clap::CommandFactory as _;
use common::count;
use common::program::{CAPTION, warn};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use models::{Manifest, SearchOptions};

use self::captioning::{Captioned, Captioning, Task};
use self::cli::{Cli, Format};
use self::destinations::Destinations;
use self::ledger::Ledger;
use self::photos::Photo;
use self::results::{Counts, Results};
use self::workers::Workers;

/// The digits of a model's hash that are recorded.
const DIGITS: usize = 12;

fn main() -> ExitCode {
    CAPTION.run(|cli: Cli| {
        let search = cli.search.options(cli.n_best);
        let search = search.unwrap_or_else(|wrong| wrong.format(&mut Cli::command()).exit());
        let photos = photos::find(&cli.paths)?;
        let is_complete = if cli.write.remove {
            removal::run(&cli, &photos)?
        } else {
            run(&cli, &search, photos)?
        };
        Ok(if is_complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// Captions all photos; returns whether all have a caption.
fn run(cli: &Cli, search: &SearchOptions, photos: Vec<Photo>) -> anyhow::Result<bool> {
    ensure!(
        !cli.output.words || cli.output.format() == Format::Json,
        "--words: has no effect\n  Add --json, or leave it out."
    );
    let manifest = Manifest::load(cli.model.folder())?;
    let destinations = Destinations::open(cli, model_name(&manifest), &photos)?;
    let mut ledger = Ledger::open(cli, &settings(cli, &manifest)?)?;
    let given = photos.len();
    let photos = match &ledger {
        Some(ledger) if !cli.ledger.all => ledger.keep_new(photos),
        _ => photos,
    };
    let done = given - photos.len();
    let mut results = Results::open(cli)?;
    let mut left_alone = 0;
    if !photos.is_empty() {
        let outputs = (&mut ledger, &mut results);
        left_alone = caption_all(cli, search, photos, &destinations, outputs)?;
    }
    destinations.finish()?;
    let counts = results.finish()?;
    report(cli, counts, left_alone, done);
    Ok(counts.failed == 0)
}

/// Captions photos; returns the number of those that were left alone.
fn caption_all(
    cli: &Cli,
    search: &SearchOptions,
    photos: Vec<Photo>,
    destinations: &Destinations,
    (ledger, results): (&mut Option<Ledger>, &mut Results),
) -> anyhow::Result<usize> {
    let workers = Workers::open(&cli.model, photos.len(), cli.tags)?;
    check_model(cli, search, &workers)?;
    let folders = match &cli.attention {
        Some(root) => attention::folders(root, &photos)?.into_iter().map(Some).collect(),
        None => vec![None; photos.len()],
    };
    let photos = photos.into_iter().zip(folders).collect::<Vec<Task>>();
    let captioning = Captioning {
        search,
        destinations,
        thumbnails: cli.output.format() == Format::Html,
        hashes: ledger.is_some(),
        min_confidence: cli.min_confidence.unwrap_or(0.0),
    };
    let mut left_alone = 0;
    let bar = progress_bar(photos.len());
    let batches = photos.chunks(workers.batch()).collect::<Vec<_>>();
    parallel::for_each_in_order(
        &workers.captioners(),
        &batches,
        |captioner, batch| captioning.run(captioner, batch),
        |batch, captioned| {
            for ((photo, _), captioned) in batch.iter().zip(captioned?) {
                if let Some(ledger) = ledger.as_mut().filter(|_| is_done(&captioned)) {
                    let known = captioned.as_ref().ok().and_then(Option::as_ref);
                    ledger.record(photo, known.and_then(|known| known.sha256.clone()))?;
                }
                match captioned.transpose() {
                    Some(captioned) => bar.suspend(|| results.write(photo, captioned))?,
                    None => left_alone += 1,
                }
                bar.inc(1);
            }
            Ok(())
        },
    )?;
    bar.finish_and_clear();
    Ok(left_alone)
}

/// Whether a photo needs no further run: it has a caption that was written where it is wanted, or is left alone.
fn is_done(captioned: &anyhow::Result<Option<Captioned>>) -> bool {
    let captioned = captioned.as_ref();
    captioned.is_ok_and(|it| it.as_ref().is_none_or(|captioned| captioned.failure.is_none()))
}

/// The model as it is recorded: the program that exported it, and the beginning of its decoder's hash.
fn model_name(manifest: &Manifest) -> String {
    let hash = &manifest.decoder_step.sha256;
    format!("{} {}", manifest.created_by, hash.get(..DIGITS).unwrap_or(hash))
}

/// All that a caption and its destinations depend on beside the photo.
fn settings(cli: &Cli, manifest: &Manifest) -> anyhow::Result<String> {
    let Cli { model, search, write, output, n_best, tags, min_confidence, .. } = cli;
    let flags = (&model.views, &model.neighbours, model.no_neighbours, search, n_best, tags);
    let places = (&write.write, write.existing, &write.prefix, min_confidence, output.format());
    Ok(format!("{} {flags:?} {places:?}", serde_json::to_string(manifest)?))
}

/// Says which photos have no line.
fn report(cli: &Cli, counts: Counts, left_alone: usize, done: usize) {
    if done > 0 {
        warn(format_args!(
            "{} left out: done by an earlier run (--all: again)",
            count(done, "photo")
        ));
    }
    if left_alone > 0 {
        warn(format_args!(
            "{} left alone: a text is there already (--existing {})",
            count(left_alone, "photo"),
            destinations::name(cli.write.existing)
        ));
    }
    if let Some(least) = cli.min_confidence.filter(|_| counts.unsure > 0) {
        warn(format_args!(
            "{} without a line: the confidence in their captions is below {least}",
            count(counts.unsure, "photo")
        ));
    }
}

/// Refuses flags that the model cannot follow; a message says where there are no tags.
fn check_model(cli: &Cli, search: &SearchOptions, workers: &Workers) -> anyhow::Result<()> {
    if cli.tags && !workers.captioners().iter().all(|captioner| captioner.has_tags()) {
        warn(
            "--tags: the encoder has no head (.onnx.head) beside it, so there are no tags\n  \
             Make the encoder again from its classifier (`encoder fetch`, `adapt` or `convert`); quantize it again after that.",
        );
    }
    if cli.min_confidence.is_some() {
        for captioner in workers.captioners() {
            ensure!(
                captioner.is_calibrated(search),
                "--min-confidence: the model {} is not calibrated for this search\n  \
                 Calibrate it (`train calibrate`), or leave out the flags of the search (--views, --beam, …).",
                cli.model.folder().display()
            );
        }
    }
    Ok(())
}

fn progress_bar(photos: usize) -> ProgressBar {
    if photos < 2 {
        return ProgressBar::hidden();
    }
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.1}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} photos  {rate}  {eta} left");
    let bar = ProgressBar::new(photos as u64);
    style.map_or(bar.clone(), |style| bar.with_style(style.with_key("rate", rate)))
}
