//! Preparation of a run with fresh weights.

use std::path::Path;

use anyhow::{Context as _, ensure};
use data::{Split, Vocabulary};
use models::SearchOptions;
use tch::Device;
use train::dataset::DataSet;
use train::provenance::TrainedOn;
use train::run::{EncoderRecord, REVISION, RunConfig, RunFolder};
use train::settings::{NetworkConfig, Precision, Recipe, SettingsFile, Training};

use super::{DataPaths, Prepared, open_all, records};
use crate::options;

const DEFAULT_RECIPE: Recipe = Recipe::Adaptive;
const DEFAULT_MIN_COUNT: u32 = 5;

/// Prepares a new run on a device.
pub(crate) fn fit(
    folder: &RunFolder,
    options: &options::FitArgs,
    device: Device,
) -> anyhow::Result<Prepared> {
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
    let preset = Training { precision: Precision::for_device(device), ..preset };
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

/// The vocabulary of the training captions. Refuses a run folder with another one.
fn vocabulary(path: &Path, sets: &[DataSet], min_count: usize) -> anyhow::Result<Vocabulary> {
    let corpora = sets.iter().map(|set| &set.corpus).collect::<Vec<_>>();
    let vocabulary = Vocabulary::from_training(&corpora, min_count)?;
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
