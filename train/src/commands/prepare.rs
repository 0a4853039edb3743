//! Preparation of a new run: of one with fresh weights, and of one that refines another. Nothing is written before all of
//! it was checked.

use std::path::Path;

use anyhow::ensure;
use common::names::note_on_folders;
use common::program::warn;
use data::{Split, Vocabulary};
use models::SearchOptions;
use train::dataset::{DataSet, weigh_by_consensus};
use train::fit::TrainingData;
use train::provenance::{Purpose, TrainedOn, compare};
use train::run::{DataRecord, EncoderRecord, REVISION, RunConfig, RunFolder, SplitRecord};
use train::settings::{NetworkConfig, Recipe, Refinement, SettingsFile, Training};

use super::data_paths::{DataPaths, absolute};
use crate::options;

const DEFAULT_RECIPE: Recipe = Recipe::Adaptive;
const DEFAULT_MIN_COUNT: u32 = 5;
/// With fewer images than these a warning is printed.
const FEW_TRAINING_IMAGES: usize = 500;
const FEW_DEV_IMAGES: usize = 100;

/// A run that can begin or be resumed.
pub(super) struct Prepared {
    pub(super) config: RunConfig,
    pub(super) data: TrainingData,
    trained_on: TrainedOn,
}

/// Whether a run has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunState {
    New,
    Begun,
}

impl Prepared {
    /// Prepares a run whose network was trained on the photos `before`, and will be on those of the data.
    fn new(
        mut config: RunConfig,
        data: DataSet,
        vocabulary: Vocabulary,
        before: TrainedOn,
    ) -> anyhow::Result<Self> {
        let mut training = data.training_images(Split::Train, &vocabulary)?;
        let dev_captions = data.training_images(Split::Dev, &vocabulary)?.images;
        let dev = data.scored_images(Split::Dev);
        let mut trained_on = before;
        trained_on.add(&training.images, &data.store)?;
        let record = DataRecord::new(&data, &vocabulary, &trained_on)?;
        let images = ImageCounts {
            training: training.images.len(),
            dev: dev.images.len(),
            test: record.test.as_ref().map_or(0, |test| test.photos),
            without_grid: training.without_grid + dev.without_grid,
        };
        images.report(&data.splits.to_string());
        explain_names(&data);
        images.check()?;
        let test = data.scored_images(Split::Test).images;
        for (split, images) in [(Split::Dev, &dev.images), (Split::Test, &test)] {
            warn_of_copies(split, &trained_on.seen(images, &data.store)?);
        }
        if config.training.consensus > 0.0 {
            weigh_by_consensus(&mut training.images, config.training.consensus);
        }
        config.data = Some(record);
        let (store, training, dev) = (data.store, training.images, dev.images);
        let data = TrainingData { store, vocabulary, training, dev, dev_captions };
        Ok(Self { config, data, trained_on })
    }

    /// Writes the files that a run begins with, or is resumed with.
    pub(super) fn save(&self, folder: &RunFolder, state: RunState) -> anyhow::Result<()> {
        if state == RunState::New {
            let vocabulary = &self.data.vocabulary;
            vocabulary.save(&folder.vocabulary())?;
            warn(format_args!("{}: {} words", folder.vocabulary().display(), vocabulary.len()));
        }
        self.trained_on.save(folder)?;
        Ok(folder.save_config(&self.config)?)
    }
}

/// Numbers of images.
struct ImageCounts {
    training: usize,
    dev: usize,
    test: usize,
    /// Captioned training and dev images without a grid.
    without_grid: usize,
}

impl ImageCounts {
    fn report(&self, method: &str) {
        let Self { training, dev, test, without_grid } = *self;
        if without_grid > 0 {
            warn(format_args!(
                "{without_grid} captioned images have no grid in the store and are skipped"
            ));
        }
        let kept = if test > 0 {
            format!("; {test} test images are kept for `train evaluate --split test`")
        } else {
            String::new()
        };
        warn(format_args!("{training} training and {dev} dev images (split by {method}){kept}"));
        if training < FEW_TRAINING_IMAGES {
            warn(format_args!(
                "warning: {training} training images are few: captions of other photos will be poor"
            ));
        }
        if dev < FEW_DEV_IMAGES {
            warn(format_args!(
                "warning: {dev} dev images are few: the choice of the best epoch is partly chance"
            ));
        }
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(self.training > 0, "no training image has both captions and a grid");
        ensure!(self.dev > 0, "no dev image has both captions and a grid");
        Ok(())
    }
}

/// Explains names of captions that differ from those of the store in their folders.
fn explain_names(data: &DataSet) {
    let captioned = data.captions.iter().map(|of| of.image.as_str());
    let absent = captioned.filter(|image| data.store.find(image).is_none());
    let stored = data.store.images().into_iter().map(|(name, _)| name);
    if let Some(note) = note_on_folders(absent, stored) {
        warn(note);
    }
}

