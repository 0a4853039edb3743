//! Scores and captions against what the reference scorer and the real data set say.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;

use data::metrics::{Item, bleu, cider, cider_per_image};
use data::{Captions, Split, Splits};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    images: Vec<Image>,
    tokenized: HashMap<String, Tokenized>,
    scores: HashMap<String, f64>,
    per_image: HashMap<String, HashMap<String, f64>>,
}

#[derive(Deserialize)]
struct Image {
    id: String,
}

#[derive(Deserialize)]
struct Tokenized {
    references: Vec<String>,
    hypothesis: String,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

#[track_caller]
fn assert_near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-9, "{what}: {found} is not {expected}");
}

#[test]
fn bleu_and_cider_equal_the_reference_scorer() {
    for name in ["human_dev", "shuffled_dev", "truncated_dev"] {
        let Some(path) = tests::shared(&format!("metrics/{name}.json")) else {
            return;
        };
        let golden: Golden = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let items = golden
            .images
            .iter()
            .map(|image| &golden.tokenized[&image.id])
            .map(|tokenized| Item {
                references: tokenized.references.iter().map(|text| words(text)).collect(),
                hypothesis: words(&tokenized.hypothesis),
            })
            .collect::<Vec<_>>();
        for (n, score) in (1..).zip(bleu(&items)) {
            assert_near(score, golden.scores[&format!("BLEU-{n}")], &format!("{name} BLEU-{n}"));
        }
        assert_near(cider(&items), golden.scores["CIDEr"], &format!("{name} CIDEr"));
        for (image, score) in golden.images.iter().zip(cider_per_image(&items)) {
            assert_near(score, golden.per_image[&image.id]["CIDEr"], &image.id);
        }
    }
}

#[test]
fn both_forms_of_the_real_captions_agree() {
    let Some(folder) = tests::shared("flickr8k") else {
        return;
    };
    let csv = Captions::read(&folder.join("captions.txt")).unwrap();
    let tokens = Captions::read(&folder.join("Flickr8k.token.txt")).unwrap();
    assert_eq!(csv.iter().map(|image| image.captions.len()).sum::<usize>(), 35_000);
    for image in &csv {
        assert_eq!(tokens.of(&image.image), Some(image.captions.as_slice()));
    }
    let splits = Splits::find(&folder).unwrap();
    let count = |split| csv.iter().filter(|image| splits.of(&image.image) == Some(split)).count();
    assert_eq!((count(Split::Train), count(Split::Dev), count(Split::Test)), (6000, 1000, 0));
}
