//! `caption`: captions of photos, on the command line.

mod attention;
mod parallel;
mod photos;
mod results;
mod workers;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use caption_options::{ModelArgs, SearchArgs};
use clap::{CommandFactory as _, Parser};
use common::count;
use common::program::{CAPTION, warn};
use indicatif::{ProgressBar, ProgressStyle};
use models::{Captioner, Description, SearchOptions};

use self::photos::Photo;
use self::results::{Format, Results};
use self::workers::Workers;

/// Caption photos with a trained model.
#[derive(Parser)]
#[command(name = "caption", version = common::version!())]
struct Cli {
    /// Photos, folders of photos (with their subfolders), or - for one photo on standard input.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    search: SearchArgs,
    /// Captions of each photo, the best first; at most --beam.
    #[arg(long, default_value_t = 1, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    n_best: u16,
    /// Print the probable classes of each photo as well, by the classifier that the encoder was made of.
    #[arg(long)]
    tags: bool,
    /// Print one JSON document per line, with the probability and the attention of each word.
    #[arg(long)]
    json: bool,
    /// Print no line for a photo whose caption has a lower confidence, a number from 0 to 1; JSON has all of them.
    #[arg(long, value_name = "X", value_parser = parse_confidence)]
    min_confidence: Option<f32>,
    /// A folder for pictures of the attention: one for each word of the best caption.
    #[arg(long, value_name = "DIR")]
    attention: Option<PathBuf>,
}

fn main() -> ExitCode {
    CAPTION.run(|cli: Cli| {
        let search = cli.search.options(cli.n_best);
        let search = search.unwrap_or_else(|wrong| wrong.format(&mut Cli::command()).exit());
        Ok(if run(&cli, &search)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

fn parse_confidence(text: &str) -> anyhow::Result<f32> {
    let confidence = text.parse::<f32>().ok().filter(|of| (0.0..=1.0).contains(of));
    confidence.context("it must be a number from 0 to 1, such as 0.3")
}

/// Captions all photos; returns whether all have a caption.
fn run(cli: &Cli, search: &SearchOptions) -> anyhow::Result<bool> {
    let photos = photos::find(&cli.paths)?;
    let folders = match &cli.attention {
        Some(root) => attention::folders(root, &photos)?.into_iter().map(Some).collect(),
        None => vec![None; photos.len()],
    };
    let photos = photos.into_iter().zip(folders).collect::<Vec<Task>>();
    let workers = Workers::open(&cli.model, photos.len(), cli.tags)?;
    check_model(cli, search, &workers)?;
    let format = if cli.json { Format::Json } else { Format::Text };
    let results = Results::new(format, usize::from(cli.n_best), io::stdout().lock());
    let mut results = results.with_min_confidence(cli.min_confidence.unwrap_or(0.0));
    let bar = progress_bar(photos.len());
    let batches = photos.chunks(workers.batch()).collect::<Vec<_>>();
    parallel::for_each_in_order(
        &workers.captioners(),
        &batches,
        |captioner, batch| caption(captioner, batch, search),
        |batch, described| {
            for ((photo, _), described) in batch.iter().zip(described?) {
                bar.suspend(|| results.write(photo, described))?;
                bar.inc(1);
            }
            Ok(())
        },
    )?;
    bar.finish_and_clear();
    if let Some(least) = cli.min_confidence.filter(|_| results.unsure() > 0) {
        warn(format_args!(
            "{} without a line: the confidence in their captions is below {least}",
            count(results.unsure(), "photo")
        ));
    }
    Ok(results.failed() == 0)
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

/// A photo, and the folder for pictures of its attention.
type Task = (Photo, Option<PathBuf>);

/// What there is to say of one photo.
type Described = anyhow::Result<Description>;

/// Captions a batch of photos, and draws the attention if there is a folder for it. A photo that cannot be captioned has
/// its own error.
fn caption(
    captioner: &Captioner,
    batch: &[Task],
    search: &SearchOptions,
) -> anyhow::Result<Vec<Described>> {
    let read = |photo: &Photo| -> anyhow::Result<_> {
        let bytes = photo.read()?;
        Ok((captioner.prepare(&bytes)?, bytes))
    };
    let (mut prepared, mut photos) = (Vec::new(), Vec::new());
    for (photo, _) in batch {
        photos.push(read(photo).map(|(photo, bytes)| {
            prepared.push(photo);
            bytes
        }));
    }
    let mut results = captioner.caption_all(&prepared, search)?.photos.into_iter();
    let finish = |((_, folder), bytes): (&Task, anyhow::Result<Vec<u8>>)| {
        let bytes = bytes?;
        let description = results.next().unwrap_or_default();
        if let (Some(folder), Some(best)) = (folder, description.captions.first()) {
            let place = || format!("attention: {}", folder.display());
            attention::remove_old(folder).with_context(place)?;
            captioner.draw_attention(&bytes, best, folder).with_context(place)?;
        }
        Ok(description)
    };
    Ok(batch.iter().zip(photos).map(finish).collect())
}

fn progress_bar(photos: usize) -> ProgressBar {
    if photos < 2 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} photos  {per_sec}  {eta} left");
    let bar = ProgressBar::new(photos as u64);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
