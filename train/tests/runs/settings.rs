//! Settings are checked before anything is written, and a run keeps its own.

use std::fs::{self, File};
use std::process::Command;

use common::View;
use features::Shard;
use serde_json::Value;
use train::checkpoint::Checkpoint;

use crate::program::{Place, assert_says};
use crate::store::{self, fill, provenance, source};
use crate::support::GRID;

/// Neither a folder nor a vocabulary nor a lock.
#[test]
fn a_refused_run_leaves_nothing() {
    let place = Place::new();
    let mut mirrored = provenance("small", GRID);
    mirrored.views = vec![View::Flip];
    place.store("mirrored.h5", &mirrored, source);
    for (refused, named) in [
        ("--dropout 2", "'--dropout <X>': it must be between 0 and 1"),
        ("--patience 0", "'--patience <N>': it must be 1 or more"),
        ("--epochs 0", "'--epochs <N>'"),
        ("--weight-decay NaN", "'--weight-decay <X>'"),
        ("--weight-decay 5000", "--weight-decay is 5000"),
        ("--learning-rate inf", "'--learning-rate <X>': it must be a number above 0"),
        ("--doubly-stochastic=-1", "'--doubly-stochastic <X>'"),
        ("--batch 4097", "'--batch <N>': it must be between 1 and 4096"),
        ("--clip NaN", "'--clip <X>'"),
        ("--views original,flip", "view `flip` not found"),
        ("--seed 18446744073709551615", "--seed"),
        ("--store mirrored.h5", "view `original` not found"),
        ("--store gone.h5", "make extract"),
        ("--captions gone.txt", "make data"),
    ] {
        let option = refused.split(' ').next().unwrap();
        let mut command = Place::of("fit", "--run run");
        for (data, file) in [("--captions", "captions.txt"), ("--store", "small.h5")] {
            if option == data {
                command = command.replace(&format!(" {data} {file}"), "");
            }
        }
        let said = place.refused(&format!("{command} {refused}"));
        assert_says(&said, &[named]);
        assert!(!place.path("run").exists(), "{refused} leaves a folder");
    }
    let (done, said) = place.train("evaluate --threads 0");
    assert!(!done && said.contains("--threads"), "{said}");
}

#[test]
fn another_vocabulary_in_the_run_folder_is_refused() {
    let place = Place::new();
    place.fit("run");
    let own = place.read("run/vocabulary.json");
    let fit = Place::of("fit", "--run next");
    for (vocabulary, named) in [
        (own.replace("\"min_count\": 1", "\"min_count\": 7"), "with --min-count 7, not 1"),
        (own.replace("\"split\": \"train\"", "\"split\": \"dev\""), "over the dev split"),
        (own.clone(), "over other captions"),
    ] {
        place.write("next/vocabulary.json", &vocabulary);
        let captions = place.captions();
        place.write("captions.txt", &captions.replace("bench", "sofa"));
        assert_says(&place.refused(&fit), &["next/vocabulary.json", named, "Remove it"]);
        place.write("captions.txt", &captions);
        assert!(!place.path("next/config.toml").exists());
    }
    // An existing file with the required words is kept.
    assert_eq!(place.read("next/vocabulary.json"), own);
    place.done(&fit);
    assert_eq!(place.read("next/vocabulary.json"), own);
}

#[test]
fn a_resumed_run_keeps_its_settings() {
    let place = Place::new();
    place.fit("run");
    let config = place.read("run/config.toml");
    place
        .write("wide.toml", "[network]\nhidden = 64\n[search]\nbeam = 2\n[training]\nepochs = 3\n");
    for (asked, named) in [
        ("--learning-rate 0.00001", "training.learning_rate is 0.0011, not 0.00001"),
        ("--seed 2 --dropout 0.9", "training.seed is 1, not 2"),
        ("--seed 2 --dropout 0.9", "training.regularization.dropout is 0.4, not 0.9"),
        ("--recipe show-attend-tell", "recipe is \"adaptive\""),
        ("--min-count 3", "min_count is 1, not 3"),
        ("--data-licence mine", "data_licence is \"none\", not \"mine\""),
        ("--config wide.toml", "network.hidden is 32, not 64"),
        ("--config wide.toml", "search.beam is "),
        ("--precision f32 --patience 9", "training.patience is 4, not 9"),
    ] {
        let said = place.refused(&format!("fit --run run --resume {asked}"));
        assert_says(&said, &[named, "--resume keeps the settings of the run"]);
    }
    assert_eq!(place.read("run/config.toml"), config);
    let said = place.refused("refine --run run --resume");
    assert_says(&said, &["train fit --resume"]);
    // Its own settings may be repeated; epochs may change, and data may have moved.
    fs::rename(place.path("captions.txt"), place.path("moved.txt")).unwrap();
    fs::rename(place.path("small.h5"), place.path("moved.h5")).unwrap();
    let moved = "--captions moved.txt --store moved.h5";
    place.done(&format!(
        "fit --run run --resume {moved} --config settings.toml --min-count 1 --seed 1 --epochs 2"
    ));
    assert_eq!(place.read("run/metrics.jsonl").lines().count(), 2);
    place.done("evaluate --run run");

    let refine = "refine --from run --run refined --samples 3";
    place.done(&format!("{refine} --epochs 1"));
    assert_says(&place.refused("fit --run refined --resume"), &["train refine --resume"]);
    for (asked, named) in [
        ("--samples 4", "refinement.samples is 3, not 4"),
        ("--from other", "refinement.from is "),
        ("--clip 2", "training.clip is 5.0, not 2.0"),
    ] {
        let said = place.refused(&format!("refine --run refined --resume {asked}"));
        assert_says(&said, &[named]);
    }
    place.done(&format!("{refine} --resume --epochs 2"));
}

