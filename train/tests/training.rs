//! Training on a small store: it learns, it repeats, it resumes, and what it exports says the same.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use data::vocabulary::START;
use data::{Vocabulary, tokens::tokenize};
use models::search::Expansion;
use models::{Decoder, Hypothesis, OnnxDecoder, SearchOptions, search};
use support::{CAPTIONS, GRID, store};
use tch::{Device, Kind, Tensor};
use tempfile::TempDir;
use train::Refinement;
use train::batch::Batch;
use train::checkpoint::Checkpoint;
use train::dataset::{Caption, ScoredImage, TrainingImage};
use train::evaluate::evaluate;
use train::export::export;
use train::fit::{Fit, Material, Stop};
use train::recipes::{Network, NetworkConfig, Pass, Precision, Recipe, Regularization};
use train::report::{Reported, render};
use train::run::{EncoderRecord, RunConfig, RunFolder, Training};
use train::torch_decoder::TorchDecoder;

const RECIPES: [Recipe; 2] = [Recipe::Adaptive, Recipe::ShowAttendTell];
fn material(folder: &Path) -> Material {
    let tokens = CAPTIONS.map(|captions| captions.map(tokenize));
    let vocabulary = Vocabulary::build(tokens.iter().flatten().map(Vec::as_slice), 1);
    let training = |(row, captions): (usize, &[Vec<String>; 3])| TrainingImage {
        row,
        view: 0,
        captions: captions
            .iter()
            .map(|tokens| Caption::written(vocabulary.encode(tokens)))
            .collect(),
    };
    let scored = |(row, captions): (usize, &[Vec<String>; 3])| ScoredImage {
        image: format!("{row}.jpg"),
        row,
        references: captions.to_vec(),
    };
    let captioned = tokens.iter().enumerate().map(training).collect::<Vec<_>>();
    Material {
        store: store(folder, "small"),
        dev_captions: captioned.clone(),
        training: captioned,
        dev: tokens.iter().enumerate().map(scored).collect(),
        vocabulary,
    }
}

fn config(material: &Material, recipe: Recipe, epochs: usize) -> RunConfig {
    let plain = Training::of(recipe, 5);
    RunConfig {
        recipe,
        revision: "test".to_owned(),
        captions: "captions.txt".into(),
        splits: (".".into(), "test".to_owned()),
        store: "small.h5".into(),
        vocabulary_sha256: material.vocabulary.sha256(),
        refinement: None,
        encoder: EncoderRecord::of(&material.store, Path::new("small.h5")).unwrap(),
        network: NetworkConfig {
            annotation: 16,
            attention: 8,
            heads: if recipe == Recipe::Adaptive { 2 } else { 1 },
            embedding: 16,
            hidden: 32,
            ..NetworkConfig::of(recipe, GRID.channels, material.vocabulary.len())
        },
        training: Training {
            epochs,
            batch: 3,
            learning_rate: 0.01,
            warm_up: 3,
            decay: 1.0,
            patience: 100,
            regularization: Regularization { dropout: 0.2, ..plain.regularization },
            ..plain
        },
        search: SearchOptions::default(),
    }
}

/// Trains a run in `folder`, in as many parts as `stops` has numbers of epochs.
fn train(folder: &Path, material: &Material, recipe: Recipe, stops: &[usize]) -> RunFolder {
    let run = RunFolder::new(&folder.join(format!("{recipe}-{stops:?}")));
    material.vocabulary.save(&run.vocabulary()).unwrap();
    for &epochs in stops {
        let config = config(material, recipe, epochs);
        run.save_config(&config).unwrap();
        let mut fit = Fit::new(&run, &config, material, Device::Cpu).unwrap();
        fit.resume().unwrap();
        assert_eq!(fit.run().unwrap(), Stop::Epochs);
    }
    run
}

/// The lines of `metrics.jsonl` without what depends on the clock.
fn curve(run: &RunFolder) -> Vec<serde_json::Value> {
    let lines = fs::read_to_string(run.path().join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        for key in ["captions_per_second", "train_seconds", "evaluate_seconds"] {
            line.as_object_mut().unwrap().remove(key);
        }
        line
    };
    lines.lines().map(line).collect()
}

fn best(material: &Material, found: Vec<Vec<Hypothesis>>) -> Vec<(String, f32, Vec<Vec<f32>>)> {
    let first = |of_image: Vec<Hypothesis>| of_image.into_iter().next().unwrap();
    let text = |found: Hypothesis| {
        (material.vocabulary.decode(&found.words), found.log_probability, found.attention)
    };
    found.into_iter().map(first).map(text).collect()
}

