//! `train fit` and `train refine`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use data::program::warn;
use data::splits::folder_of;
use data::{Captions, Split, Splits, Vocabulary};
use features::FeatureStore;
use models::SearchOptions;
use sysinfo::System;
use train::export::Form;
use train::fit::{Fit, Material, Stop};
use train::recipes::{NetworkConfig, Recipe};
use train::run::{EncoderRecord, REVISION, RunConfig, RunFolder, Training};
use train::settings::Settings;
use train::{Refinement, dataset, limits};

use super::export::announce;
use super::{choose_device, open_store};
use crate::options::{self, Changes, Machine};

/// The recipe that is trained unless another one is asked for.
const DEFAULT_RECIPE: Recipe = Recipe::Adaptive;

pub(crate) fn fit(options: &options::Fit) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.path);
    train(&folder, &options.machine, &options.changes, options.resume, || prepare(&folder, options))
}

pub(crate) fn refine(options: &options::Refine) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.path);
    train(&folder, &options.machine, &options.changes, options.resume, || {
        prepare_refinement(&folder, options)
    })
}

/// Trains a run until it is done or interrupted: the one in the folder, or what `prepare` gives.
fn train(
    folder: &RunFolder,
    machine: &Machine,
    changes: &Changes,
    resume: bool,
    prepare: impl FnOnce() -> anyhow::Result<(RunConfig, Material)>,
) -> anyhow::Result<()> {
    let begun = folder.last().exists();
    ensure!(
        resume || !begun,
        "{}: holds a run already\n  Go on with it (--resume), or name another folder (--run DIR).",
        folder.path().display()
    );
    let _lock = folder.lock()?;
    let device = choose_device(machine)?;
    let (config, material) = if begun { reopen(folder, changes)? } else { prepare()? };
    limits::check(&config)?;
    folder.save_config(&config)?;
    let mut fit = Fit::new(folder, &config, &material, device)?;
    warn_of_memory(fit.memory(), device);
    if fit.resume()? {
        let progress = fit.progress();
        warn(format_args!("going on after epoch {}, step {}", progress.epoch, progress.steps));
    } else if let Some(refinement) = &config.refinement {
        fit.begin_with(&RunFolder::new(&refinement.from).best())?;
    }
    fit.interrupt_by(&interrupts()?);
    let stop = fit.run()?;
    let progress = fit.progress();
    let why = match stop {
        Stop::Epochs => "all epochs are done".to_owned(),
        Stop::Patience => format!("no better dev CIDEr for {} epochs", config.training.patience),
        Stop::Interrupted => "interrupted; go on with --resume".to_owned(),
    };
    let best = match progress.best_epoch {
        0 => "of the network it began with".to_owned(),
        epoch => format!("in epoch {epoch}"),
    };
    warn(format_args!(
        "stopped after epoch {}, step {}: {why}; best dev CIDEr {:.1} {best}",
        progress.epoch,
        progress.steps,
        100.0 * progress.best_cider
    ));
    if stop == Stop::Interrupted { Ok(()) } else { announce(folder, &Form::default()) }
}

/// Says so if the machine has less memory to give than training takes.
fn warn_of_memory(needed: u64, device: tch::Device) {
    let mut system = System::new();
    system.refresh_memory();
    let left_in_group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    let available = system.available_memory().min(left_in_group);
    if device == tch::Device::Cpu && needed > available {
        let [needed, available] = [needed, available].map(|bytes| bytes.div_ceil(1 << 20));
        warn(format_args!(
            "warning: training will take about {needed} MiB, and {available} MiB are free\n  \
             Take smaller batches (--batch), or close other programs."
        ));
    }
}

/// A flag that Ctrl-C and a polite kill set. The second time they end the program at once; the last
/// checkpoint stays.
fn interrupts() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        warn(format_args!("stopping after this step, with a checkpoint"));
    })?;
    Ok(flag)
}

