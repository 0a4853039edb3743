//! Captions without photos.

use std::collections::HashSet;

use data::tokens::tokenize;
use tch::Device;
use train::dataset::Caption;
use train::fit::TrainingData;
use train::recipes::ForwardPass;
use train::settings::Recipe;
use train::text::TextCaptions;

use crate::program::{Place, assert_says};
use crate::support::{folder, train, training_data};

/// Two sentences of the words of the captions that no photo has, one with another word, and one that a photo has.
const TEXT: &str = "x\tmen sit on two\na bench\nan unknown sentence\ntwo men sit on a bench\n";

fn fit(place: &Place, further: &str) -> String {
    place.done(&Place::of("fit", &format!("--text text.tsv {further}")))
}

fn place() -> Place {
    let place = Place::new();
    place.write("text.tsv", TEXT);
    place
}

#[test]
fn a_network_learns_captions_without_photos() {
    let folder = folder();
    let mut data = training_data(folder.path());
    let path = folder.path().join("text.txt");
    std::fs::write(&path, "the red dog swims over the bench\n").unwrap();
    let text = TextCaptions::read(&path, &data.vocabulary, &HashSet::new()).unwrap();
    let words = data.vocabulary.encode(&tokenize("the red dog swims over the bench"));
    let of_text = Caption::written(words);
    let likelihood = |data: &TrainingData, caption: &Caption, epochs: usize| {
        let run = train(folder.path(), data, Recipe::Adaptive, &[epochs]);
        let network = run.open_best(Device::Cpu).unwrap().network;
        let captions = std::slice::from_ref(caption);
        let loss = network.text_loss(captions, &mut ForwardPass::plain()).unwrap();
        loss.cross_entropy.double_value(&[])
    };
    let without = likelihood(&data, &of_text, 12);
    data.text = Some(text);
    let with = likelihood(&data, &of_text, 13);
    assert!(with < without - 0.1, "{with} {without}");
}

#[test]
fn the_loss_without_photos_is_a_mean_over_words() {
    let folder = folder();
    let data = training_data(folder.path());
    let run = train(folder.path(), &data, Recipe::Adaptive, &[1]);
    let network = run.open_best(Device::Cpu).unwrap().network;
    let loss = |captions: &[Caption]| {
        let loss = network.text_loss(captions, &mut ForwardPass::plain()).unwrap();
        loss.cross_entropy.double_value(&[])
    };
    let both = [data.training[0].captions[1].clone(), data.training[1].captions[0].clone()];
    let of_each = both.iter().map(|of| loss(std::slice::from_ref(of)) * of.words.len() as f64);
    let words = both.iter().map(|of| of.words.len()).sum::<usize>();
    assert!((loss(&both) - of_each.sum::<f64>() / words as f64).abs() < 1e-5);
    let run = train(folder.path(), &data, Recipe::ShowAttendTell, &[1]);
    let network = run.open_best(Device::Cpu).unwrap().network;
    assert!(network.text_loss(&both, &mut ForwardPass::plain()).is_none());
}

#[test]
fn a_run_records_its_captions_without_photos_and_compares_them() {
    let place = place();
    let said = fit(&place, "--run run --epochs 1 --text-batch 2");
    assert_says(
        &said,
        &["text.tsv: 2 captions without photos", "words outside the vocabulary", "text "],
    );
    assert_says(&place.read("run/config.toml"), &["[text]", "captions = 2"]);
    assert_says(&place.read("run/metrics.jsonl"), &["text_cross_entropy"]);
    place.done(&Place::of("fit", "--run alone"));
    assert_ne!(weights(&place, "run"), weights(&place, "alone"));
    place.done("fit --run run --resume --epochs 2");
    // The same as without an interruption.
    fit(&place, "--run whole --epochs 2 --text-batch 2");
    assert_eq!(weights(&place, "run"), weights(&place, "whole"));
    place.write("text.tsv", &TEXT.replace("sit on two", "on two"));
    let said = place.refused("fit --run run --resume --epochs 3");
    assert_says(&said, &["text.tsv: not the captions without photos", "--accept-changed-data"]);
    let said = place.refused("fit --run alone --resume --epochs 3 --text text.tsv");
    assert_says(&said, &["alone: began without captions without photos"]);
    place.done("refine --from run --run refined --epochs 1");
    assert!(!place.read("refined/config.toml").contains("[text]"));
}

#[test]
fn text_that_cannot_be_used_is_refused() {
    let place = place();
    let fit = |further: &str| place.refused(&Place::of("fit", &format!("--run run {further}")));
    assert_says(&fit("--text gone.tsv"), &["gone.tsv"]);
    place.write("unknown.tsv", "nothing known\n");
    assert_says(
        &fit("--text unknown.tsv"),
        &["unknown.tsv: no caption that could be used", "1 skipped"],
    );
    assert_says(
        &fit("--text text.tsv --recipe show-attend-tell"),
        &["--text: the recipe show-attend-tell"],
    );
    assert!(!place.path("run").exists());
}

#[test]
fn flags_of_text_are_refused_without_it() {
    let place = place();
    for flag in ["--text-batch 8", "--text-weight 0.5"] {
        let said = place.refused(&Place::of("fit", &format!("--run run {flag}")));
        assert_says(&said, &["required arguments were not provided", "--text <FILE>"]);
        for command in ["refine --from run --run other", "distil --from run --run other"] {
            let said = place.refused(&format!("{command} {flag}"));
            assert_says(&said, &[flag.split(' ').next().unwrap(), "belong to `train fit`"]);
        }
    }
    assert!(!place.path("run").exists());
}

fn weights(place: &Place, run: &str) -> Vec<u8> {
    std::fs::read(place.path(run).join("checkpoints/last.safetensors")).unwrap()
}