fn folder() -> TempDir {
    // One thread: four small images are not worth more, and sums stay in one order.
    tch::set_num_threads(1);
    tempfile::tempdir().unwrap()
}

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

/// Drawn captions are rewarded: their mean reward rises, and the run begins with the weights it was given.
#[test]
fn refinement_raises_the_reward() {
    let folder = folder();
    let material = material(folder.path());
    for recipe in RECIPES {
        let base = train(folder.path(), &material, recipe, &[25]);
        let plain = config(&material, recipe, 40);
        let refined = RunConfig {
            refinement: Some(Refinement { from: base.path().to_path_buf(), samples: 5 }),
            training: Training {
                warm_up: 0,
                learning_rate: 2e-3,
                averaging: 0.5,
                regularization: Regularization::NONE,
                ..plain.training.clone()
            },
            ..plain
        };
        let run = RunFolder::new(&folder.path().join(format!("{recipe}-refined")));
        material.vocabulary.save(&run.vocabulary()).unwrap();
        run.save_config(&refined).unwrap();
        let mut fit = Fit::new(&run, &refined, &material, Device::Cpu).unwrap();
        fit.begin_with(&base.best()).unwrap();
        assert_eq!(fit.run().unwrap(), Stop::Epochs);
        let curve = curve(&run);
        let reward = |at: std::ops::Range<usize>| {
            curve[at].iter().map(|line| line["reward"].as_f64().unwrap()).sum::<f64>()
        };
        let (first, last) = (reward(0..5), reward(35..40));
        assert!(last > 1.2 * first, "{recipe}: {first} {last}");
        assert!(run.open_best(Device::Cpu).unwrap().config.refinement.is_some());
    }
}

/// Two networks that agree say what each of them says; two that do not say what both find likely.
#[test]
fn an_ensemble_averages_probabilities() {
    let folder = folder();
    let material = material(folder.path());
    let run = train(folder.path(), &material, Recipe::Adaptive, &[6]);
    let other = train(folder.path(), &material, Recipe::ShowAttendTell, &[6]);
    let (one, two) = (run.open_best(Device::Cpu).unwrap(), other.open_best(Device::Cpu).unwrap());
    let mut grid = vec![0.0; GRID.values()];
    material.store.read(0, 0, &mut grid).unwrap();
    let first_word = |networks: &[&dyn Network]| {
        let mut decoder = TorchDecoder::new(networks, GRID.channels as i64, Device::Cpu);
        decoder.start(&grid, 1).unwrap();
        let expansion = Expansion { images: &[0], parents: &[0], words: &[START] };
        let log_probabilities = decoder.step(expansion).unwrap().log_probabilities;
        log_probabilities.into_iter().map(f32::exp).collect::<Vec<_>>()
    };
    let [a, b] = [&one, &two].map(|run| first_word(&[&*run.network]));
    let both = first_word(&[&*one.network, &*two.network]);
    let twice = first_word(&[&*one.network, &*one.network]);
    for (word, both) in both.iter().enumerate() {
        assert!((both - f32::midpoint(a[word], b[word])).abs() < 1e-6);
        assert!((twice[word] - a[word]).abs() < 1e-6);
    }
}

/// The page holds the curve, the captions and the photos, and needs nothing from elsewhere.
#[test]
fn the_report_shows_captions_with_their_photos() {
    let folder = folder();
    let material = material(folder.path());
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).unwrap();
    for row in 0..CAPTIONS.len() {
        fs::write(photos.join(format!("{row}.jpg")), format!("photo {row}")).unwrap();
    }
    let reported = RECIPES.map(|recipe| {
        let run = train(folder.path(), &material, recipe, &[8]);
        let trained = run.open_best(Device::Cpu).unwrap();
        let evaluation = evaluate(
            &[&*trained.network],
            &trained.vocabulary,
            &material.dev,
            &material.store,
            &SearchOptions::default(),
            Device::Cpu,
        )
        .unwrap();
        Reported::new(&run, evaluation).unwrap()
    });
    let page = render(&reported, &material.dev, Some(&photos)).unwrap();
    assert!(!page.contains("http") && !page.contains("<link"), "{page}");
    assert!(page.contains("base64,cGhvdG8gMg=="), "photo 2");
    assert!(page.contains("the brown dog runs fast over the grass"));
    for of in &reported[0].evaluation.captioned {
        assert!(page.contains(&format!("<strong>{}</strong>", of.caption)), "{}", of.caption);
    }
    assert_eq!(page.matches("<polyline").count(), 8, "four curves of two runs");
    assert!(page.contains("show-attend-tell") && page.contains("training.averaging"));
    let missing = render(&reported, &material.dev, Some(folder.path())).unwrap_err();
    assert!(missing.to_string().contains(".jpg"), "{missing}");
    assert!(render(&[], &material.dev, None).is_err());
}

