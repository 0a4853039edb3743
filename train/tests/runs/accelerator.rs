//! The way in which a GPU trains, on the processor: it trains the same networks as that of a processor.

use std::sync::atomic::AtomicBool;

use serde_json::Value;
use tch::Device;
use train::device::{Backend, Compute};
use train::fit::{Fit, Stop};
use train::run::{RunConfig, RunFolder};
use train::settings::{Precision, Recipe, Refinement, Regularization, Training};

use crate::support::{RECIPES, config, curve, folder, train, training_data};
use train::fit::TrainingData;

/// The lines of a run that is trained in a way, and stopped after each step or not.
fn lines(
    run: &RunFolder,
    config: &RunConfig,
    data: &TrainingData,
    how: (Backend, bool),
) -> Vec<Value> {
    let (backend, interrupt) = how;
    let interrupt = AtomicBool::new(interrupt);
    data.vocabulary.save(&run.vocabulary()).unwrap();
    loop {
        let compute = Compute { device: Device::Cpu, backend };
        let mut fit = Fit::new(run, config, data, compute).unwrap();
        let is_new = fit.resume().unwrap().is_none();
        if let Some(refinement) = config.refinement.as_ref().filter(|_| is_new) {
            fit.begin_with(&RunFolder::new(&refinement.from).best()).unwrap();
        }
        fit.interrupt_by(&interrupt);
        if fit.run().unwrap() == Stop::Epochs {
            return curve(run);
        }
    }
}

/// A training without noise.
fn plain(data: &TrainingData, recipe: Recipe, epochs: usize) -> RunConfig {
    let mut config = config(data, recipe, epochs);
    let Training { regularization, precision, .. } = &mut config.training;
    *regularization = Regularization { dropout: 0.0, ..*regularization };
    *precision = Precision::F32;
    config
}

#[test]
fn both_ways_have_the_same_losses() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let config = plain(&data, recipe, 3);
        let run = |name: &str| RunFolder::new(&folder.path().join(format!("{recipe}-{name}")));
        let host = lines(&run("host"), &config, &data, (Backend::Host, false));
        let other = lines(&run("other"), &config, &data, (Backend::Accelerator, false));
        for (host, other) in host.iter().zip(&other) {
            for loss in ["cross_entropy", "dev_cross_entropy"] {
                let [host, other] = [host, other].map(|line| line[loss].as_f64().unwrap());
                assert!((host - other).abs() < 1e-3, "{recipe} {loss}: {host} {other}");
            }
        }
        assert_eq!((host.len(), other.len()), (3, 3));
    }
}

/// With dropout, in several windows.
#[test]
fn a_run_with_noise_is_resumed_exactly() {
    let folder = folder();
    let data = training_data(folder.path());
    for recipe in RECIPES {
        let mut config = config(&data, recipe, 3);
        config.training.window = 3;
        config.training.batch = 1;
        let run = |name: &str| RunFolder::new(&folder.path().join(format!("{recipe}-{name}")));
        let whole = lines(&run("whole"), &config, &data, (Backend::Accelerator, false));
        let parts = lines(&run("parts"), &config, &data, (Backend::Accelerator, true));
        assert_eq!(whole, parts);
    }
}

/// The reward of captions that are sampled on the device rises, and a resumed refinement is the same.
#[test]
fn rewards_of_captions_sampled_on_the_device_rise() {
    let folder = folder();
    let data = training_data(folder.path());
    let base = train(folder.path(), &data, Recipe::Adaptive, &[25]);
    let refined = |epochs| RunConfig {
        refinement: Some(Refinement { from: base.path().to_path_buf(), samples: 5 }),
        training: Training {
            warm_up: 0,
            learning_rate: 2e-3,
            averaging: 0.5,
            ..plain(&data, Recipe::Adaptive, epochs).training
        },
        ..config(&data, Recipe::Adaptive, 0)
    };
    let run = |name: &str| RunFolder::new(&folder.path().join(name));
    let curve = lines(&run("refined"), &refined(40), &data, (Backend::Accelerator, false));
    let reward =
        |lines: &[Value]| lines.iter().map(|line| line["reward"].as_f64().unwrap()).sum::<f64>();
    let (first, last) = (reward(&curve[..5]), reward(&curve[35..]));
    assert!(last > 1.2 * first, "{first} {last}");
    let parts = lines(&run("parts"), &refined(2), &data, (Backend::Accelerator, true));
    assert_eq!(parts, curve[..2]);
}