/// `small.h5` does not exist, but its shards do.
#[test]
fn shards_that_lie_side_by_side_are_a_store() {
    let place = Place::new();
    fs::remove_file(place.path("small.h5")).unwrap();
    for shard in [0, 1].map(|index| Shard::new(index, 2).unwrap()) {
        let names = place.names.iter().filter(|name| shard.holds(name)).cloned();
        let path = shard.path(&place.path("small.h5"));
        let provenance = provenance("small", GRID);
        let value = |row, at| (row + at) as f32 / 20.0;
        let store = store::new_shard(&path, Some(shard), &provenance);
        fill(store, &names.collect::<Vec<_>>(), source, value);
    }
    place.fit("run");
    place.done("evaluate --run run");
}

/// All images have the same captions, so the score of any caption is 0.
#[test]
fn the_best_of_epochs_with_equal_scores_has_the_least_loss() {
    let place = Place::new();
    place.done(&Place::of("fit", "--run run --epochs 4"));
    let metrics = place.read("run/metrics.jsonl");
    let epochs = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let epochs = epochs.collect::<Vec<_>>();
    assert!(epochs.iter().all(|epoch| epoch["dev"]["CIDEr"] == 0.0), "{metrics}");
    let loss = |epoch: &Value| epoch["dev_cross_entropy"].as_f64().unwrap();
    let least = (1..).zip(&epochs).min_by(|(_, a), (_, b)| loss(a).total_cmp(&loss(b))).unwrap().0;
    let best = Checkpoint::load(&place.path("run/checkpoints/best.safetensors")).unwrap();
    assert_eq!(best.progress.best_epoch, least);
    assert!(least > 1, "{metrics}");
}

/// The command that serves an exported run is printed with its folder.
#[test]
fn the_command_that_serves_a_run_is_printed() {
    let place = Place::new();
    let said = place.fit("models/mine");
    let serve = "`make serve RUN=models/mine ENCODER=FILE` captions with it";
    assert_says(&said, &["libtorch runs on the CPU (--device cpu)", serve, "small.onnx"]);
}

/// Files of settings with a byte order mark and CRLF.
#[test]
fn a_config_with_a_byte_order_mark_and_crlf_is_read() {
    let place = Place::new();
    place.fit("run");
    for file in ["run/config.toml", "settings.toml", "run/metrics.jsonl"] {
        let text = place.read(file).replace('\n', "\r\n");
        place.write(file, &format!("\u{feff}{text}"));
    }
    place.done("evaluate --run run");
    place.done("report run --images gone");
    place.done("fit --run run --resume --config settings.toml --epochs 2");
}

#[test]
fn a_file_of_settings_is_a_regular_file_of_a_bounded_size() {
    let place = Place::new();
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    fs::create_dir(place.path("folder")).unwrap();
    File::create(place.path("large")).unwrap().set_len(1 << 40).unwrap();
    for (file, problem) in [
        ("gone", "gone: not found: check the path"),
        ("pipe", "pipe: not a regular file: save the content as a file first"),
        ("folder", "folder: a folder, not a file: name a file"),
        ("large", "large: larger than 16 MiB"),
    ] {
        let command = Place::of("fit", "--run run").replace("settings.toml", file);
        assert_says(&place.refused(&command), &[problem]);
        assert!(!place.path("run").exists(), "{file} leaves a folder");
    }
}

#[test]
fn a_run_that_is_not_there_is_not_resumed() {
    let place = Place::new();
    for command in [Place::of("fit", "--run run --resume"), "refine --run run --resume".to_owned()]
    {
        assert_says(&place.refused(&command), &["run: no run to resume", "without --resume"]);
        assert!(!place.path("run").exists());
    }
}

#[test]
fn a_run_that_fails_before_its_first_epoch_leaves_nothing() {
    let place = Place::new();
    place.fit("run");
    let checkpoint = place.path("run/checkpoints/best.safetensors");
    let config = place.read("run/config.toml");
    place.write("run/config.toml", &config.replace("hidden = 32", "hidden = 33"));
    let refine = Place::of("refine", "--from run --run refined --epochs 1");
    assert_says(&place.refused(&refine), &["best.safetensors"]);
    assert!(!place.path("refined").exists() && checkpoint.exists());
    // A folder that was there before stays.
    place.write("refined/notes.txt", "mine");
    place.refused(&refine);
    assert_eq!(place.read("refined/notes.txt"), "mine");
}

#[test]
fn a_network_that_does_not_fit_into_memory_is_refused() {
    let place = Place::new();
    let large = "hidden = 65536\nembedding = 65536\nannotation = 65536";
    place.write("large.toml", &format!("[network]\n{large}\nattention = 65536"));
    let fit = Place::of("fit", "--run run").replace("settings.toml", "large.toml");
    let said = place.refused(&fit);
    assert_says(&said, &["GiB of memory for training", "Lower hidden", "[network]"]);
    assert!(!place.path("run").exists());
}
