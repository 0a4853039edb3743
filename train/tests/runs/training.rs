//! Runs learn, repeat, go on, and refuse what does not belong to them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use data::{Vocabulary, tokens::tokenize};
use tch::Device;
use train::batch::Batch;
use train::checkpoint::Checkpoint;
use train::dataset::TrainingImage;
use train::fit::{Fit, Material, Stop};
use train::limits::check;
use train::recipes::{Pass, Precision, Recipe, Regularization};
use train::run::{RunConfig, RunFolder, Training};
use train::{Refinement, Result};

use crate::support::{CAPTIONS, RECIPES, config, curve, evaluated, folder, material, store, train};

#[test]
fn a_resumed_run_ends_as_an_uninterrupted_one() {
    let folder = folder();
    let material = material(folder.path());
    for recipe in RECIPES {
        let whole = train(folder.path(), &material, recipe, &[5]);
        let parts = train(folder.path(), &material, recipe, &[2, 3, 5]);
        assert_eq!(curve(&whole), curve(&parts));
        assert_eq!(fs::read(whole.best()).unwrap(), fs::read(parts.best()).unwrap());
        let other = train(folder.path(), &material, recipe, &[1, 1]);
        assert_eq!(curve(&other), curve(&whole)[..1]);
    }
}

/// Stopped after every single step and resumed each time.
#[test]
fn an_interrupted_run_ends_as_an_uninterrupted_one() {
    let folder = folder();
    let material = material(folder.path());
    for recipe in RECIPES {
        let whole = train(folder.path(), &material, recipe, &[3]);
        let config = config(&material, recipe, 3);
        let run = RunFolder::new(&folder.path().join(format!("{recipe}-interrupted")));
        let mut stops = 0;
        loop {
            let mut fit = Fit::new(&run, &config, &material, Device::Cpu).unwrap();
            fit.resume().unwrap();
            fit.interrupt_by(&Arc::new(AtomicBool::new(true)));
            if fit.run().unwrap() == Stop::Epochs {
                break;
            }
            stops += 1;
        }
        assert_eq!(stops, 6, "three epochs of two batches");
        assert_eq!(curve(&run), curve(&whole));
        let checkpoint = |run: &RunFolder| {
            let mut progress = Checkpoint::load(&run.last()).unwrap().progress;
            progress.underway.seconds = 0.0;
            progress
        };
        assert_eq!(checkpoint(&run), checkpoint(&whole));
        let weights = |run: &RunFolder| fs::read(run.best()).unwrap();
        assert_eq!(weights(&run), weights(&whole));
    }
}

/// A set that is larger than a window, here of one batch: four images in two windows.
#[test]
fn windows_are_passed_and_resumed_like_a_whole() {
    let folder = folder();
    let material = material(folder.path());
    let mut config = config(&material, Recipe::Adaptive, 3);
    config.training.window = 2;
    let curve_of = |name: &str, interrupt: bool| {
        let run = RunFolder::new(&folder.path().join(name));
        material.vocabulary.save(&run.vocabulary()).unwrap();
        loop {
            let mut fit = Fit::new(&run, &config, &material, Device::Cpu).unwrap();
            fit.resume().unwrap();
            fit.interrupt_by(&Arc::new(AtomicBool::new(interrupt)));
            if fit.run().unwrap() == Stop::Epochs {
                return curve(&run);
            }
        }
    };
    let whole = curve_of("whole", false);
    assert_eq!(whole.len(), 3);
    assert_eq!(curve_of("interrupted", true), whole);
}

/// A run that was trained for 25 epochs, its refinement, and how that ended.
fn refine(
    folder: &Path,
    material: &Material,
    recipe: Recipe,
    change: Training,
) -> ([RunFolder; 2], Result<Stop>) {
    let base = train(folder, material, recipe, &[25]);
    let refined = RunConfig {
        refinement: Some(Refinement { from: base.path().to_path_buf(), samples: 5 }),
        training: change,
        ..config(material, recipe, 0)
    };
    let run = RunFolder::new(&folder.join(format!("{recipe}-refined")));
    material.vocabulary.save(&run.vocabulary()).unwrap();
    run.save_config(&refined).unwrap();
    let mut fit = Fit::new(&run, &refined, material, Device::Cpu).unwrap();
    fit.begin_with(&base.best()).unwrap();
    let stop = fit.run();
    ([base, run], stop)
}

#[test]
fn settings_that_mean_nothing_are_refused_by_name() {
    let folder = folder();
    let material = material(folder.path());
    let config = config(&material, Recipe::Adaptive, 1);
    check(&config).unwrap();
    let refused = |named: &str, change: &dyn Fn(&mut RunConfig)| {
        let mut wrong = config.clone();
        change(&mut wrong);
        let error = check(&wrong).unwrap_err().to_string();
        assert!(error.starts_with(named), "{error}");
    };
    refused("word_dropout is 1.5", &|of| of.training.regularization.word_dropout = 1.5);
    refused("consensus is -0.1", &|of| of.training.consensus = -0.1);
    refused("averaging is NaN", &|of| of.training.averaging = f64::NAN);
    refused("learning_rate is 0", &|of| of.training.learning_rate = 0.0);
    refused("batch is 0", &|of| of.training.batch = 0);
    refused("heads is 0", &|of| of.network.heads = 0);
    refused("attention is 8", &|of| of.network.heads = 3);
    refused("max_length is 0", &|of| of.search.max_length = 0);
}

