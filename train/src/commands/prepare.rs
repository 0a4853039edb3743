//! What a run is trained on and how: of a new run, and of one that refines another. Nothing is written before all of it
//! was checked.

use std::path::Path;

use anyhow::{Context as _, ensure};
use data::program::warn;
use data::{Split, Vocabulary};
use models::SearchOptions;
use train::fit::Material;
use train::provenance::{DataRecord, DataSet, Purpose, TrainedOn, compare};
use train::recipes::{NetworkConfig, Recipe};
use train::run::{EncoderRecord, REVISION, RunConfig, RunFolder, Training};
use train::settings::Settings;
use train::{Refinement, dataset};

use super::places::{Places, absolute};
use crate::options;

/// The recipe that is trained unless another one is asked for.
const DEFAULT_RECIPE: Recipe = Recipe::Adaptive;
const DEFAULT_SEED: u64 = 1;
const DEFAULT_MIN_COUNT: u32 = 5;
const DEFAULT_SAMPLES: u16 = 5;
/// With fewer images than these, training says that they are few.
const FEW: [usize; 2] = [500, 100];

/// A run that may begin, or go on.
pub(super) struct Prepared {
    pub(super) config: RunConfig,
    pub(super) material: Material,
    trained_on: TrainedOn,
}

impl Prepared {
    /// Puts a run together. Its network was trained on the photos `before`, and will be on those of the data.
    pub(super) fn new(
        mut config: RunConfig,
        data: DataSet,
        vocabulary: Vocabulary,
        before: TrainedOn,
    ) -> anyhow::Result<Self> {
        let DataSet { captions, splits, store } = &data;
        let captioned = |split| dataset::captioned(captions, splits, split, &vocabulary, store);
        let (mut training, dev_captions) =
            (captioned(Split::Train)?, captioned(Split::Dev)?.images);
        let dev = dataset::scored(captions, splits, Split::Dev, store);
        let mut trained_on = before;
        trained_on.add(&training.images, store)?;
        let record = DataRecord::new(&data, &vocabulary, &trained_on)?;
        let absent = training.without_grid + dev.without_grid;
        if absent > 0 {
            warn(format_args!(
                "{absent} captioned images have no grid in the store and are left out"
            ));
        }
        let test = record.test.as_ref().map_or(0, |test| test.photos);
        tell_of([training.images.len(), dev.images.len(), test], &splits.to_string());
        ensure!(!training.images.is_empty(), "no training image has both captions and a grid");
        ensure!(!dev.images.is_empty(), "no dev image has both captions and a grid");
        warn_of_copies(&trained_on.seen(&dev.images, store)?);
        if config.training.consensus > 0.0 {
            dataset::weigh_by_consensus(&mut training.images, config.training.consensus);
        }
        config.data = Some(record);
        let (training, dev) = (training.images, dev.images);
        let material = Material { store: data.store, vocabulary, training, dev, dev_captions };
        Ok(Self { config, material, trained_on })
    }

    /// Writes what the run begins or goes on with.
    pub(super) fn save(&self, folder: &RunFolder, is_new: bool) -> anyhow::Result<()> {
        if is_new {
            let vocabulary = &self.material.vocabulary;
            vocabulary.save(&folder.vocabulary())?;
            warn(format_args!("{}: {} words", folder.vocabulary().display(), vocabulary.len()));
        }
        self.trained_on.save(folder)?;
        Ok(folder.save_config(&self.config)?)
    }
}

fn tell_of([training, dev, test]: [usize; 3], splits: &str) {
    let kept = if test > 0 {
        format!("; {test} test images are kept for `train evaluate --split test`")
    } else {
        String::new()
    };
    warn(format_args!("{training} training and {dev} dev images (split by {splits}){kept}"));
    let [few_training, few_dev] = FEW;
    if training < few_training {
        warn(format_args!(
            "warning: {training} training images are few: the network will hardly learn to caption other photos"
        ));
    }
    if dev < few_dev {
        warn(format_args!(
            "warning: {dev} dev images are few: which epoch is the best one is left to chance in part"
        ));
    }
}

fn warn_of_copies(copies: &[String]) {
    if let Some(first) = copies.first() {
        warn(format_args!(
            "warning: {} dev images are trained on as well, such as {first}\n  \
             Their scores say nothing about new photos, and `train evaluate` refuses them; remove the copies.",
            copies.len()
        ));
    }
}

/// A new run.
pub(super) fn fit(folder: &RunFolder, options: &options::Fit) -> anyhow::Result<Prepared> {
    let settings = options.config.as_deref().map(Settings::read).transpose()?.unwrap_or_default();
    let recipe = options.recipe.or(settings.recipe()).unwrap_or(DEFAULT_RECIPE);
    let places = Places::of_new(&options.data)?;
    let data = places.open()?;
    let min_count = options.min_count.unwrap_or(DEFAULT_MIN_COUNT);
    let vocabulary = vocabulary(&folder.vocabulary(), &data, min_count as usize)?;
    let encoder = EncoderRecord::of(&data.store, &places.store)?;
    let sizes = NetworkConfig::of(recipe, encoder.grid[2], vocabulary.len());
    let network = settings.apply("network", sizes)?;
    let seed = options.seed.unwrap_or(DEFAULT_SEED);
    let training = Training::of(recipe, seed, &data.store.provenance().views);
    let mut training = settings.apply("training", training)?;
    training.seed = seed;
    let config = RunConfig {
        recipe,
        revision: REVISION.to_owned(),
        captions: places.captions,
        splits: (places.splits, data.splits.to_string()),
        store: places.store,
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
        data: None,
    };
    Prepared::new(config, data, vocabulary, TrainedOn::nothing())
}

/// The vocabulary of the training captions. Refuses another one that lies in the run folder.
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

/// A run that refines another one; it takes that one's vocabulary.
pub(super) fn refine(folder: &RunFolder, options: &options::Refine) -> anyhow::Result<Prepared> {
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
    let training = Training::refining(&base.training, options.seed.unwrap_or(DEFAULT_SEED));
    let config = RunConfig {
        revision: REVISION.to_owned(),
        refinement: Some(Refinement {
            from: absolute(path)?,
            samples: usize::from(options.samples.unwrap_or(DEFAULT_SAMPLES)),
        }),
        training: options.changes.apply(training),
        ..base
    };
    with_data_of_run(&from, config, &options.data)
}

/// A run that is trained on the data of the run in `folder`, or on what is named in its place.
pub(super) fn with_data_of_run(
    folder: &RunFolder,
    config: RunConfig,
    named: &options::DataArgs,
) -> anyhow::Result<Prepared> {
    let places = Places::of_run(&config, named)?;
    let data = places.open()?;
    config.encoder.check(&data.store, &places.store)?;
    compare(folder, &config, &data, Purpose::Training, named.accept_changed_data)?;
    let vocabulary = Vocabulary::load(&folder.vocabulary())?;
    let before = TrainedOn::of_run(folder, &config)?;
    let config = RunConfig {
        captions: places.captions,
        splits: (places.splits, data.splits.to_string()),
        store: places.store,
        ..config
    };
    Prepared::new(config, data, vocabulary, before)
}
