//! `train evaluate`.

use std::path::Path;

use anyhow::{Context as _, ensure};
use data::metrics::health::Health;
use data::metrics::{PROTOCOL, Scores};
use data::program::{print, warn};
use data::{Captions, Split, Splits};
use features::FeatureStore;
use models::SearchOptions;
use serde::Serialize;
use train::dataset::{self, ScoredImage};
use train::evaluate::{Evaluation, evaluate as caption_and_score};
use train::recipes::Network;
use train::run::{RunFolder, TrainedRun};

use super::{choose_device, open_store};
use crate::options::{self, DataArgs, SplitChoice};

pub(crate) fn evaluate(options: &options::Evaluate) -> anyhow::Result<()> {
    let device = choose_device(&options.machine)?;
    let folders = options.run.iter().map(|path| RunFolder::new(path)).collect::<Vec<_>>();
    let runs =
        folders.iter().map(|folder| folder.open_best(device)).collect::<Result<Vec<_>, _>>()?;
    let (Some(folder), Some(run)) = (folders.first(), runs.first()) else {
        anyhow::bail!("no run is named; name one with --run");
    };
    check_ensemble(&folders, &runs)?;
    let (split, name) = match options.split {
        SplitChoice::Dev => (Split::Dev, "dev"),
        SplitChoice::Test => (Split::Test, "test"),
    };
    let (images, store) = scored_split(run, &options.data, split)?;
    let search = options.search.apply(run.config.search);
    let networks = runs.iter().map(|run| &*run.network).collect::<Vec<&dyn Network>>();
    let evaluation =
        caption_and_score(&networks, &run.vocabulary, &images, &store, &search, device)?;
    report(&evaluation, name, &search, options.json.as_deref())?;
    write_evaluation(folder, &evaluation, name, options.json.as_deref())
}

/// The images of a split that have captions and grids, and the store of their grids.
pub(super) fn scored_split(
    run: &TrainedRun,
    data: &DataArgs,
    split: Split,
) -> anyhow::Result<(Vec<ScoredImage>, FeatureStore)> {
    let config = &run.config;
    let captions = Captions::read(data.captions.as_ref().unwrap_or(&config.captions))?;
    let splits = Splits::find(data.splits.as_ref().unwrap_or(&config.splits.0))?;
    let path = data.store.as_ref().unwrap_or(&config.store);
    let store = open_store(path)?;
    config.encoder.check(&store, path)?;
    let scored = dataset::scored(&captions, &splits, split, &store);
    if scored.without_grid > 0 {
        warn(format_args!(
            "{} images of the split have no grid and are left out",
            scored.without_grid
        ));
    }
    ensure!(!scored.images.is_empty(), "no image of the split has captions and a grid");
    Ok((scored.images, store))
}

/// Networks that are averaged must mean the same by a word and by a grid.
fn check_ensemble(folders: &[RunFolder], runs: &[TrainedRun]) -> anyhow::Result<()> {
    for (folder, run) in folders.iter().zip(runs).skip(1) {
        let (config, first) = (&run.config, &runs[0].config);
        let path = folder.path().display();
        ensure!(
            config.vocabulary_sha256 == first.vocabulary_sha256,
            "{path}: another vocabulary than the first run has; they cannot be averaged"
        );
        ensure!(
            config.encoder == first.encoder,
            "{path}: another encoder than the first run has; they cannot be averaged"
        );
    }
    Ok(())
}

/// Prints the scores, unless stdout is taken by their JSON.
fn report(
    evaluation: &Evaluation,
    split: &str,
    search: &SearchOptions,
    json: Option<&Path>,
) -> anyhow::Result<()> {
    warn(format_args!(
        "{} {split} images, beam {}; {PROTOCOL}",
        evaluation.captioned.len(),
        search.beam
    ));
    warn(format_args!(
        "{} captions were cut off at {} words",
        evaluation.unfinished, search.max_length
    ));
    if json != Some(Path::new("-")) {
        for (name, score) in evaluation.scores.iter() {
            print(format_args!("{name:8} {:6.2}", 100.0 * score))?;
        }
    }
    Ok(())
}

/// What `evaluate --json` writes.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    scores: Scores,
    images: usize,
    /// Captions that were cut off at the longest length.
    unfinished: usize,
    health: Health,
    protocol: &'static str,
}

fn write_evaluation(
    folder: &RunFolder,
    evaluation: &Evaluation,
    split: &str,
    json: Option<&Path>,
) -> anyhow::Result<()> {
    let path = folder.path().join(format!("captions-{split}.json"));
    folder.write(&path, serde_json::to_string_pretty(&evaluation.captions())?.as_bytes())?;
    warn(format_args!("captions: {}", path.display()));
    let report = Report {
        scores: evaluation.scores,
        images: evaluation.captioned.len(),
        unfinished: evaluation.unfinished,
        health: evaluation.health,
        protocol: PROTOCOL,
    };
    let report = serde_json::to_string_pretty(&report)?;
    match json {
        Some(path) if path == Path::new("-") => print(format_args!("{report}"))?,
        Some(path) => std::fs::write(path, report).with_context(|| path.display().to_string())?,
        None => {}
    }
    Ok(())
}
