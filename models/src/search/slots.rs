//! The search of one image.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use data::vocabulary::{END, WordId};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

use super::SearchOptions;
use super::caption::{Beam, Ended, Hypothesis, NextWord};
use super::tree::Tree;

/// Number of words whose log-probabilities are compared at once.
const PART: usize = 64;

/// The open slots of a beam, sorted, and the captions that ended.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    options: &'a SearchOptions,
    /// The caption in each open slot; none where no continuation was left to take.
    open: Vec<Option<Beam>>,
    finished: Vec<Ended>,
    tree: Tree,
}

/// A caption with one more word.
#[derive(Debug, PartialEq)]
struct Candidate {
    /// The row of the caption.
    row: usize,
    word: WordId,
    word_log_probability: f32,
    /// Of the caption with the word.
    log_probability: f32,
}

impl<'a> Slots<'a> {
    pub(super) fn new(options: &'a SearchOptions) -> Self {
        let mut open = vec![None; options.slots()];
        open[0] = Some(Beam::default());
        Self { options, open, finished: Vec::new(), tree: Tree::default() }
    }

    /// Number of captions that continue.
    pub(super) fn rows(&self) -> usize {
        self.open.iter().flatten().count()
    }

    /// For each caption that continues its row in the step before and its last word, the first one repeated up to
    /// `width`: all images of a batch have the same number of rows.
    pub(super) fn padded(
        &self,
        width: usize,
    ) -> impl Iterator<Item = (usize, Option<WordId>)> + '_ {
        let open = || self.open.iter().flatten();
        let padded = open().chain(open().take(1).cycle()).take(width);
        padded.map(|beam| (beam.parent, beam.last_word(&self.tree)))
    }

    /// Whether the search is over: no caption continues, or none can be among the best.
    pub(super) fn is_done(&self) -> bool {
        let open = self.open.iter().flatten();
        let Some(bound) = open.map(|beam| beam.best_score(self.options)).reduce(f32::max) else {
            return true;
        };
        let as_good = self.finished.iter().filter(|of| of.score >= bound).count();
        as_good >= self.options.wanted()
    }

    /// Takes the next words from the log-probabilities `[rows, vocabulary]` of this image, whose rows begin at
    /// `first_row` of the step.
    pub(super) fn advance(&mut self, log_probabilities: ArrayView2<f32>, first_row: usize) {
        let slots = std::mem::take(&mut self.open);
        let beams = slots.iter().flatten().copied().collect::<Vec<_>>();
        let mut words = beams.iter().zip(log_probabilities.outer_iter()).enumerate();
        let mut pool = BinaryHeap::new();
        for slot in &slots {
            if slot.is_some()
                && let Some((row, (beam, words))) = words.next()
            {
                pool.extend(self.continuations(row, beam, words, slots.len()));
            }
            let Some(Candidate { row, word, word_log_probability, .. }) = pool.pop() else {
                self.open.push(None);
                continue;
            };
            if word == END {
                self.finished.push(beams[row].end(word_log_probability, self.options));
            } else {
                let (log_probability, step_row) = (word_log_probability, first_row + row);
                let next = NextWord { word, log_probability, row, step_row };
                self.open.push(Some(beams[row].extend(&mut self.tree, next)));
            }
        }
    }

    /// The best `count` continuations of a caption, the best first.
    fn continuations(
        &self,
        row: usize,
        beam: &Beam,
        log_probabilities: ArrayView1<f32>,
        count: usize,
    ) -> Vec<Candidate> {
        let excluded = beam.excluded(&self.tree, self.options);
        let mut best = Vec::<Candidate>::with_capacity(count + 1);
        for (part, words) in log_probabilities.axis_chunks_iter(Axis(0), PART).enumerate() {
            // Most parts have no word among the best, which a plain comparison of numbers tells.
            let worst = best.get(count - 1).map_or(f32::NEG_INFINITY, |of| of.log_probability);
            let is_worse = |word: &f32| beam.log_probability + word < worst;
            if words.iter().fold(true, |all, word| all & is_worse(word)) {
                continue;
            }
            for (word, &word_log_probability) in ((part * PART) as WordId..).zip(words) {
                let log_probability = beam.log_probability + word_log_probability;
                let candidate = Candidate { row, word, word_log_probability, log_probability };
                let is_among_best = best.get(count - 1).is_none_or(|worst| candidate > *worst);
                if is_among_best && !excluded.contains(&word) {
                    let at = best.partition_point(|better| *better > candidate);
                    best.insert(at, candidate);
                    best.truncate(count);
                }
            }
        }
        best
    }

    /// The captions, the best first. `attention` holds that of each step, `[rows, cells]`.
    pub(super) fn into_hypotheses(self, attention: &[Array2<f32>]) -> Vec<Hypothesis> {
        let Self { options, open, finished: mut found, tree } = self;
        found.extend(open.into_iter().flatten().map(|beam| beam.truncate(options)));
        found.sort_by(|a, b| b.finished.cmp(&a.finished).then(b.score.total_cmp(&a.score)));
        found.truncate(options.wanted());
        found.iter().map(|ended| ended.hypothesis(&tree, attention)).collect()
    }
}

/// The better one is the greater; in a tie the one of the earlier caption and word.
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_place = || (other.row, other.word).cmp(&(self.row, self.word));
        self.log_probability.total_cmp(&other.log_probability).then_with(by_place)
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for Candidate {}

#[cfg(test)]
mod tests {
    use ndarray::Array1;
    use rand::seq::SliceRandom as _;
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Skipped parts of the vocabulary change nothing, with ties and impossible words as well.
    #[test]
    fn continuations_are_those_of_a_sorted_vocabulary() {
        let options = SearchOptions::default();
        let slots = Slots::new(&options);
        let mut beam = Beam::default();
        beam.log_probability = -1.5;
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for words in [5, PART, 3 * PART + 1, 3000] {
            let mut values = (0..words).map(|at| -((at % 97) as f32) / 7.0).collect::<Vec<_>>();
            values.shuffle(&mut random);
            for _ in 0..words / 3 {
                let at = random.random_range(0..words);
                values[at] = f32::NEG_INFINITY;
            }
            let values = Array1::from(values);
            let excluded = beam.excluded(&slots.tree, &options);
            let candidate = |(word, &value): (WordId, &f32)| Candidate {
                row: 2,
                word,
                word_log_probability: value,
                log_probability: beam.log_probability + value,
            };
            let all = (0..).zip(&values).filter(|(word, _)| !excluded.contains(word));
            let mut expected = all.map(candidate).collect::<Vec<_>>();
            expected.sort_by(|a, b| b.cmp(a));
            for count in [1, 4, 10] {
                let found = slots.continuations(2, &beam, values.view(), count);
                assert_eq!(found[..], expected[..count.min(expected.len())]);
            }
        }
    }
}
