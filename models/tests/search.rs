//! Beam search against results by hand and by exhaustive search.
#![expect(clippy::unwrap_used, reason = "a failed test panics")]

use std::convert::Infallible;

use data::vocabulary::{END, START, WordId};
use models::search::{Expansion, Step};
use models::{Decoder, Hypothesis, SearchOptions, search};
use ndarray::{Array2, Array3, ArrayView3, Axis};
use proptest::prelude::*;

/// Words 4 and up can be in captions; the probability of the next word depends on the last two.
const WORDS: usize = 7;

/// A decoder whose log-probabilities come from a table, one for each image.
struct Table {
    /// For each image: log-probabilities by last word, and what the word before it adds.
    images: Vec<Vec<f32>>,
    histories: Vec<(usize, Vec<WordId>)>,
    steps: usize,
}

impl Table {
    fn new(weights: &[f32], images: usize) -> Self {
        let each = weights.len() / images;
        let images = weights.chunks_exact(each).map(<[f32]>::to_vec).collect();
        Self { images, histories: Vec::new(), steps: 0 }
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

    fn start(&mut self, grids: ArrayView3<f32>) -> Result<(), Infallible> {
        self.histories = (0..grids.len_of(Axis(0))).map(|image| (image, Vec::new())).collect();
        Ok(())
    }

    fn step(&mut self, expansion: Expansion) -> Result<Step, Infallible> {
        self.steps += 1;
        let next = |(&parent, &word): (&usize, &WordId)| {
            let (image, mut history) = self.histories[parent].clone();
            history.push(word);
            (image, history)
        };
        self.histories = expansion.parents.iter().zip(expansion.words).map(next).collect();
        let rows = self.histories.iter().flat_map(|(image, history)| self.row(*image, history));
        let log_probabilities =
            Array2::from_shape_vec([self.histories.len(), WORDS], rows.collect()).unwrap();
        // The attention identifies its history.
        let of_history = |(_, history): &(usize, Vec<WordId>)| attention(history);
        let attention = self.histories.iter().map(of_history).collect::<Vec<_>>();
        let attention = Array2::from_shape_vec([attention.len(), 1], attention).unwrap();
        Ok(Step { log_probabilities, attention })
    }
}

/// A number that identifies a history, the start included.
fn attention(history: &[WordId]) -> f32 {
    history.iter().fold(1.0, |number, &word| number * 7.0 + f32::from(word as u16))
}

/// Grids of that many images; the table needs none of their values.
fn grids(images: usize) -> Array3<f32> {
    Array3::zeros([images, 1, 1])
}

fn options(beam: usize) -> SearchOptions {
    SearchOptions { beam, n_best: beam, min_length: 0, max_length: 4, ..SearchOptions::default() }
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

/// The words of the captions, the best first, and whether they are finished. All continuations are sorted at each
/// slot: by log-probability, then the one of the earlier slot, then the lower word.
fn by_the_rules(table: &Table, image: usize, options: &SearchOptions) -> Vec<(Vec<WordId>, bool)> {
    let mut slots = vec![None; options.beam];
    slots[0] = Some((vec![START], 0.0));
    let mut found = Vec::new();
    let score = |log_probability: f32, length: usize| {
        log_probability / (length as f32).powf(options.length_exponent)
    };
    for length in 1..=options.max_length {
        let (mut pool, mut next) = (Vec::new(), Vec::new());
        for (slot, caption) in slots.iter().enumerate() {
            if let Some((history, so_far)) = caption {
                let row = table.row(image, history);
                let may_come = (END..WORDS as WordId).filter(|&word| word != 3);
                pool.extend(
                    may_come.map(|word| (so_far + row[word as usize], slot, history, word)),
                );
            }
            pool.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.3).cmp(&(b.1, b.3))));
            let taken = if pool.is_empty() { None } else { Some(pool.remove(0)) };
            match taken {
                Some((log_probability, _, history, END)) => {
                    found.push((score(log_probability, length), history[1..].to_vec(), true));
                }
                taken => next.push(taken.map(|(log_probability, _, history, word)| {
                    ([history.as_slice(), &[word]].concat(), log_probability)
                })),
            }
        }
        slots = next;
    }
    let truncated = slots.into_iter().flatten().map(|(history, log_probability)| {
        (score(log_probability, options.max_length), history[1..].to_vec(), false)
    });
    found.extend(truncated);
    // Stable: of equal ones the one that was found first.
    found.sort_by(|a, b| b.2.cmp(&a.2).then(b.0.total_cmp(&a.0)));
    found.into_iter().map(|(_, words, finished)| (words, finished)).collect()
}

