//! Beam search over any decoder, batched over images.

use std::cmp::Ordering;

use data::vocabulary::{END, START, UNSAID, WordId};
use serde::{Deserialize, Serialize};

/// What a decoder is asked in one step.
///
/// The rows of a step are images × beams, the same number of beams for each image.
#[derive(Debug, Clone, Copy)]
pub struct Expansion<'a> {
    /// For each image still searched, its place among the images of the step before.
    pub images: &'a [usize],
    /// For each row, the row of the step before whose state it goes on from.
    pub parents: &'a [usize],
    /// For each row, the word that was chosen last.
    pub words: &'a [WordId],
}

/// What a decoder answers.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Rows × vocabulary.
    pub log_probabilities: Vec<f32>,
    /// Rows × cells; each row sums to one.
    pub attention: Vec<f32>,
}

/// A network that says captions word by word.
pub trait Decoder {
    /// Why it may fail.
    type Error;

    /// Begins with the grids of `images` images (images × cells × channels): one row each.
    fn start(&mut self, grids: &[f32], images: usize) -> Result<(), Self::Error>;

    /// Takes one step for every row.
    fn step(&mut self, expansion: Expansion) -> Result<Step, Self::Error>;
}

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SearchOptions {
    /// Captions kept at each step; 1 is greedy search.
    pub beam: usize,
    /// The most words of a caption.
    pub max_length: usize,
    /// Captions are compared by log-probability / length^exponent, the end counted as a word.
    pub length_exponent: f32,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { beam: 3, max_length: 24, length_exponent: 0.7 }
    }
}

/// A caption that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Its words, without start and end.
    pub words: Vec<WordId>,
    /// The log-probability of each word.
    pub word_log_probabilities: Vec<f32>,
    /// Where the network looked for each word: a weight for each cell.
    pub attention: Vec<Vec<f32>>,
    /// The log-probability of the whole caption, its end included if it has one.
    pub log_probability: f32,
    /// By what captions are compared.
    pub score: f32,
    /// Whether the network said that the caption is over.
    pub finished: bool,
}

/// Searches the captions of `images` grids; for each image at most `beam` of them, the finished
/// ones first, the best first.
pub fn search<D: Decoder>(
    decoder: &mut D,
    grids: &[f32],
    images: usize,
    options: &SearchOptions,
) -> Result<Vec<Vec<Hypothesis>>, D::Error> {
    let mut searches = vec![ImageSearch::new(options.beam.max(1)); images];
    let mut active = (0..images).collect::<Vec<_>>();
    if images > 0 {
        decoder.start(grids, images)?;
    }
    let mut survivors = active.clone();
    let mut width = 1;
    for _ in 0..options.max_length {
        if active.is_empty() {
            break;
        }
        let next_width = active.iter().map(|&image| searches[image].live.len()).max().unwrap_or(1);
        let mut parents = Vec::with_capacity(active.len() * next_width);
        let mut words = Vec::with_capacity(active.len() * next_width);
        for (&image, &before) in active.iter().zip(&survivors) {
            for beam in searches[image].padded(next_width) {
                parents.push(before * width + beam.parent);
                words.push(beam.words.last().copied().unwrap_or(START));
            }
        }
        let step =
            decoder.step(Expansion { images: &survivors, parents: &parents, words: &words })?;
        width = next_width;
        let rows = active.len() * width;
        let (vocabulary, cells) =
            (step.log_probabilities.len() / rows, step.attention.len() / rows);
        for (at, &image) in active.iter().enumerate() {
            let part = |values: &[f32], each: usize| {
                values[at * width * each..(at + 1) * width * each].to_vec()
            };
            let (scores, attention) =
                (part(&step.log_probabilities, vocabulary), part(&step.attention, cells));
            searches[image].advance(&scores, &attention, vocabulary, options);
        }
        survivors = (0..active.len()).filter(|&at| !searches[active[at]].is_done()).collect();
        active = survivors.iter().map(|&at| active[at]).collect();
    }
    Ok(searches.into_iter().map(|search| search.into_hypotheses(options)).collect())
}

/// A caption that is not over.
#[derive(Debug, Clone, Default)]
struct Beam {
    /// Its row within the image in the step before.
    parent: usize,
    words: Vec<WordId>,
    word_log_probabilities: Vec<f32>,
    attention: Vec<Vec<f32>>,
    log_probability: f32,
}

