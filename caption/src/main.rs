//! `caption`: captions of photos, on the command line.

mod attention;
mod captioning;
mod cli;
mod destinations;
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
use models::SearchOptions;

use self::captioning::{Captioning, Task};
use self::cli::{Cli, Format};
use self::destinations::Destinations;
use self::photos::Photo;
use self::results::{Counts, Results};
use self::workers::Workers;

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
    let workers = Workers::open(&cli.model, photos.len(), cli.tags)?;
    check_model(cli, search, &workers)?;
    let destinations = Destinations::open(cli, &workers, &photos)?;
    let folders = match &cli.attention {
        Some(root) => attention::folders(root, &photos)?.into_iter().map(Some).collect(),
        None => vec![None; photos.len()],
    };
    let photos = photos.into_iter().zip(folders).collect::<Vec<Task>>();
    let captioning = Captioning {
        search,
        destinations: &destinations,
        thumbnails: cli.output.format() == Format::Html,
        min_confidence: cli.min_confidence.unwrap_or(0.0),
    };
    let mut results = Results::open(cli)?;
    let mut left_alone = 0;
    let bar = progress_bar(photos.len());
    let batches = photos.chunks(workers.batch()).collect::<Vec<_>>();
    parallel::for_each_in_order(
        &workers.captioners(),
        &batches,
        |captioner, batch| captioning.run(captioner, batch),
        |batch, captioned| {
            for ((photo, _), captioned) in batch.iter().zip(captioned?) {
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
    destinations.finish()?;
    let counts = results.finish()?;
    report(cli, counts, left_alone);
    Ok(counts.failed == 0)
}

/// Says which photos have no line.
fn report(cli: &Cli, counts: Counts, left_alone: usize) {
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
