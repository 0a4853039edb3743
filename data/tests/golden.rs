//! Tokens and scores equal those of the reference scorer; both forms of the real captions agree.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use std::collections::HashMap;
use std::fs;

use data::metrics::meteor::{self, Meteor};
use data::metrics::{Item, NAMES, Sums, score};
use data::tokens::tokenize;
use data::{Captions, Split, Splits};
use serde::Deserialize;

const FILES: [&str; 3] = ["human_dev", "shuffled_dev", "truncated_dev"];

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
    references: Vec<String>,
    hypothesis: String,
}

#[derive(Deserialize)]
struct Tokenized {
    references: Vec<String>,
    hypothesis: String,
}

impl Golden {
    fn read(name: &str) -> Option<Self> {
        let path = tests::shared(&format!("metrics/{name}.json"))?;
        Some(serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap())
    }

    fn items(&self) -> Vec<Item> {
        let items = self.images.iter().map(|image| Item {
            references: image.references.iter().map(|caption| tokenize(caption)).collect(),
            hypothesis: tokenize(&image.hypothesis),
        });
        items.collect()
    }
}

#[track_caller]
fn assert_near(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() < 1e-9, "{what}: {found} is not {expected}");
}

#[test]
fn scores_equal_those_of_the_reference_scorer() {
    for name in FILES {
        let Some(golden) = Golden::read(name) else { return };
        let images = score(&golden.items(), None);
        for (metric, found) in images.iter().copied().sum::<Sums>().scores().iter() {
            assert_near(found, golden.scores[metric], &format!("{name} {metric}"));
        }
        for (image, found) in golden.images.iter().zip(images) {
            let expected = &golden.per_image[&image.id];
            assert!(expected.keys().all(|metric| NAMES.contains(&metric.as_str())));
            for (metric, found) in
                found.scores().iter().filter(|(of, _)| expected.contains_key(*of))
            {
                assert_near(found, expected[metric], &format!("{name} {} {metric}", image.id));
            }
        }
    }
}

#[test]
fn meteor_equals_that_of_the_reference_scorer() {
    let Some(jar) = tests::meteor() else { return };
    let Some(golden) = Golden::read("truncated_dev") else { return };
    let meteor = Meteor::run(&golden.items(), &jar).unwrap();
    assert_near(meteor.score, golden.scores[meteor::NAME], meteor::NAME);
    assert_eq!(meteor.per_image.len(), golden.images.len());
}

#[test]
fn tokens_equal_those_of_the_reference_tokenizer() {
    for name in FILES {
        let Some(golden) = Golden::read(name) else { return };
        for (image, item) in golden.images.iter().zip(golden.items()) {
            let expected = &golden.tokenized[&image.id];
            assert_eq!(item.hypothesis.join(" "), expected.hypothesis);
            for (found, expected) in item.references.iter().zip(&expected.references) {
                assert_eq!(found.join(" "), *expected);
            }
        }
    }
}

#[test]
fn all_captions_of_flickr8k_have_the_reference_tokens() {
    let (Some(captions), Some(expected)) =
        (tests::shared("flickr8k/Flickr8k.token.txt"), tests::shared("metrics/ptb_captions.tsv"))
    else {
        return;
    };
    let captions = fs::read_to_string(captions).unwrap();
    let captions =
        captions.lines().filter_map(|line| line.split_once('\t')).collect::<HashMap<_, _>>();
    let expected = fs::read_to_string(expected).unwrap();
    let mut compared = 0;
    for (key, tokens) in expected.lines().filter_map(|line| line.split_once('\t')) {
        assert_eq!(tokenize(captions[key]).join(" "), tokens, "{key}");
        compared += 1;
    }
    assert_eq!(compared, 35_000);
}

#[derive(Deserialize)]
struct Hard {
    text: String,
    tokens: String,
}

#[test]
fn hard_cases_have_the_reference_tokens() {
    let Some(path) = tests::shared("metrics/tokenizer.json") else { return };
    let cases: Vec<Hard> = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        assert_eq!(tokenize(&case.text).join(" "), case.tokens, "{}", case.text);
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
        assert_eq!(tokens.get(&image.image), Some(image.captions.as_slice()));
    }
    let splits = Splits::find(&folder).unwrap();
    let count =
        |split| csv.iter().filter(|image| splits.split_of(&image.image) == Some(split)).count();
    assert_eq!((count(Split::Train), count(Split::Dev), count(Split::Test)), (6000, 1000, 0));
}