#[derive(Debug, Clone)]
struct ImageSearch {
    width: usize,
    live: Vec<Beam>,
    finished: Vec<Hypothesis>,
}

struct Candidate {
    beam: usize,
    word: WordId,
    word_log_probability: f32,
    log_probability: f32,
}

impl ImageSearch {
    fn new(width: usize) -> Self {
        Self { width, live: vec![Beam::default()], finished: Vec::new() }
    }

    /// The live beams, the first one repeated up to `width`: all images have the same number of rows.
    fn padded(&self, width: usize) -> impl Iterator<Item = &Beam> {
        self.live.iter().chain(self.live.iter().take(1).cycle()).take(width)
    }

    fn is_done(&self) -> bool {
        self.finished.len() >= self.width || self.live.is_empty()
    }

    /// Goes one word further: the best candidates go on, those among the first `width` that end
    /// are finished.
    fn advance(
        &mut self,
        log_probabilities: &[f32],
        attention: &[f32],
        vocabulary: usize,
        options: &SearchOptions,
    ) {
        let mut live = Vec::with_capacity(self.width);
        let candidates = self.candidates(log_probabilities, vocabulary);
        let cells = attention.len() / (log_probabilities.len() / vocabulary);
        for (rank, candidate) in candidates.iter().enumerate() {
            let beam = &self.live[candidate.beam];
            if candidate.word == END {
                if rank < self.width {
                    self.finished.push(beam.end(candidate.log_probability, options));
                }
            } else if live.len() < self.width {
                let looked = &attention[candidate.beam * cells..(candidate.beam + 1) * cells];
                live.push(beam.extend(candidate, looked));
            }
        }
        self.live = live;
    }

    /// The best `2 × width` continuations, the best first; ties go to the earlier beam and word.
    fn candidates(&self, log_probabilities: &[f32], vocabulary: usize) -> Vec<Candidate> {
        let rows = self.live.iter().zip(log_probabilities.chunks_exact(vocabulary)).enumerate();
        let mut candidates = rows
            .flat_map(|(beam, (so_far, row))| {
                (0..).zip(row).filter(|(word, _)| !UNSAID.contains(word)).map(
                    move |(word, &word_log_probability)| Candidate {
                        beam,
                        word,
                        word_log_probability,
                        log_probability: so_far.log_probability + word_log_probability,
                    },
                )
            })
            .collect::<Vec<_>>();
        let best_first = |a: &Candidate, b: &Candidate| -> Ordering {
            b.log_probability
                .total_cmp(&a.log_probability)
                .then_with(|| (a.beam, a.word).cmp(&(b.beam, b.word)))
        };
        let kept = (2 * self.width).min(candidates.len());
        if kept < candidates.len() {
            candidates.select_nth_unstable_by(kept, best_first);
            candidates.truncate(kept);
        }
        candidates.sort_unstable_by(best_first);
        candidates
    }

    fn into_hypotheses(mut self, options: &SearchOptions) -> Vec<Hypothesis> {
        let unfinished = self.live.iter().map(|beam| beam.cut_off(options));
        let mut hypotheses = std::mem::take(&mut self.finished);
        hypotheses.extend(unfinished);
        hypotheses.sort_by(|a, b| b.finished.cmp(&a.finished).then(b.score.total_cmp(&a.score)));
        hypotheses.truncate(self.width);
        hypotheses
    }
}

impl Beam {
    fn extend(&self, candidate: &Candidate, attention: &[f32]) -> Self {
        let mut next = self.clone();
        next.parent = candidate.beam;
        next.words.push(candidate.word);
        next.word_log_probabilities.push(candidate.word_log_probability);
        next.attention.push(attention.to_vec());
        next.log_probability = candidate.log_probability;
        next
    }

    fn end(&self, log_probability: f32, options: &SearchOptions) -> Hypothesis {
        self.hypothesis(log_probability, self.words.len() + 1, true, options)
    }

    fn cut_off(&self, options: &SearchOptions) -> Hypothesis {
        self.hypothesis(self.log_probability, self.words.len().max(1), false, options)
    }

    fn hypothesis(
        &self,
        log_probability: f32,
        length: usize,
        finished: bool,
        options: &SearchOptions,
    ) -> Hypothesis {
        Hypothesis {
            words: self.words.clone(),
            word_log_probabilities: self.word_log_probabilities.clone(),
            attention: self.attention.clone(),
            log_probability,
            score: log_probability / (length as f32).powf(options.length_exponent),
            finished,
        }
    }
}
