//! Runs learn, repeat, resume, and refuse files of other runs.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use common::View;
use data::{Vocabulary, tokens::tokenize};
use features::{FeatureStore, Provenance};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use tch::Device;
use train::Result;
use train::batch::Batch;
use train::checkpoint::{self, Checkpoint, Progress};
use train::dataset::{Caption, TrainingImage, Views};
use train::fit::{Fit, Stop, TrainingData};
use train::grids::Grids;
use train::recipes::ForwardPass;
use train::run::{EncoderRecord, RunConfig, RunFolder};
use train::settings::{Precision, Recipe, Refinement, Regularization, Training};

use crate::store::{self, fill, provenance, source};
use crate::support::{
    CAPTIONS, GRID, RECIPES, config, curve, evaluated, folder, store, train, training_data,
};

#[test]
fn a_resumed_run_ends_as_an_uninterrupted_one() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let whole = train(folder.path(), &data, recipe, &[5]);
        let parts = train(folder.path(), &data, recipe, &[2, 3, 5]);
        assert_eq!(curve(&whole), curve(&parts));
        assert_eq!(fs::read(whole.best()).unwrap(), fs::read(parts.best()).unwrap());
        let other = train(folder.path(), &data, recipe, &[1, 1]);
        assert_eq!(curve(&other), curve(&whole)[..1]);
    }
}

/// Stopped after every single step and resumed each time.
#[test]
fn an_interrupted_run_ends_as_an_uninterrupted_one() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let whole = train(folder.path(), &data, recipe, &[3]);
        let config = config(&data, recipe, 3);
        let run = RunFolder::new(&folder.path().join(format!("{recipe}-interrupted")));
        let interrupt = AtomicBool::new(true);
        let mut stops = 0;
        loop {
            let mut fit = Fit::new(&run, &config, &data, Device::Cpu).unwrap();
            fit.resume().unwrap();
            fit.interrupt_by(&interrupt);
            if fit.run().unwrap() == Stop::Epochs {
                break;
            }
            stops += 1;
        }
        assert_eq!(stops, 6, "three epochs of two batches");
        assert_eq!(curve(&run), curve(&whole));
        let checkpoint = |run: &RunFolder| {
            let mut progress = Checkpoint::load(&run.last()).unwrap().progress;
            progress.partial_epoch.seconds = 0.0;
            progress
        };
        assert_eq!(checkpoint(&run), checkpoint(&whole));
        let weights = |run: &RunFolder| fs::read(run.best()).unwrap();
        assert_eq!(weights(&run), weights(&whole));
    }
}

/// The curve of a run, which is stopped after each step or not.
fn curve_of_run(
    run: &RunFolder,
    config: &RunConfig,
    data: &TrainingData,
    interrupt: bool,
) -> Vec<serde_json::Value> {
    data.vocabulary.save(&run.vocabulary()).unwrap();
    let interrupt = AtomicBool::new(interrupt);
    loop {
        let mut fit = Fit::new(run, config, data, Device::Cpu).unwrap();
        fit.resume().unwrap();
        fit.interrupt_by(&interrupt);
        if fit.run().unwrap() == Stop::Epochs {
            return curve(run);
        }
    }
}

/// With two replicas, each in threads of its own, a stopped run goes on as a whole one, and learns what one replica learns.
#[test]
fn replicas_train_as_one_network() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let config = config(&data, recipe, 3);
        let curve_of = |threads: i32, interrupt: bool| {
            tch::set_num_threads(threads);
            let name = format!("{recipe}-{threads}-{interrupt}");
            let run = RunFolder::new(&folder.path().join(name));
            curve_of_run(&run, &config, &data, interrupt)
        };
        let one = curve_of(1, false);
        for threads in [2, 5] {
            let whole = curve_of(threads, false);
            assert_eq!(curve_of(threads, true), whole);
            let losses = |lines: &[serde_json::Value]| {
                lines.iter().map(|line| line["cross_entropy"].as_f64().unwrap()).collect::<Vec<_>>()
            };
            for (one, found) in losses(&one).into_iter().zip(losses(&whole)) {
                assert!((one - found).abs() < 1e-3, "{recipe}, {threads} threads: {one}, {found}");
            }
        }
        tch::set_num_threads(1);
    }
}