/// How the tests refine.
fn refining(material: &Material, recipe: Recipe, epochs: usize) -> Training {
    Training {
        warm_up: 0,
        learning_rate: 2e-3,
        averaging: 0.5,
        regularization: Regularization::NONE,
        ..config(material, recipe, epochs).training
    }
}

/// Drawn captions are rewarded: their mean reward rises, and the run begins with the weights it was given.
#[test]
fn refinement_raises_the_reward() {
    let folder = folder();
    let material = material(folder.path());
    for recipe in RECIPES {
        let ([_, run], stop) =
            refine(folder.path(), &material, recipe, refining(&material, recipe, 40));
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

/// With steps far too long; whether the loss stays a number does not matter.
#[test]
fn a_refinement_that_falls_apart_leaves_the_network_it_began_with() {
    let folder = folder();
    let material = material(folder.path());
    let recipe = Recipe::Adaptive;
    let change = Training { learning_rate: 1.0, ..refining(&material, recipe, 3) };
    let ([base, run], _) = refine(folder.path(), &material, recipe, change);
    let trained = run.open_best(Device::Cpu).unwrap();
    assert_eq!(trained.checkpoint.progress.best_epoch, 0);
    assert_eq!(evaluated(&run, &material).captions(), evaluated(&base, &material).captions());
}

#[test]
fn it_learns_to_say_what_it_was_shown() {
    let folder = folder();
    let material = material(folder.path());
    for recipe in RECIPES {
        let run = train(folder.path(), &material, recipe, &[120]);
        let evaluation = evaluated(&run, &material);
        let learned = CAPTIONS.iter().enumerate().filter(|(row, captions)| {
            captions.contains(&evaluation.captions()[format!("{row}.jpg").as_str()])
        });
        assert!(learned.count() >= 3, "{recipe}: {:?}", evaluation.captions());
        assert_eq!(evaluation.captioned.len(), 4);
    }
}

/// The batch sums over images, captions and steps of unequal length; one caption at a time there is
/// nothing to get wrong.
#[test]
fn the_loss_of_a_batch_is_the_mean_over_its_words() {
    let folder = folder();
    let material = material(folder.path());
    for recipe in RECIPES {
        let run = train(folder.path(), &material, recipe, &[1]);
        let network = run.open_best(Device::Cpu).unwrap().network;
        let doubly_stochastic = if recipe == Recipe::ShowAttendTell { 0.5 } else { 0.0 };
        let regularization = Regularization { doubly_stochastic, ..Regularization::NONE };
        let loss = |images: &[&TrainingImage]| {
            let batch = Batch::new(images, &material.store, Device::Cpu).unwrap();
            let mut pass = Pass::new(regularization, Precision::F32, 0, 0);
            (batch.captions(), network.loss(&batch, &mut pass))
        };
        let (mut words, mut entropy, mut looked_away, mut captions) = (0.0, 0.0, 0.0, 0.0);
        for image in &material.training {
            for caption in &image.captions {
                let alone = TrainingImage { captions: vec![caption.clone()], ..image.clone() };
                let (count, loss) = loss(&[&alone]);
                assert_eq!(count, 1);
                words += caption.words.len() as f64;
                entropy += loss.cross_entropy * caption.words.len() as f64;
                looked_away += loss.total.double_value(&[]) - loss.cross_entropy;
                captions += 1.0;
            }
        }
        let mut uneven = material.training.clone();
        let moved = uneven[1].captions.split_off(1);
        uneven.push(TrainingImage { captions: moved, ..uneven[1].clone() });
        let (count, loss) = loss(&uneven.iter().collect::<Vec<_>>());
        assert_eq!(count, 12);
        assert!((loss.cross_entropy - entropy / words).abs() < 1e-5, "{recipe}");
        let total = entropy / words + looked_away / captions;
        assert!((loss.total.double_value(&[]) - total).abs() < 1e-5, "{recipe}");
    }
}

#[test]
fn what_does_not_belong_to_the_run_is_refused() {
    let folder = folder();
    let material = material(folder.path());
    let run = train(folder.path(), &material, Recipe::Adaptive, &[1]);
    let encoder = run.load_config().unwrap().encoder;
    let other = store(folder.path(), "other");
    let error = encoder.check(&other, Path::new("other.h5")).unwrap_err().to_string();
    assert!(error.contains("other.onnx") && error.contains("small.onnx"), "{error}");

    let words = [tokenize("quite other words")];
    let other = Vocabulary::build(words.iter().map(Vec::as_slice), 1);
    other.save(&run.vocabulary()).unwrap();
    let error = run.open_best(Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("vocabulary.json"), "{error}");

    let damaged = fs::read(run.best()).unwrap();
    fs::write(run.best(), &damaged[..damaged.len() / 2]).unwrap();
    assert!(run.open_best(Device::Cpu).unwrap_err().to_string().contains("best.safetensors"));
    let _lock = run.lock().unwrap();
    assert!(run.lock().unwrap_err().to_string().contains("another training"));
}