/// Config and material of a new run; its vocabulary is written.
fn prepare(folder: &RunFolder, options: &options::Fit) -> anyhow::Result<(RunConfig, Material)> {
    let settings = options.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
    let recipe = options.recipe.or(settings.recipe()).unwrap_or(DEFAULT_RECIPE);
    let captions = Captions::read(&options.captions)?;
    let split_folder = options.splits.clone().unwrap_or_else(|| folder_of(&options.captions));
    let splits = Splits::find(&split_folder)?;
    let store = open_store(&options.store)?;
    if !folder.vocabulary().exists() {
        let vocabulary = Vocabulary::of_training(&captions, &splits, options.min_count)?;
        vocabulary.save(&folder.vocabulary())?;
        warn(format_args!("{}: {} words", folder.vocabulary().display(), vocabulary.len()));
    }
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    let encoder = EncoderRecord::of(&store, &options.store)?;
    let sizes = NetworkConfig::of(recipe, encoder.grid[2], vocabulary.len());
    let network = settings.apply("network", sizes)?;
    let training = Training::of(recipe, options.seed, &store.provenance().views);
    let mut training = settings.apply("training", training)?;
    training.seed = options.seed;
    let config = RunConfig {
        recipe,
        revision: REVISION.to_owned(),
        captions: absolute(&options.captions)?,
        splits: (absolute(&split_folder)?, splits.to_string()),
        store: absolute(&options.store)?,
        data_licence: options.data_licence.clone(),
        vocabulary_sha256: vocabulary.sha256(),
        refinement: None,
        network: NetworkConfig {
            channels: sizes.channels,
            vocabulary: sizes.vocabulary,
            ..network
        },
        encoder,
        training: options.changes.apply(training),
        search: settings.apply("search", SearchOptions::default())?,
    };
    let consensus = config.training.consensus;
    let material = matched(&captions, &splits, vocabulary, store, consensus)?;
    Ok((config, material))
}

/// Config and material of a run that refines another one; it takes that one's vocabulary.
fn prepare_refinement(
    folder: &RunFolder,
    options: &options::Refine,
) -> anyhow::Result<(RunConfig, Material)> {
    let path = options.from.as_ref().with_context(|| {
        let folder = folder.path().display();
        format!("{folder}: no run to go on with; name the one to refine (--from DIR)")
    })?;
    let from = RunFolder::new(path);
    ensure!(
        from.best().exists(),
        "{}: no finished epoch to refine; train it first (`make train`)",
        from.path().display()
    );
    let base = from.load_config()?;
    let vocabulary = Vocabulary::load(&from.vocabulary())?;
    vocabulary.save(&folder.vocabulary())?;
    let training = Training::refining(&base.training, options.seed);
    let config = RunConfig {
        revision: REVISION.to_owned(),
        refinement: Some(Refinement {
            from: absolute(path)?,
            samples: usize::from(options.samples),
        }),
        training: options.changes.apply(training),
        ..base
    };
    let material = material(&config, folder)?;
    Ok((config, material))
}

/// Config and material of a run that goes on.
fn reopen(folder: &RunFolder, changes: &Changes) -> anyhow::Result<(RunConfig, Material)> {
    let mut config = folder.load_config()?;
    config.training.epochs = changes.epochs.unwrap_or(config.training.epochs);
    let material = material(&config, folder)?;
    Ok((config, material))
}

/// What a run is trained on and scored on.
fn material(config: &RunConfig, folder: &RunFolder) -> anyhow::Result<Material> {
    let captions = Captions::read(&config.captions)?;
    let splits = Splits::find(&config.splits.0)?;
    let store = open_store(&config.store)?;
    config.encoder.check(&store, &config.store)?;
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    matched(&captions, &splits, vocabulary, store, config.training.consensus)
}

fn matched(
    captions: &Captions,
    splits: &Splits,
    vocabulary: Vocabulary,
    store: FeatureStore,
    consensus: f64,
) -> anyhow::Result<Material> {
    let captioned = |split| dataset::captioned(captions, splits, split, &vocabulary, &store);
    let (mut training, dev_captions) = (captioned(Split::Train), captioned(Split::Dev).images);
    let dev = dataset::scored(captions, splits, Split::Dev, &store);
    let absent = training.without_grid + dev.without_grid;
    if absent > 0 {
        warn(format_args!("{absent} captioned images have no grid in the store and are left out"));
    }
    warn(format_args!(
        "{} training and {} dev images (split by {splits})",
        training.images.len(),
        dev.images.len()
    ));
    ensure!(!training.images.is_empty(), "no training image has both captions and a grid");
    ensure!(!dev.images.is_empty(), "no dev image has both captions and a grid");
    if consensus > 0.0 {
        dataset::weigh_by_consensus(&mut training.images, consensus);
    }
    Ok(Material { store, vocabulary, training: training.images, dev: dev.images, dev_captions })
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}