proptest! {
    #[test]
    fn width_one_is_greedy(weights in prop::collection::vec(-3.0f32..3.0, 140)) {
        let mut table = Table::new(&weights, 2);
        let found = search(&mut table, grids(2).view(), &options(1)).unwrap();
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
        let found = search(&mut table, grids(1).view(), &options).unwrap();
        prop_assert!(found[0][0].finished);
        prop_assert!((found[0][0].score - exhaustive(&table, &options)).abs() < 1e-4);
    }

    /// Rank by rank: a caption that is finished instead of truncated, or one with a higher score.
    #[test]
    fn a_wider_beam_finds_nothing_worse(
        weights in prop::collection::vec(-3.0f32..3.0, 140),
        narrow in 1..6_usize,
        n_best in 1..4_usize,
    ) {
        for wide in [narrow + 1, narrow + 3] {
            let found = |beam| {
                let options = SearchOptions { n_best, ..options(beam) };
                search(&mut Table::new(&weights, 2), grids(2).view(), &options).unwrap()
            };
            for (narrow, wide) in found(narrow).iter().zip(found(wide)) {
                for (narrow, wide) in narrow.iter().zip(wide) {
                    let (narrow, wide) =
                        ((narrow.finished, narrow.score), (wide.finished, wide.score));
                    prop_assert!(wide >= narrow, "{wide:?} {narrow:?}");
                }
            }
        }
    }

    #[test]
    fn ending_early_changes_nothing(weights in prop::collection::vec(-3.0f32..3.0, 140)) {
        let found = |n_best| {
            let options = SearchOptions { n_best, max_length: 6, ..options(5) };
            let mut table = Table::new(&weights, 2);
            let found = search(&mut table, grids(2).view(), &options).unwrap();
            (found, table.steps)
        };
        let (all, most_steps) = found(5);
        for n_best in 1..5 {
            let (best, steps) = found(n_best);
            prop_assert!(steps <= most_steps);
            for (best, all) in best.iter().zip(&all) {
                prop_assert_eq!(best.as_slice(), &all[..n_best.min(all.len())]);
            }
        }
    }

    /// With weights that are often equal, in any batch: the rules for ties.
    #[test]
    fn ties_are_decided(weights in prop::collection::vec(0..2_u8, 140)) {
        let weights = weights.into_iter().map(f32::from).collect::<Vec<_>>();
        let mut table = Table::new(&weights, 2);
        let found = search(&mut table, grids(2).view(), &options(4)).unwrap();
        for (image, found) in found.iter().enumerate() {
            let words = found.iter().map(|of| (of.words.clone(), of.finished)).collect::<Vec<_>>();
            prop_assert_eq!(words, by_the_rules(&table, image, &options(4)));
        }
        let alone = search(&mut Table::new(&weights[70..], 1), grids(1).view(), &options(4)).unwrap();
        prop_assert_eq!(&found[1], &alone[0]);
    }

    #[test]
    fn captions_are_as_they_are_asked_for(
        weights in prop::collection::vec(-3.0f32..3.0, 70),
        min_length in 0..4_usize,
        no_repeat_ngram in 1..3_usize,
    ) {
        let options = SearchOptions {
            min_length,
            no_repeat_ngram,
            double_words: false,
            max_length: 8,
            ..options(4)
        };
        let found = search(&mut Table::new(&weights, 1), grids(1).view(), &options).unwrap();
        prop_assert!(!found[0].is_empty());
        for Hypothesis { words, finished, .. } in &found[0] {
            prop_assert!(!finished || words.len() >= min_length);
            prop_assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
            let mut ngrams = words.windows(no_repeat_ngram).collect::<Vec<_>>();
            let all = ngrams.len();
            ngrams.sort();
            ngrams.dedup();
            prop_assert_eq!(ngrams.len(), all);
        }
    }

    #[test]
    fn a_batch_gives_what_each_image_gives_alone(weights in prop::collection::vec(-3.0f32..3.0, 210)) {
        let mut together = Table::new(&weights, 3);
        let found = search(&mut together, grids(3).view(), &options(3)).unwrap();
        for (image, part) in weights.chunks_exact(70).enumerate() {
            let alone = search(&mut Table::new(part, 1), grids(1).view(), &options(3)).unwrap();
            prop_assert_eq!(&found[image], &alone[0]);
        }
    }
}

#[test]
fn words_probabilities_and_attention_belong_together() {
    let weights = (0..70).map(|at| ((at * 37) % 23) as f32 / 7.0).collect::<Vec<_>>();
    let mut table = Table::new(&weights, 1);
    let found = search(&mut table, grids(1).view(), &options(3)).unwrap();
    assert!(!found[0].is_empty());
    for hypothesis in &found[0] {
        let (mut history, mut expected) = (vec![START], Vec::new());
        for (&word, log_probability) in
            hypothesis.words.iter().zip(&hypothesis.word_log_probabilities)
        {
            assert!((table.row(0, &history)[word as usize] - log_probability).abs() < 1e-5);
            expected.push(attention(&history));
            history.push(word);
        }
        let end = if hypothesis.finished { table.row(0, &history)[END as usize] } else { 0.0 };
        let total = hypothesis.word_log_probabilities.iter().sum::<f32>() + end;
        assert!((total - hypothesis.log_probability).abs() < 1e-4);
        assert_eq!(
            hypothesis.attention,
            Array2::from_shape_vec([history.len() - 1, 1], expected).unwrap()
        );
    }
    assert!(search(&mut table, grids(0).view(), &options(3)).unwrap().is_empty());
}