fn warn_of_copies(split: Split, copies: &[String]) {
    if let Some(first) = copies.first() {
        warn(format_args!(
            "warning: {} {split} images are trained on as well, such as {first}\n  \
             Their scores say nothing about new photos, and `train evaluate` refuses them. Remove the copies.",
            copies.len()
        ));
    }
}

/// Prepares a new run.
pub(super) fn fit(folder: &RunFolder, options: &options::FitArgs) -> anyhow::Result<Prepared> {
    let file = options.config.as_deref().map(SettingsFile::read).transpose()?.unwrap_or_default();
    let recipe = options.recipe.or(file.recipe()).unwrap_or(DEFAULT_RECIPE);
    let paths = DataPaths::for_new_run(&options.train.data)?;
    let data = paths.open()?;
    let min_count = options.min_count.unwrap_or(DEFAULT_MIN_COUNT);
    let vocabulary = vocabulary(&folder.vocabulary(), &data, min_count as usize)?;
    let encoder = EncoderRecord::from_store(&data.store);
    let sizes = NetworkConfig::new(recipe, encoder.grid.channels, vocabulary.len());
    let NetworkConfig { channels, vocabulary: words, .. } = sizes;
    let network = NetworkConfig { channels, vocabulary: words, ..file.apply("network", sizes)? };
    let preset = Training::preset(recipe, &data.store.provenance().views);
    let config = RunConfig {
        recipe,
        revision: REVISION.to_owned(),
        captions: paths.captions,
        splits: SplitRecord { folder: paths.splits, method: data.splits.to_string() },
        store: paths.store,
        data_licence: options.data_licence.clone(),
        vocabulary_sha256: vocabulary.sha256(),
        refinement: None,
        network,
        encoder,
        training: options.train.training.apply(file.apply("training", preset)?)?,
        search: file.apply("search", SearchOptions::default())?,
        data: None,
    };
    Prepared::new(config, data, vocabulary, TrainedOn::empty())
}

/// The vocabulary of the training captions. Refuses a run folder with another one.
fn vocabulary(path: &Path, data: &DataSet, min_count: usize) -> anyhow::Result<Vocabulary> {
    let vocabulary = Vocabulary::from_training(&data.captions, &data.splits, min_count)?;
    if path.exists() {
        let found = Vocabulary::load(path)?;
        let other = match found.origin() {
            Some(origin) if origin.split != Split::Train.to_string() => {
                format!("over the {} split", origin.split)
            }
            _ if found.min_count() != min_count => {
                format!("with --min-count {}, not {min_count}", found.min_count())
            }
            _ => "over other captions".to_owned(),
        };
        ensure!(
            found.sha256() == vocabulary.sha256(),
            "{}: this vocabulary was counted {other}\n  \
             Remove it to count it again, or name another folder (--run DIR).",
            path.display()
        );
    }
    Ok(vocabulary)
}

/// Prepares a run that refines another one; it takes over the vocabulary of that run.
pub(super) fn refine(
    folder: &RunFolder,
    options: &options::RefineArgs,
) -> anyhow::Result<Prepared> {
    let mut refinement = options.refinement.apply(Refinement::default())?;
    ensure!(
        !refinement.from.as_os_str().is_empty(),
        "{}: no run to resume\n  Name the run to refine (--from DIR).",
        folder.path().display()
    );
    let from = RunFolder::new(&refinement.from);
    refinement.from = absolute(from.path())?;
    let base = from.load_config()?;
    ensure!(
        from.best().exists(),
        "{}: no finished epoch to refine\n  Train the run first (`make train`).",
        from.path().display()
    );
    let training = Training::refinement_preset(&base.training);
    let config = RunConfig {
        revision: REVISION.to_owned(),
        refinement: Some(refinement),
        training: options.train.training.apply(training)?,
        ..base
    };
    with_data_of_run(&from, config, &options.train.data)
}

/// Prepares a run on the data of the run in `folder`, or on the named data.
pub(super) fn with_data_of_run(
    folder: &RunFolder,
    config: RunConfig,
    named: &options::DataArgs,
) -> anyhow::Result<Prepared> {
    let paths = DataPaths::of_run(&config, named)?;
    let data = paths.open()?;
    config.encoder.check(&data.store, &paths.store)?;
    compare(folder, &config, &data, Purpose::Training, named.on_change())?;
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    let before = TrainedOn::load(folder, &config)?;
    let config = RunConfig {
        captions: paths.captions,
        splits: SplitRecord { folder: paths.splits, method: data.splits.to_string() },
        store: paths.store,
        ..config
    };
    Prepared::new(config, data, vocabulary, before)
}
