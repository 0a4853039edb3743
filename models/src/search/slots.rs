//! The search of one image.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use data::vocabulary::{END, WordId};

use super::SearchOptions;
use super::caption::{Beam, Hypothesis};

/// The slots of a beam that are open, in order, and what the closed ones found.
#[derive(Debug)]
pub(super) struct Slots<'a> {
    options: &'a SearchOptions,
    /// The caption in each open slot; none where no continuation was left to take.
    open: Vec<Option<Beam>>,
    finished: Vec<Hypothesis>,
}

/// A caption with one more word.
#[derive(Debug, PartialEq)]
struct Candidate {
    /// The row of the caption.
    row: usize,
    word: WordId,
    /// Of the word.
    word_log_probability: f32,
    /// Of the caption with it.
    log_probability: f32,
}

impl<'a> Slots<'a> {
    pub(super) fn new(options: &'a SearchOptions) -> Self {
        let mut open = vec![None; options.slots()];
        open[0] = Some(Beam::default());
        Self { options, open, finished: Vec::new() }
    }

    /// How many captions go on.
    pub(super) fn rows(&self) -> usize {
        self.open.iter().flatten().count()
    }

    /// For each caption that goes on its row in the step before and its last word, the first one repeated
    /// up to `width`: all images of a batch have the same number of rows.
    pub(super) fn padded(
        &self,
        width: usize,
    ) -> impl Iterator<Item = (usize, Option<WordId>)> + '_ {
        let live = || self.open.iter().flatten();
        let padded = live().chain(live().take(1).cycle()).take(width);
        padded.map(|beam| (beam.parent, beam.last_word()))
    }

    /// Whether the search is over: no caption goes on, or none could be among the best.
    pub(super) fn is_done(&self) -> bool {
        let live = self.open.iter().flatten();
        let could_come = live.map(|beam| beam.best_score(self.options)).reduce(f32::max);
        let Some(could_come) = could_come else { return true };
        let as_good = self.finished.iter().filter(|of| of.score >= could_come).count();
        as_good >= self.options.wanted()
    }

    /// Goes one word further, with the decoder's answer for `rows` rows of this image.
    pub(super) fn advance(&mut self, log_probabilities: &[f32], attention: &[f32], rows: usize) {
        let slots = std::mem::take(&mut self.open);
        let live = slots.iter().flatten().collect::<Vec<_>>();
        let words = log_probabilities.chunks_exact((log_probabilities.len() / rows).max(1));
        let mut looked =
            attention.chunks_exact((attention.len() / rows).max(1)).collect::<Vec<_>>();
        looked.resize(rows, &[]);
        let mut words = live.iter().zip(words).enumerate();
        let mut pool = BinaryHeap::new();
        for slot in &slots {
            if slot.is_some()
                && let Some((row, (beam, words))) = words.next()
            {
                pool.extend(self.continuations(row, beam, words, slots.len()));
            }
            match pool.pop() {
                Some(Candidate { row, word: END, word_log_probability, .. }) => {
                    self.finished.push(live[row].end(word_log_probability, self.options));
                }
                taken => self.open.push(taken.map(
                    |Candidate { row, word, word_log_probability, .. }| {
                        live[row].extend(row, word, word_log_probability, looked[row])
                    },
                )),
            }
        }
    }

    /// The best `most` continuations of a caption, the best first.
    fn continuations(
        &self,
        row: usize,
        beam: &Beam,
        log_probabilities: &[f32],
        most: usize,
    ) -> Vec<Candidate> {
        let mut best = Vec::with_capacity(most + 1);
        for (word, &word_log_probability) in (0..).zip(log_probabilities) {
            let log_probability = beam.log_probability + word_log_probability;
            let candidate = Candidate { row, word, word_log_probability, log_probability };
            // Most words are not among the best: only those that are need a closer look.
            let is_among_best =
                best.len() < most || best.last().is_some_and(|last| candidate > *last);
            if is_among_best && beam.admits(word, self.options) {
                let at = best.partition_point(|better| *better > candidate);
                best.insert(at, candidate);
                best.truncate(most);
            }
        }
        best
    }

    pub(super) fn into_hypotheses(self) -> Vec<Hypothesis> {
        let Self { options, open, finished: mut found } = self;
        found.extend(open.into_iter().flatten().map(|beam| beam.cut_off(options)));
        found.sort_by(|a, b| b.finished.cmp(&a.finished).then(b.score.total_cmp(&a.score)));
        found.truncate(options.wanted());
        found
    }
}

/// The better is the greater; in a tie the one of the earlier caption and word.
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