/// A set that is larger than a window, here of one batch: four images in two windows.
#[test]
fn windows_are_resumed_as_a_whole_set() {
    let folder = folder();
    let data = training_data(folder.path());
    let mut config = config(&data, Recipe::Adaptive, 3);
    config.training.window = 2;
    let curve_of = |name: &str, interrupt: bool| {
        let run = RunFolder::new(&folder.path().join(name));
        curve_of_run(&run, &config, &data, interrupt)
    };
    let whole = curve_of("whole", false);
    assert_eq!(whole.len(), 3);
    assert_eq!(curve_of("interrupted", true), whole);
}

/// A run that was trained for 25 epochs, its refinement, and why that stopped.
fn refine(
    folder: &Path,
    data: &TrainingData,
    recipe: Recipe,
    change: Training,
) -> ([RunFolder; 2], Result<Stop>) {
    let base = train(folder, data, recipe, &[25]);
    let refined = RunConfig {
        refinement: Some(Refinement { from: base.path().to_path_buf(), samples: 5 }),
        training: change,
        ..config(data, recipe, 0)
    };
    let run = RunFolder::new(&folder.join(format!("{recipe}-refined")));
    data.vocabulary.save(&run.vocabulary()).unwrap();
    run.save_config(&refined).unwrap();
    let mut fit = Fit::new(&run, &refined, data, Device::Cpu).unwrap();
    fit.begin_with(&base.best()).unwrap();
    let stop = fit.run();
    ([base, run], stop)
}

#[test]
fn settings_outside_their_limits_are_refused_by_name() {
    let folder = folder();
    let data = training_data(folder.path());
    let config = config(&data, Recipe::Adaptive, 1);
    config.check().unwrap();
    let refused = |named: &str, change: &dyn Fn(&mut RunConfig)| {
        let mut wrong = config.clone();
        change(&mut wrong);
        let error = wrong.check().unwrap_err().to_string();
        assert!(error.starts_with(named), "{error}");
    };
    let training = |named: &str, change: fn(&mut Training)| {
        refused(named, &|of| change(&mut of.training));
    };
    training("--channel-dropout is 1.5", |of| of.regularization.channel_dropout = 1.5);
    training("--consensus is -0.1", |of| of.consensus = -0.1);
    training("--averaging is NaN", |of| of.averaging = f64::NAN);
    training("--learning-rate is 0", |of| of.learning_rate = 0.0);
    training("--learning-rate is NaN", |of| of.learning_rate = f64::NAN);
    training("--decay is inf", |of| of.decay = f64::INFINITY);
    training("--clip is NaN", |of| of.clip = f64::NAN);
    training("--weight-decay is NaN", |of| of.weight_decay = f64::NAN);
    training("--weight-decay is -1", |of| of.weight_decay = -1.0);
    training("--weight-decay is 101", |of| of.weight_decay = 101.0);
    training("--doubly-stochastic is NaN", |of| of.regularization.doubly_stochastic = f64::NAN);
    training("--doubly-stochastic is -1", |of| of.regularization.doubly_stochastic = -1.0);
    training("--epochs is 0", |of| of.epochs = 0);
    training("--patience is 0", |of| of.patience = 0);
    training("--window is 0", |of| of.window = 0);
    training("--batch is 0", |of| of.batch = 0);
    training("--views", |of| of.views.clear());
    refused("[network] heads is 0", &|of| of.network.heads = 0);
    refused("[network] hidden is 1000000", &|of| of.network.hidden = 1_000_000);
    refused("[network] attention is 8", &|of| of.network.heads = 3);
    refused("[search] max_length is 0", &|of| of.search.max_length = 0);
    refused("--length-exponent is NaN", &|of| of.search.length_exponent = f32::NAN);
    refused("--beam is 0", &|of| of.search.beam = 0);
}

