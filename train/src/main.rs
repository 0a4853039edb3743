//! `train`: stage two. Trains, scores and exports the attention LSTM.

mod options;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use data::metrics::{PROTOCOL, Scores};
use data::splits::folder_of;
use data::{Captions, Split, Splits, Vocabulary};
use features::FeatureStore;
use models::SearchOptions;
use serde::Serialize;
use train::dataset;
use train::evaluate::{Evaluation, evaluate};
use train::export::export;
use train::fit::{Fit, Material, Stop};
use train::recipes::NetworkConfig;
use train::run::{EncoderRecord, REVISION, RunConfig, RunFolder, Training};

use crate::options::{Cli, Command, RunArgs, SplitChoice};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Fit(options) => fit(&options),
        Command::Evaluate(options) => score(&options),
        Command::Export(options) => write_export(&RunFolder::new(&options.run.run)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn fit(options: &options::Fit) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.run);
    ensure!(
        options.resume || !folder.last().exists(),
        "{}: holds a run already\n  Go on with it (--resume), or name another folder (--run DIR).",
        folder.path().display()
    );
    let _lock = folder.lock()?;
    let device = choose_device(&options.run)?;
    let (config, material) = if options.resume && folder.last().exists() {
        reopen(&folder, options)?
    } else {
        prepare(&folder, options)?
    };
    folder.save_config(&config)?;
    let mut fit = Fit::new(&folder, &config, &material, device)?;
    let done = fit.resume()?;
    if done > 0 {
        eprintln!("going on after epoch {done}");
    }
    let stop = fit.run()?;
    let progress = fit.progress();
    eprintln!(
        "stopped after epoch {}: {}; best dev CIDEr {:.1} in epoch {}",
        progress.epoch,
        match stop {
            Stop::Epochs => "all epochs are done".to_owned(),
            Stop::Patience => {
                format!("no better dev CIDEr for {} epochs", config.training.patience)
            }
        },
        100.0 * progress.best_cider,
        progress.best_epoch
    );
    write_export(&folder)
}

/// Config and material of a new run.
fn prepare(folder: &RunFolder, options: &options::Fit) -> anyhow::Result<(RunConfig, Material)> {
    let captions = Captions::read(&options.captions)?;
    let split_folder = options.splits.clone().unwrap_or_else(|| folder_of(&options.captions));
    let splits = Splits::find(&split_folder)?;
    let store = open_store(&options.store)?;
    if !folder.vocabulary().exists() {
        let vocabulary = Vocabulary::of_training(&captions, &splits, options.min_count)?;
        vocabulary.save(&folder.vocabulary())?;
        eprintln!("{}: {} words", folder.vocabulary().display(), vocabulary.len());
    }
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    let encoder = EncoderRecord::of(&store, &options.store)?;
    let config = RunConfig {
        recipe: options.recipe,
        revision: REVISION.to_owned(),
        captions: absolute(&options.captions)?,
        splits: (absolute(&split_folder)?, splits.to_string()),
        store: absolute(&options.store)?,
        vocabulary_sha256: vocabulary.sha256(),
        network: NetworkConfig::of(options.recipe, encoder.grid[2], vocabulary.len()),
        encoder,
        training: options.changes.apply(Training::of(options.recipe, options.seed)),
        search: SearchOptions::default(),
    };
    let material = material(&captions, &splits, vocabulary, store)?;
    Ok((config, material))
}

/// Config and material of a run that goes on.
fn reopen(folder: &RunFolder, options: &options::Fit) -> anyhow::Result<(RunConfig, Material)> {
    let mut config = folder.load_config()?;
    config.training.epochs = options.changes.epochs.unwrap_or(config.training.epochs);
    let captions = Captions::read(&config.captions)?;
    let splits = Splits::find(&config.splits.0)?;
    let store = open_store(&config.store)?;
    config.encoder.check(&store, &config.store)?;
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    let material = material(&captions, &splits, vocabulary, store)?;
    Ok((config, material))
}

