//! Beam search against what can be worked out by hand or by trying everything.
#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use data::vocabulary::{END, START, WordId};
use models::search::{Expansion, Step};
use models::{Decoder, SearchOptions, search};
use proptest::prelude::*;

/// Words 4 and up can be said; the probability of the next word depends on the last two.
const WORDS: usize = 7;

/// A decoder whose log-probabilities come from a table, one for each image.
struct Table {
    /// For each image: log-probabilities by last word, and what the word before it adds.
    images: Vec<Vec<f32>>,
    histories: Vec<(usize, Vec<WordId>)>,
}

impl Table {
    fn new(weights: &[f32], images: usize) -> Self {
        let each = weights.len() / images;
        let images = weights.chunks_exact(each).map(<[f32]>::to_vec).collect();
        Self { images, histories: Vec::new() }
    }

    fn row(&self, image: usize, history: &[WordId]) -> Vec<f32> {
        let weights = &self.images[image];
        let context = history.iter().rev().take(2).fold(0, |at, &word| at * 3 + word as usize);
        let logits = (0..WORDS).map(|word| weights[(context * WORDS + word) % weights.len()]);
        let logits = logits.collect::<Vec<_>>();
        let total = logits.iter().map(|logit| logit.exp()).sum::<f32>().ln();
        logits.iter().map(|logit| logit - total).collect()
    }
}

impl Decoder for Table {
    type Error = Infallible;

    fn start(&mut self, _: &[f32], images: usize) -> Result<(), Infallible> {
        self.histories = (0..images).map(|image| (image, Vec::new())).collect();
        Ok(())
    }

    fn step(&mut self, expansion: Expansion) -> Result<Step, Infallible> {
        let next = |(&parent, &word): (&usize, &WordId)| {
            let (image, mut history) = self.histories[parent].clone();
            history.push(word);
            (image, history)
        };
        self.histories = expansion.parents.iter().zip(expansion.words).map(next).collect();
        let rows = self.histories.iter().flat_map(|(image, history)| self.row(*image, history));
        let log_probabilities = rows.collect();
        Ok(Step { log_probabilities, attention: vec![1.0; self.histories.len()] })
    }
}

fn options(beam: usize) -> SearchOptions {
    SearchOptions { beam, max_length: 4, length_exponent: 0.7 }
}

fn greedy(table: &Table, image: usize, length: usize) -> (Vec<WordId>, bool) {
    let mut history = vec![START];
    while history.len() <= length {
        let row = table.row(image, &history);
        let best = (END..WORDS as WordId)
            .filter(|&word| word != 3)
            .max_by(|&a, &b| row[a as usize].total_cmp(&row[b as usize]).then(b.cmp(&a)));
        match best {
            Some(END) | None => return (history[1..].to_vec(), true),
            Some(word) => history.push(word),
        }
    }
    (history[1..].to_vec(), false)
}

/// The best finished caption of all there are.
fn exhaustive(table: &Table, options: &SearchOptions) -> f32 {
    let mut best = f32::NEG_INFINITY;
    let mut open = vec![(vec![START], 0.0)];
    while let Some((history, so_far)) = open.pop() {
        let row = table.row(0, &history);
        let length = history.len() as f32;
        let ended: f32 = so_far + row[END as usize];
        best = best.max(ended / length.powf(options.length_exponent));
        if history.len() < options.max_length {
            for word in 4..WORDS as WordId {
                let longer = [history.as_slice(), &[word]].concat();
                open.push((longer, so_far + row[word as usize]));
            }
        }
    }
    best
}

proptest! {
    #[test]
    fn width_one_is_greedy(weights in prop::collection::vec(-3.0f32..3.0, 140)) {
        let mut table = Table::new(&weights, 2);
        let found = search(&mut table, &[], 2, &options(1)).unwrap();
        for (image, hypotheses) in found.iter().enumerate() {
            let (words, finished) = greedy(&table, image, 4);
            prop_assert_eq!(&hypotheses[0].words, &words);
            prop_assert_eq!(hypotheses[0].finished, finished);
        }
    }

    #[test]
    fn a_beam_wider_than_the_tree_finds_the_best(weights in prop::collection::vec(-3.0f32..3.0, 70)) {
        let mut table = Table::new(&weights, 1);
        let options = options(200);
        let found = search(&mut table, &[], 1, &options).unwrap();
        prop_assert!(found[0][0].finished);
        prop_assert!((found[0][0].score - exhaustive(&table, &options)).abs() < 1e-4);
    }

    #[test]
    fn a_batch_gives_what_each_image_gives_alone(weights in prop::collection::vec(-3.0f32..3.0, 210)) {
        let mut together = Table::new(&weights, 3);
        let found = search(&mut together, &[], 3, &options(3)).unwrap();
        for (image, part) in weights.chunks_exact(70).enumerate() {
            let alone = search(&mut Table::new(part, 1), &[], 1, &options(3)).unwrap();
            prop_assert_eq!(&found[image], &alone[0]);
        }
    }
}

#[test]
fn what_is_said_is_counted_right() {
    let weights = (0..70).map(|at| ((at * 37) % 23) as f32 / 7.0).collect::<Vec<_>>();
    let mut table = Table::new(&weights, 1);
    let found = search(&mut table, &[], 1, &options(3)).unwrap();
    assert!(!found[0].is_empty());
    for hypothesis in &found[0] {
        let mut history = vec![START];
        for (&word, log_probability) in
            hypothesis.words.iter().zip(&hypothesis.word_log_probabilities)
        {
            assert!((table.row(0, &history)[word as usize] - log_probability).abs() < 1e-5);
            history.push(word);
        }
        let end = if hypothesis.finished { table.row(0, &history)[END as usize] } else { 0.0 };
        let total = hypothesis.word_log_probabilities.iter().sum::<f32>() + end;
        assert!((total - hypothesis.log_probability).abs() < 1e-4);
        assert_eq!(hypothesis.attention.len(), hypothesis.words.len());
    }
    assert!(search(&mut table, &[], 0, &options(3)).unwrap().is_empty());
}