/// A mirrored image loses its captions with a side word of the settings; only whole words count.
#[test]
fn side_words_may_be_of_any_language() {
    let folder = folder();
    let captions = ["a dog on the left", "leftover food", "con chó bên trái"].map(tokenize);
    let vocabulary = Vocabulary::build(captions.iter().map(Vec::as_slice), 1);
    let both = Provenance { views: vec![View::Original, View::Flip], ..provenance("small", GRID) };
    let path = folder.path().join("both.h5");
    fill(store::new(&path, &both), &["0.jpg".to_owned()], source, |_, at| at as f32 / 9.0);
    let grids = Grids::new(FeatureStore::open(&path).unwrap(), Vec::new()).unwrap();
    let written = |tokens: &Vec<String>| Caption::written(vocabulary.encode(tokens));
    let image = TrainingImage {
        set: 0,
        row: 0,
        view: View::Original,
        captions: captions.iter().map(written).collect(),
    };
    let kept = |sides: &[&str]| {
        let sides = sides.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let views = Views::new(&[View::Flip], &sides, &grids, &vocabulary).unwrap();
        let shown = views.show(&image, &mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(shown.view, View::Flip);
        shown.captions
    };
    let english = Training::default().side_words;
    let english = english.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(kept(&english), image.captions[1..]);
    assert_eq!(kept(&["Trái", "phải"]), image.captions[..2]);
    assert_eq!(kept(&[]), image.captions);
}

/// Settings of a refinement.
fn refining(data: &TrainingData, recipe: Recipe, epochs: usize) -> Training {
    Training {
        warm_up: 0,
        learning_rate: 2e-3,
        averaging: 0.5,
        regularization: Regularization::default(),
        ..config(data, recipe, epochs).training
    }
}

/// The mean reward of sampled captions rises.
#[test]
fn refinement_raises_the_reward() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let ([_, run], stop) = refine(folder.path(), &data, recipe, refining(&data, recipe, 40));
        assert_eq!(stop.unwrap(), Stop::Epochs);
        let curve = curve(&run);
        let reward = |at: std::ops::Range<usize>| {
            curve[at].iter().map(|line| line["reward"].as_f64().unwrap()).sum::<f64>()
        };
        let (first, last) = (reward(0..5), reward(35..40));
        assert!(last > 1.2 * first, "{recipe}: {first} {last}");
        assert!(run.open_best(Device::Cpu).unwrap().config.refinement.is_some());
    }
}

/// With far too large steps; the loss may be finite or not.
#[test]
fn a_refinement_that_diverges_keeps_the_network_it_began_with() {
    let folder = folder();
    let data = training_data(folder.path());
    let recipe = Recipe::Adaptive;
    let change = Training { learning_rate: 1.0, ..refining(&data, recipe, 3) };
    let ([base, run], _) = refine(folder.path(), &data, recipe, change);
    let trained = run.open_best(Device::Cpu).unwrap();
    assert_eq!(trained.checkpoint.progress.best_epoch, 0);
    assert_eq!(evaluated(&run, &data).captions(), evaluated(&base, &data).captions());
}

#[test]
fn a_network_learns_the_training_captions() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let run = train(folder.path(), &data, recipe, &[120]);
        let evaluation = evaluated(&run, &data);
        let learned = CAPTIONS.iter().enumerate().filter(|(row, captions)| {
            captions.contains(&evaluation.captions()[format!("{row}.jpg").as_str()])
        });
        assert!(learned.count() >= 3, "{recipe}: {:?}", evaluation.captions());
        assert_eq!(evaluation.captioned.len(), 4);
    }
}