fn material(
    captions: &Captions,
    splits: &Splits,
    vocabulary: Vocabulary,
    store: FeatureStore,
) -> anyhow::Result<Material> {
    let training = dataset::training(captions, splits, &vocabulary, &store);
    let dev = dataset::scored(captions, splits, Split::Dev, &store);
    let absent = training.without_grid + dev.without_grid;
    if absent > 0 {
        eprintln!("{absent} captioned images have no grid in the store and are left out");
    }
    eprintln!(
        "{} training and {} dev images (split by {splits})",
        training.images.len(),
        dev.images.len()
    );
    ensure!(!training.images.is_empty(), "no training image has both captions and a grid");
    ensure!(!dev.images.is_empty(), "no dev image has both captions and a grid");
    Ok(Material { store, vocabulary, training: training.images, dev: dev.images })
}

fn open_store(path: &Path) -> anyhow::Result<FeatureStore> {
    ensure!(path.exists(), "{}: no feature store; fill it first (`make extract`)", path.display());
    let store = FeatureStore::open(path)?;
    eprintln!(
        "{}: {} grids of {} are read from the store; no image is encoded",
        path.display(),
        store.complete(),
        store.provenance().encoder_name
    );
    Ok(store)
}

fn score(options: &options::Evaluate) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.run);
    let device = choose_device(&options.run)?;
    let run = folder.open_best(device)?;
    let config = &run.config;
    let captions = Captions::read(options.captions.as_ref().unwrap_or(&config.captions))?;
    let splits = Splits::find(options.splits.as_ref().unwrap_or(&config.splits.0))?;
    let store_path = options.store.as_ref().unwrap_or(&config.store);
    let store = open_store(store_path)?;
    config.encoder.check(&store, store_path)?;
    let (split, name) = match options.split {
        SplitChoice::Dev => (Split::Dev, "dev"),
        SplitChoice::Test => (Split::Test, "test"),
    };
    let scored = dataset::scored(&captions, &splits, split, &store);
    if scored.without_grid > 0 {
        eprintln!("{} images of the split have no grid and are left out", scored.without_grid);
    }
    ensure!(!scored.images.is_empty(), "no image of the {name} split has captions and a grid");
    let search = SearchOptions { beam: usize::from(options.beam), ..config.search };
    let evaluation =
        evaluate(&*run.network, &run.vocabulary, &scored.images, &store, &search, device)?;
    report(&evaluation, name, &search, options.json.as_deref());
    write_evaluation(&folder, &evaluation, name, options.json.as_deref())
}

/// Prints the scores, unless stdout is taken by their JSON.
fn report(evaluation: &Evaluation, split: &str, search: &SearchOptions, json: Option<&Path>) {
    eprintln!("{} {split} images, beam {}; {PROTOCOL}", evaluation.images, search.beam);
    eprintln!("{} captions were cut off at {} words", evaluation.unfinished, search.max_length);
    if json != Some(Path::new("-")) {
        for (name, score) in evaluation.scores.iter() {
            println!("{name:8} {:6.2}", 100.0 * score);
        }
    }
}

/// What `evaluate --json` writes.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    scores: Scores,
    images: usize,
    /// Captions that were cut off at the longest length.
    unfinished: usize,
    protocol: &'static str,
}

fn write_evaluation(
    folder: &RunFolder,
    evaluation: &Evaluation,
    split: &str,
    json: Option<&Path>,
) -> anyhow::Result<()> {
    let path = folder.path().join(format!("captions-{split}.json"));
    folder.write(&path, serde_json::to_string_pretty(&evaluation.captions)?.as_bytes())?;
    eprintln!("captions: {}", path.display());
    let report = Report {
        scores: evaluation.scores,
        images: evaluation.images,
        unfinished: evaluation.unfinished,
        protocol: PROTOCOL,
    };
    let report = serde_json::to_string_pretty(&report)?;
    match json {
        Some(path) if path == Path::new("-") => println!("{report}"),
        Some(path) => std::fs::write(path, report).with_context(|| path.display().to_string())?,
        None => {}
    }
    Ok(())
}

fn write_export(folder: &RunFolder) -> anyhow::Result<()> {
    export(folder)?;
    println!("{}: exported; `make serve` captions with it", folder.path().display());
    Ok(())
}

fn choose_device(options: &RunArgs) -> anyhow::Result<tch::Device> {
    if let Some(threads) = options.threads {
        tch::set_num_threads(i32::from(threads));
    }
    let device = train::device::choose(options.device)?;
    eprintln!("libtorch runs on {device:?} (asked for: {})", options.device);
    Ok(device)
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}
