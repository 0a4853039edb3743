//! Preparation of a new run: of one with fresh weights, and of one that refines another. Nothing is written before all of
//! it was checked.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use common::names::note_on_folders;
use common::program::{report_skipped_entries, warn};
use data::{Split, Vocabulary};
use models::SearchOptions;
use tch::Device;
use train::dataset::{DataSet, Views, weigh_by_consensus};
use train::fit::{DevImages, TrainingData};
use train::grids::Grids;
use train::provenance::{Purpose, TrainedOn, compare};
use train::run::{DataRecord, EncoderRecord, REVISION, RunConfig, RunFolder, SetRecord};
use train::settings::{Distillation, NetworkConfig, Recipe, Refinement, SettingsFile, Training};
use train::text::TextCaptions;

use super::data_paths::{DataPaths, absolute, open_all};
use super::lessons::{self, LESSONS_FILE};
use super::scoring::{Member, check_ensemble};
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
        sets: Vec<DataSet>,
        vocabulary: Vocabulary,
        before: TrainedOn,
    ) -> anyhow::Result<Self> {
        let (mut training, mut dev, mut trained_on) = (Vec::new(), Vec::new(), before);
        let mut all = ImageCounts::default();
        for set in &sets {
            let images = set.training_images(Split::Train, &vocabulary);
            let dev_captions = set.training_images(Split::Dev, &vocabulary).images;
            let scored = set.scored_images(Split::Dev);
            trained_on.add(&images.images, set)?;
            let counts = ImageCounts {
                training: images.images.len(),
                dev: scored.images.len(),
                test: set.scored_images(Split::Test).images.len(),
                without_grid: images.without_grid + scored.without_grid,
            };
            report(set, counts, sets.len());
            all.add(counts);
            training.extend(images.images);
            dev.push(DevImages { images: scored.images, captions: dev_captions });
        }
        all.check()?;
        for set in &sets {
            warn_of_seen(set, &trained_on)?;
        }
        if config.training.consensus > 0.0 {
            weigh_by_consensus(&mut training, config.training.consensus);
        }
        for (record, set) in config.sets.iter_mut().zip(&sets) {
            record.record_splits(set)?;
        }
        config.data = Some(DataRecord::new(&vocabulary, &trained_on)?);
        let weights = config.sets.iter().map(|set| set.weight).collect();
        let grids = grids(sets)?;
        let data = TrainingData { grids, vocabulary, training, weights, dev, text: None };
        Ok(Self { config, data, trained_on })
    }

    /// Adds the captions without photos in the file at `path`.
    pub(super) fn with_text(mut self, path: &Path) -> anyhow::Result<Self> {
        let dev = self.data.dev.iter().flat_map(|dev| &dev.captions);
        let captions = self.data.training.iter().chain(dev).flat_map(|image| &image.captions);
        let known = captions.map(|caption| caption.words.as_slice()).collect::<HashSet<_>>();
        let text = TextCaptions::read(&absolute(path)?, &self.data.vocabulary, &known)?;
        report_skipped_entries(path, &text.skipped_entries);
        warn(format_args!("{}: {} captions without photos", path.display(), text.record.captions));
        self.config.text = Some(text.record.clone());
        self.data.text = Some(text);
        Ok(self)
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

/// Joins the stores of data sets.
pub(super) fn grids(sets: Vec<DataSet>) -> anyhow::Result<Grids> {
    let mut stores = sets.into_iter().map(|set| set.store);
    let first = stores.next().context("no data set")?;
    Ok(Grids::new(first, stores.collect())?)
}

/// Numbers of images.
#[derive(Debug, Clone, Copy, Default)]
struct ImageCounts {
    training: usize,
    dev: usize,
    test: usize,
    /// Captioned training and dev images without a grid.
    without_grid: usize,
}

/// Reports the images of one of `sets` data sets.
fn report(set: &DataSet, counts: ImageCounts, sets: usize) {
    let ImageCounts { training, dev, test, without_grid } = counts;
    let number = if sets > 1 { format!("set {}: ", set.number + 1) } else { String::new() };
    if without_grid > 0 {
        warn(format_args!(
            "{number}{without_grid} captioned images have no grid in the store and are skipped"
        ));
    }
    let kept = if test > 0 {
        format!("; {test} test images are kept for `train evaluate --split test`")
    } else {
        String::new()
    };
    let method = &set.splits;
    warn(format_args!(
        "{number}{training} training and {dev} dev images (split by {method}){kept}"
    ));
    explain_names(set);
}

impl ImageCounts {
    fn add(&mut self, other: Self) {
        self.training += other.training;
        self.dev += other.dev;
        self.test += other.test;
        self.without_grid += other.without_grid;
    }

    fn check(self) -> anyhow::Result<()> {
        let Self { training, dev, .. } = self;
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
        ensure!(training > 0, "no training image has both captions and a grid");
        ensure!(dev > 0, "no dev image has both captions and a grid");
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

/// Warns of dev and test images that are trained on.
fn warn_of_seen(set: &DataSet, trained_on: &TrainedOn) -> anyhow::Result<()> {
    for split in [Split::Dev, Split::Test] {
        let images = set.scored_images(split).images;
        let seen = trained_on.seen(&images, &set.store, Some(set.number))?;
        if let Some(first) = seen.first() {
            warn(format_args!(
                "warning: {} {split} images are trained on as well, such as {first}\n  \
                 Their scores say nothing about new photos, and `train evaluate` refuses them. Remove the copies.",
                seen.len()
            ));
        }
    }
    Ok(())
}

/// Prepares a new run.
pub(super) fn fit(folder: &RunFolder, options: &options::FitArgs) -> anyhow::Result<Prepared> {
    let file = options.config.as_deref().map(SettingsFile::read).transpose()?.unwrap_or_default();
    let recipe = options.recipe.or(file.recipe()).unwrap_or(DEFAULT_RECIPE);
    let paths = DataPaths::for_new_run(&options.train.data)?;
    let sets = open_all(&paths)?;
    let min_count = options.min_count.unwrap_or(DEFAULT_MIN_COUNT);
    let vocabulary = vocabulary(&folder.vocabulary(), &sets, min_count as usize)?;
    let first = &sets.first().context("no data set")?.store;
    let encoder = EncoderRecord::from_store(first);
    let sizes = NetworkConfig::new(recipe, encoder.grid.channels, vocabulary.len());
    let NetworkConfig { channels, vocabulary: words, .. } = sizes;
    let network = NetworkConfig { channels, vocabulary: words, ..file.apply("network", sizes)? };
    let preset = Training::preset(recipe, &first.provenance().views);
    let config = RunConfig {
        recipe,
        revision: REVISION.to_owned(),
        data_licence: options.data_licence.clone(),
        vocabulary_sha256: vocabulary.sha256(),
        refinement: None,
        distillation: None,
        sets: records(paths, &sets),
        text: None,
        network,
        encoder,
        training: options.train.training.apply(file.apply("training", preset)?)?,
        search: file.apply("search", SearchOptions::default())?,
        data: None,
    };
    let prepared = Prepared::new(config, sets, vocabulary, TrainedOn::empty())?;
    match &options.text {
        Some(path) => prepared.with_text(path),
        None => Ok(prepared),
    }
}

/// The records of data sets, as yet without their splits.
fn records(paths: Vec<DataPaths>, sets: &[DataSet]) -> Vec<SetRecord> {
    paths.into_iter().zip(sets).map(|(paths, set)| paths.record(set)).collect()
}

/// The vocabulary of the training captions. Refuses a run folder with another one.
fn vocabulary(path: &Path, sets: &[DataSet], min_count: usize) -> anyhow::Result<Vocabulary> {
    let captions = sets.iter().map(|set| (&set.captions, &set.splits)).collect::<Vec<_>>();
    let vocabulary = Vocabulary::from_training(&captions, min_count)?;
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
        distillation: None,
        training: options.train.training.apply(training)?,
        text: None,
        ..base
    };
    with_data_of_run(&from, config, &options.train.data)
}

/// Prepares a run that learns from others; it takes over the vocabulary, the recipe and the sizes of the first one.
pub(super) fn distil(
    folder: &RunFolder,
    options: &options::DistilArgs,
    device: Device,
) -> anyhow::Result<Prepared> {
    let mut distillation = options.distillation.apply(Distillation::default())?;
    ensure!(
        !distillation.from.is_empty(),
        "{}: no run to resume\n  Name the runs to learn from (--from DIR,...).",
        folder.path().display()
    );
    for from in &mut distillation.from {
        *from = absolute(from)?;
    }
    let teachers = distillation.from.iter().collect::<HashSet<_>>();
    ensure!(teachers.len() == distillation.from.len(), "--from: a run is named twice");
    let first = RunFolder::new(&distillation.from[0]);
    let base = first.load_config()?;
    let training = Training::distillation_preset(&base.training);
    let config = RunConfig {
        revision: REVISION.to_owned(),
        refinement: None,
        distillation: Some(distillation),
        training: options.train.training.apply(training)?,
        text: None,
        ..base
    };
    with_teachers(folder, &first, config, options, device)
}

/// Prepares a run with the data of `first` and with the lessons of its teachers.
pub(super) fn with_teachers(
    folder: &RunFolder,
    first: &RunFolder,
    config: RunConfig,
    options: &options::DistilArgs,
    device: Device,
) -> anyhow::Result<Prepared> {
    let distillation = config.distillation.clone().unwrap_or_default();
    let open = |path: &PathBuf| Member::open(RunFolder::new(path), device);
    let teachers = distillation.from.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    check_ensemble(&teachers)?;
    let mut prepared = with_data_of_run(first, config, &options.train.data)?;
    for Member { folder, run } in &teachers {
        prepared.trained_on.extend(TrainedOn::load(folder, &run.config)?);
    }
    let grids = &prepared.data.grids;
    Views::new(&prepared.config.training.views, &[], grids, &prepared.data.vocabulary)?;
    let path = options.lessons.clone().unwrap_or_else(|| folder.path().join(LESSONS_FILE));
    let lessons = lessons::of_teachers(&teachers, &prepared, &path, device)?;
    lessons.apply(&mut prepared.data.training, distillation.found_weight);
    prepared.config.data = Some(DataRecord::new(&prepared.data.vocabulary, &prepared.trained_on)?);
    Ok(prepared)
}

/// Prepares a run on the data of the run in `folder`, or on the named data.
pub(super) fn with_data_of_run(
    folder: &RunFolder,
    config: RunConfig,
    named: &options::WeightedDataArgs,
) -> anyhow::Result<Prepared> {
    let paths = DataPaths::of_run(&config, named)?;
    ensure!(
        paths.len() == config.sets.len(),
        "{}: trained on {} data sets, and {} are named\n  Name all of them, or none.",
        folder.path().display(),
        config.sets.len(),
        paths.len()
    );
    let sets = open_all(&paths)?;
    for set in &sets {
        config.encoder.check(&set.store)?;
    }
    compare(folder, &config, &sets, Purpose::Training, named.sets.on_change())?;
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    let before = TrainedOn::load(folder, &config)?;
    let config = RunConfig { sets: records(paths, &sets), ..config };
    Prepared::new(config, sets, vocabulary, before)
}