#[test]
fn it_learns_to_say_what_it_was_shown() {
    let folder = folder();
    let material = material(folder.path());
    for recipe in RECIPES {
        let run = train(folder.path(), &material, recipe, &[120]);
        let trained = run.open_best(Device::Cpu).unwrap();
        let evaluation = evaluate(
            &[&*trained.network],
            &trained.vocabulary,
            &material.dev,
            &material.store,
            &SearchOptions::default(),
            Device::Cpu,
        )
        .unwrap();
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

/// What the teacher-forced network thinks of a caption is what a search that is led along it finds.
#[test]
fn teacher_forcing_and_single_steps_agree() {
    let folder = folder();
    let material = material(folder.path());
    for recipe in RECIPES {
        let run = train(folder.path(), &material, recipe, &[3]);
        let network = run.open_best(Device::Cpu).unwrap().network;
        let image = &material.training[1];
        let alone = TrainingImage { captions: vec![image.captions[0].clone()], ..image.clone() };
        let batch = Batch::new(&[&alone], &material.store, Device::Cpu).unwrap();
        let expected = network.loss(&batch, &mut Pass::plain()).cross_entropy;
        let mut grid = vec![0.0; GRID.values()];
        material.store.read(image.row, image.view, &mut grid).unwrap();
        let grid = Tensor::from_slice(&grid).view([1, GRID.cells() as i64, GRID.channels as i64]);
        let mut held = network.start(&grid);
        let mut before = START;
        let mut total = 0.0;
        let words = &alone.captions[0].words;
        for &word in words {
            let stepped =
                network.step(&Tensor::from_slice(&[i64::from(before)]).view([1, 1]), &held);
            total -= stepped.log_probabilities.double_value(&[0, 0, i64::from(word)]);
            let looked = stepped.attention.sum(Kind::Float).double_value(&[]);
            assert!((looked - 1.0).abs() < 1e-5, "{recipe} {looked}");
            held.states = stepped.states;
            before = word;
        }
        let found = total / words.len() as f64;
        assert!((found - expected).abs() < 1e-5, "{recipe}: {found} {expected}");
    }
}

#[test]
fn the_exported_decoder_says_what_the_network_says() {
    let folder = folder();
    let material = material(folder.path());
    for recipe in RECIPES {
        exported(folder.path(), &material, recipe);
    }
}

fn exported(folder: &Path, material: &Material, recipe: Recipe) {
    let run = train(folder, material, recipe, &[15]);
    let manifest = export(&run).unwrap();
    assert_eq!(manifest.encoder.sha256, "small");
    manifest.check_decoder(run.path()).unwrap();

    let mut grids = vec![0.0; CAPTIONS.len() * GRID.values()];
    for (row, grid) in grids.chunks_exact_mut(GRID.values()).enumerate() {
        material.store.read(row, 0, grid).unwrap();
    }
    let trained = run.open_best(Device::Cpu).unwrap();
    for beam in [1, 3, 5] {
        let options = SearchOptions { beam, ..SearchOptions::default() };
        let mut torch = TorchDecoder::new(&[&*trained.network], GRID.channels as i64, Device::Cpu);
        let mut onnx =
            OnnxDecoder::open(run.path(), [GRID.cells(), GRID.channels], Some(1)).unwrap();
        let expected = best(material, search(&mut torch, &grids, 4, &options).unwrap());
        let found = best(material, search(&mut onnx, &grids, 4, &options).unwrap());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.0, expected.0);
            assert!((found.1 - expected.1).abs() < 1e-4, "{found:?} {expected:?}");
            let attention = found.2.iter().flatten().zip(expected.2.iter().flatten());
            assert!(attention.into_iter().all(|(a, b)| (a - b).abs() < 1e-4));
        }
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
