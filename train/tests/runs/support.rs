//! Small runs: four images with captions, and networks that learn them.

use std::fs;
use std::path::Path;

use common::View;
use data::{Vocabulary, tokens::tokenize};
use features::{FeatureStore, GridShape};
use models::SearchOptions;
use tch::Device;
use tempfile::TempDir;
use train::dataset::{Caption, ScoredImage, TrainingImage};
use train::evaluate::{Evaluation, EvaluationSetup, Search, evaluate};
use train::fit::{DevImages, Fit, Stop, TrainingData};
use train::grids::Grids;
use train::run::{EncoderRecord, RunConfig, RunFolder};
use train::settings::{NetworkConfig, Recipe, Regularization, Training};

pub(crate) const RECIPES: [Recipe; 2] = [Recipe::Adaptive, Recipe::ShowAttendTell];
pub(crate) const GRID: GridShape = GridShape { height: 2, width: 3, channels: 8 };
pub(crate) const CAPTIONS: [[&str; 3]; 4] = [
    ["a dog runs", "the brown dog runs fast over the grass", "a dog"],
    ["two men sit on a bench", "men on a bench", "two men"],
    ["a child plays", "a small child plays in the water", "the child swims in blue water"],
    ["a red car", "the car is red", "a red car drives on the road"],
];

/// The settings of a small network, to be followed by those of its training.
pub(crate) const NETWORK: &str = "
    recipe = 'adaptive'
    [network]
    annotation = 16
    attention = 8
    heads = 2
    embedding = 16
    hidden = 32
    [training]
";

/// A store of the encoder of that name.
pub(crate) fn store(folder: &Path, encoder: &str) -> FeatureStore {
    let names = (0..CAPTIONS.len()).map(|image| format!("{image}.jpg")).collect::<Vec<_>>();
    let value = |row, at| ((at * 7 + row * 13) % 11) as f32 / 5.0 - 1.0;
    crate::store::store(&folder.join(format!("{encoder}.h5")), encoder, GRID, &names, value)
}

pub(crate) fn training_data(folder: &Path) -> TrainingData {
    let tokens = CAPTIONS.map(|captions| captions.map(tokenize));
    let vocabulary = Vocabulary::build(tokens.iter().flatten().map(Vec::as_slice), 1);
    let training = |(row, captions): (usize, &[Vec<String>; 3])| TrainingImage {
        set: 0,
        row,
        view: View::Original,
        captions: captions
            .iter()
            .map(|tokens| Caption::written(vocabulary.encode(tokens)))
            .collect(),
    };
    let scored = |(row, captions): (usize, &[Vec<String>; 3])| ScoredImage {
        image: format!("{row}.jpg"),
        file: format!("{row}.jpg"),
        row,
        references: captions.iter().map(|tokens| tokens.join(" ")).collect(),
    };
    let captioned = tokens.iter().enumerate().map(training).collect::<Vec<_>>();
    let images = tokens.iter().enumerate().map(scored).collect();
    TrainingData {
        grids: Grids::new(store(folder, "small"), Vec::new()).unwrap(),
        dev: vec![DevImages { images, captions: captioned.clone() }],
        training: captioned,
        consensus: None,
        weights: vec![1.0],
        text: None,
        vocabulary,
    }
}

pub(crate) fn config(data: &TrainingData, recipe: Recipe, epochs: usize) -> RunConfig {
    let preset = Training::preset(recipe, &[View::Original]);
    RunConfig {
        recipe,
        revision: "test".to_owned(),
        data_licence: Some("made by the tests".to_owned()),
        vocabulary_sha256: data.vocabulary.sha256(),
        refinement: None,
        distillation: None,
        sets: Vec::new(),
        text: None,
        encoder: EncoderRecord::from_store(data.grids.store(0)),
        network: NetworkConfig {
            annotation: 16,
            attention: 8,
            heads: if recipe == Recipe::Adaptive { 2 } else { 1 },
            embedding: 16,
            hidden: 32,
            ..NetworkConfig::new(recipe, GRID.channels, data.vocabulary.len())
        },
        training: Training {
            seed: 5,
            epochs,
            batch: 3,
            learning_rate: 0.01,
            warm_up: 3,
            decay: 1.0,
            patience: 100,
            regularization: Regularization { dropout: 0.2, ..preset.regularization },
            ..preset
        },
        search: SearchOptions::default(),
        data: None,
    }
}

/// Trains a run in `folder` up to each number of epochs in turn.
pub(crate) fn train(
    folder: &Path,
    data: &TrainingData,
    recipe: Recipe,
    stops: &[usize],
) -> RunFolder {
    let run = RunFolder::new(&folder.join(format!("{recipe}-{stops:?}")));
    data.vocabulary.save(&run.vocabulary()).unwrap();
    for &epochs in stops {
        let config = config(data, recipe, epochs);
        run.save_config(&config).unwrap();
        let mut fit = Fit::new(&run, &config, data, Device::Cpu).unwrap();
        fit.resume().unwrap();
        assert_eq!(fit.run().unwrap(), Stop::Epochs);
    }
    run
}

/// The lines of `metrics.jsonl` without durations.
pub(crate) fn curve(run: &RunFolder) -> Vec<serde_json::Value> {
    let lines = fs::read_to_string(run.metrics()).unwrap();
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["captions_per_second", "train_seconds", "evaluate_seconds"] {
            line.as_object_mut().unwrap().remove(key);
        }
        line
    };
    lines.lines().map(line).collect()
}

pub(crate) fn folder() -> TempDir {
    // With one thread sums have one order.
    tch::set_num_threads(1);
    tempfile::tempdir().unwrap()
}

/// The captions of the best network, scored.
pub(crate) fn evaluated(run: &RunFolder, data: &TrainingData) -> Evaluation {
    let trained = run.open_best(Device::Cpu).unwrap();
    let options = SearchOptions::default();
    let setup = EvaluationSetup {
        store: data.grids.store(0),
        vocabulary: &trained.vocabulary,
        search: Search::by_network(&options),
        device: Device::Cpu,
    };
    evaluate(&[&*trained.network], &data.dev[0].images, setup).unwrap()
}
