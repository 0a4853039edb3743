//! The data and the run of a bench of training.

use common::View;
use data::{Split, Vocabulary};
use models::SearchOptions;
use train::dataset::DataSet;
use train::fit::{DevImages, TrainingData};
use train::grids::Grids;
use train::run::{EncoderRecord, RunConfig};
use train::settings::{NetworkConfig, Recipe, Training};

/// The training and dev images of a data set, and the vocabulary of its training captions.
pub(crate) fn training_data(set: DataSet) -> TrainingData {
    let vocabulary = Vocabulary::from_training(&[&set.corpus], 5).unwrap();
    let images = |split| set.training_images(split, &vocabulary).images;
    let (training, dev_captions) = (images(Split::Train), images(Split::Dev));
    let dev = set.scored_images(Split::Dev).images;
    TrainingData {
        grids: Grids::new(set.store, Vec::new()).unwrap(),
        vocabulary,
        training,
        consensus: None,
        weights: vec![1.0],
        dev: vec![DevImages { images: dev, captions: dev_captions }],
        text: None,
    }
}

/// A run on the original views, as `change` has its settings of training.
pub(crate) fn config(
    data: &TrainingData,
    recipe: Recipe,
    change: impl FnOnce(Training) -> Training,
) -> RunConfig {
    let encoder = EncoderRecord::from_store(data.grids.store(0));
    RunConfig {
        recipe,
        revision: "bench".to_owned(),
        data_licence: None,
        vocabulary_sha256: data.vocabulary.sha256(),
        refinement: None,
        distillation: None,
        sets: Vec::new(),
        text: None,
        network: NetworkConfig::new(recipe, encoder.grid.channels, data.vocabulary.len()),
        encoder,
        training: change(Training::preset(recipe, &[View::Original])),
        search: SearchOptions::default(),
        data: None,
    }
}