/// The loss of a batch with images, captions and steps of unequal length equals that of single captions.
#[test]
fn the_loss_of_a_batch_is_the_mean_over_its_words() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let run = train(folder.path(), &data, recipe, &[1]);
        let network = run.open_best(Device::Cpu).unwrap().network;
        let doubly_stochastic = if recipe == Recipe::ShowAttendTell { 0.5 } else { 0.0 };
        let regularization = Regularization { doubly_stochastic, ..Regularization::default() };
        let loss = |images: &[&TrainingImage]| {
            let batch = Batch::new(images, &data.grids, Device::Cpu).unwrap();
            let mut pass = ForwardPass::new(regularization, Precision::F32, 0, 0);
            (batch.captions(), network.loss(&batch, &mut pass))
        };
        let value = |scalar: &tch::Tensor| scalar.double_value(&[]);
        let (mut words, mut entropy, mut looked_away, mut captions) = (0.0, 0.0, 0.0, 0.0);
        for image in &data.training {
            for caption in &image.captions {
                let alone = TrainingImage { captions: vec![caption.clone()], ..image.clone() };
                let (count, loss) = loss(&[&alone]);
                assert_eq!(count, 1);
                words += caption.words.len() as f64;
                let of_words = value(&loss.cross_entropy);
                entropy += of_words * caption.words.len() as f64;
                looked_away += value(&loss.total) - of_words;
                captions += 1.0;
            }
        }
        let mut uneven = data.training.clone();
        let moved = uneven[1].captions.split_off(1);
        uneven.push(TrainingImage { captions: moved, ..uneven[1].clone() });
        let (count, loss) = loss(&uneven.iter().collect::<Vec<_>>());
        assert_eq!(count, 12);
        assert!((value(&loss.cross_entropy) - entropy / words).abs() < 1e-5, "{recipe}");
        let total = entropy / words + looked_away / captions;
        assert!((value(&loss.total) - total).abs() < 1e-5, "{recipe}");
    }
}

#[test]
fn files_of_another_run_are_refused() {
    let folder = folder();
    let data = training_data(folder.path());
    let run = train(folder.path(), &data, Recipe::Adaptive, &[1]);
    let encoder = run.load_config().unwrap().encoder;
    let other = store(folder.path(), "other");
    let error = encoder.check(&other).unwrap_err().to_string();
    assert!(error.contains("other.onnx") && error.contains("small.onnx"), "{error}");

    let words = [tokenize("quite other words")];
    let other = Vocabulary::build(words.iter().map(Vec::as_slice), 1);
    other.save(&run.vocabulary()).unwrap();
    let error = run.open_best(Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("vocabulary.json"), "{error}");

    let damaged = fs::read(run.best()).unwrap();
    fs::write(run.best(), &damaged[..damaged.len() / 2]).unwrap();
    assert!(run.open_best(Device::Cpu).unwrap_err().to_string().contains("best.safetensors"));
    let lock = run.lock().unwrap();
    assert!(run.lock().unwrap_err().to_string().contains("another training"));
    drop(lock);
    // Another problem than the lock of another training has its own message.
    fs::remove_file(run.path().join(".lock")).unwrap();
    fs::create_dir(run.path().join(".lock")).unwrap();
    let error = run.lock().unwrap_err().to_string();
    assert!(error.contains(".lock") && !error.contains("another training"), "{error}");
}

/// Another file name is not another encoder.
#[test]
fn an_encoder_is_known_by_its_content() {
    let folder = folder();
    let data = training_data(folder.path());
    let encoder = config(&data, Recipe::Adaptive, 1).encoder;
    let renamed = EncoderRecord { name: "r50.onnx".to_owned(), ..encoder.clone() };
    renamed.check(data.grids.store(0)).unwrap();
    assert!(renamed.is_same(&encoder));
    let other = EncoderRecord { grid: [3, 2, 8].into(), ..encoder };
    let error = other.check(data.grids.store(0)).unwrap_err().to_string();
    assert!(error.contains("2×3×8") && error.contains("3×2×8"), "{error}");
}

/// Nothing is written then, and the old file stays.
#[test]
fn weights_that_are_not_finite_are_never_saved() {
    let folder = folder();
    let path = folder.path().join("last.safetensors");
    let save = |value: f32| {
        let tensor = tch::Tensor::from_slice(&[1.0, value]);
        checkpoint::save(&path, [("w".to_owned(), tensor)], &Progress::default())
    };
    save(2.0).unwrap();
    let before = fs::read(&path).unwrap();
    for value in [f32::NAN, f32::INFINITY] {
        let error = save(value).unwrap_err().to_string();
        assert!(error.contains("`w`") && error.contains("--learning-rate"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}
