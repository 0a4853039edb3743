//! Snapshots of the errors and of the table of scores, as users read them.

use std::io;
use std::path::PathBuf;

use common::{Size, SkippedEntries};
use data::Split;
use features::{Dtype, FeatureStore};
use tests::messages;
use train::run::{EncoderDifference, EncoderRecord};
use train::settings::Recipe;
use train::{Error, RunProblem};

use crate::program::Place;

fn skipped_entries() -> SkippedEntries {
    let mut skipped_entries = SkippedEntries::default();
    skipped_entries.add("empty caption", "line 3");
    skipped_entries
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn run() -> PathBuf {
    PathBuf::from("models/flickr8k")
}

/// The message for each kind of difference between the encoders of a store and of a run.
fn other_encoders(store: &FeatureStore) -> Vec<Error> {
    let record = EncoderRecord::from_store(store);
    let mut grid = record.clone();
    grid.grid.channels = 2048;
    let mut preprocess = record.clone();
    preprocess.preprocess.size = [260, 260];
    let name = EncoderRecord { sha256: text("abab"), ..record.clone() };
    let error = |run| {
        let difference = Box::new(EncoderDifference { store: record.clone(), run });
        Error::OtherEncoder { path: PathBuf::from("features/small.h5"), difference }
    };
    [name, grid, preprocess].map(error).into()
}

fn errors(store: &FeatureStore) -> Vec<Error> {
    let file = || PathBuf::from("mine.toml");
    let checkpoint = || PathBuf::from("models/flickr8k/checkpoints/best.safetensors");
    let mut errors = vec![
        Error::Content { path: file(), source: "expected a value".into() },
        Error::Run { path: run(), problem: RunProblem::Missing },
        Error::CannotLock { path: run(), source: io::Error::from_raw_os_error(95) },
        Error::OtherTensor {
            path: checkpoint(),
            name: text("key.weight"),
            found: vec![256, 512],
            expected: vec![512, 512],
        },
        Error::NotFinite { path: checkpoint(), name: text("key.weight") },
        Error::Setting { name: text("--clip"), value: text("0"), limit: text("a number above 0") },
        Error::Heads { attention: 100, heads: 8 },
        Error::NetworkTooLarge { need: Size::mib(65_536), memory: Some(Size::mib(24_576)) },
        Error::NetworkTooLarge { need: Size::mib(1 << 40), memory: None },
        Error::SettingsText(toml::to_string(&0).unwrap_err()),
        Error::NoSettings { path: file(), tables: text("network, training, search") },
        Error::UnknownSetting {
            path: file(),
            name: text("training.clipp"),
            known: text("clip, seed"),
        },
        Error::OtherDtype { path: file(), found: Dtype::F32, first: Dtype::F16 },
        Error::RemovedSetting { path: file(), name: "word_dropout", value: text("0.3") },
        Error::ChangedData { path: run(), changes: text("dev: other images (100 then, 90 now)") },
        Error::PhotoLine { path: PathBuf::from("trained-on.jsonl"), line: 7 },
        Error::SeenImages {
            seen: 2,
            images: 100,
            split: Split::Test,
            examples: text("a.jpg, b.jpg"),
        },
        Error::NoCaption,
        Error::NoReport,
        Error::Template(minijinja::Error::new(minijinja::ErrorKind::UndefinedError, "no `runs`")),
        Error::NoCuda { problem: text("libtorch has its CUDA part and finds 0 CUDA devices") },
        Error::Torch(tch::TchError::Shape(text("[3] is not [4]"))),
    ];
    errors.extend(other_encoders(store));
    errors.extend(of_training());
    errors
}

/// Errors while a network learns.
fn of_training() -> [Error; 7] {
    let path = |name: &str| PathBuf::from(name);
    [
        Error::NoText { path: path("text.tsv"), skipped_entries: skipped_entries() },
        Error::Diverged { quantity: "loss", epoch: 3 },
        Error::OtherLessons { path: path("lessons.safetensors") },
        Error::NotLessons { path: path("lessons.safetensors") },
        Error::Gzip { path: path("text.tsv.gz"), flaw: text("it ends too early") },
        Error::TooMuchText { path: path("text.tsv"), most: 5_000_000 },
        Error::TextRecipe(Recipe::ShowAttendTell),
    ]
}

#[test]
fn every_error_names_the_file_and_the_next_step() {
    let place = Place::new();
    let store = FeatureStore::open(&place.path("small.h5")).unwrap();
    let source = include_str!("../../src/error.rs");
    insta::assert_snapshot!("errors", messages(source, "Error", &errors(&store)));
    let problems = [
        RunProblem::Missing,
        RunProblem::CaptionerOnly,
        RunProblem::NoEpoch,
        RunProblem::Locked,
        RunProblem::NotACheckpoint,
        RunProblem::OtherVocabulary,
        RunProblem::OtherConfig,
        RunProblem::OtherPhotos,
        RunProblem::NotAReliability,
        RunProblem::OtherReliability,
    ];
    insta::assert_snapshot!("problems", messages(source, "RunProblem", &problems));
}

/// The scores differ by machine, and are shown as `N`.
#[test]
fn scores_are_a_table() {
    let place = Place::new();
    place.fit("run");
    let said = place.done("evaluate --run run").replace(place.path("").to_str().unwrap(), "");
    let word = |word: &str| word.parse::<f64>().map_or(word.to_owned(), |_| text("N"));
    let line = |line: &str| {
        line.split(' ').filter(|part| !part.is_empty()).map(word).collect::<Vec<_>>().join(" ")
    };
    insta::assert_snapshot!("scores", said.lines().map(line).collect::<Vec<_>>().join("\n"));
}
