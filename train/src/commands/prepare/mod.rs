//! Preparation of a new run: of one with fresh weights, of one that refines another, and of one that learns from others.
//! Nothing is written before all of it was checked.

mod distil;
mod fit;
mod images;
mod refine;

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use common::program::{report_skipped_entries, warn};
use data::{Split, Vocabulary};
use train::consensus::ConsensusWeights;
use train::dataset::DataSet;
use train::fit::{DevImages, TrainingData};
use train::grids::Grids;
use train::provenance::{Purpose, TrainedOn, compare};
use train::run::{DataRecord, RunConfig, RunFolder, SetRecord};
use train::text::TextCaptions;

pub(super) use self::distil::{distil, with_teachers};
pub(super) use self::fit::fit;
use self::images::{ImageCounts, report, warn_of_seen};
pub(super) use self::refine::refine;
use super::data_paths::{DataPaths, absolute, open_all};
use crate::options;

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
                test: set.count(Split::Test),
                without_grid: images.without_grid + scored.without_grid,
            };
            report(set, counts, sets.len());
            all.add(counts);
            training.extend(images.images);
            dev.push(DevImages { images: scored.images, captions: dev_captions });
        }
        all.check()?;
        // Rewards weigh the captions of a refinement.
        let share = config.refinement.as_ref().map_or(config.training.consensus, |_| 0.0);
        let records = &mut config.sets;
        let (consensus, recorded) = rayon::join(
            || ConsensusWeights::new(&training, share),
            || {
                sets.iter().try_for_each(|set| warn_of_seen(set, &trained_on))?;
                Ok::<_, anyhow::Error>(record(records, &sets, &vocabulary, &trained_on)?)
            },
        );
        config.data = Some(recorded?);
        let weights = config.sets.iter().map(|set| set.weight).collect();
        let grids = grids(sets)?;
        let text = None;
        let data = TrainingData { grids, vocabulary, training, consensus, weights, dev, text };
        Ok(Self { config, data, trained_on })
    }

    /// Adds the captions without photos in the file at `path`.
    pub(super) fn with_text(mut self, path: &Path) -> anyhow::Result<Self> {
        let dev = self.data.dev.iter().flat_map(|dev| &dev.captions);
        let captions = self.data.training.iter().chain(dev).flat_map(|image| &image.captions);
        let known = captions.map(|caption| &*caption.words).collect::<HashSet<_>>();
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

/// Records the splits of data sets, and the photos that are trained on.
fn record(
    records: &mut [SetRecord],
    sets: &[DataSet],
    vocabulary: &Vocabulary,
    trained_on: &TrainedOn,
) -> train::Result<DataRecord> {
    for (record, set) in records.iter_mut().zip(sets) {
        record.record_splits(set)?;
    }
    DataRecord::new(vocabulary, trained_on)
}

/// Joins the stores of data sets.
pub(super) fn grids(sets: Vec<DataSet>) -> anyhow::Result<Grids> {
    let mut stores = sets.into_iter().map(|set| set.store);
    let first = stores.next().context("no data set")?;
    Ok(Grids::new(first, stores.collect())?)
}

/// The records of data sets, as yet without their splits.
fn records(paths: Vec<DataPaths>, sets: &[DataSet]) -> Vec<SetRecord> {
    paths.into_iter().zip(sets).map(|(paths, set)| paths.record(set)).collect()
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
