//! Beam search over any decoder, batched over images.
//!
//! The captions of a beam stand in slots, in order. At each word a slot takes the best continuation of
//! its own caption and those of the slots before it that none of these took (Lemons, Linares López, Holte
//! and Ruml: Beam Search: Faster and Monotonic, ICAPS 2022). So what a slot finds does not depend on how
//! many come after it: the first one searches greedily, and a wider beam finds all that a narrower one
//! finds, and more. A slot whose caption ends keeps it and is closed.

mod caption;
mod slots;

use data::vocabulary::{START, WordId};
use serde::{Deserialize, Serialize};

pub use self::caption::Hypothesis;
use self::slots::Slots;

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
#[serde(default)]
pub struct SearchOptions {
    /// Captions kept at each step; 1 is greedy search.
    pub beam: usize,
    /// Captions given of each image, at most `beam`. The search ends when no other can be among them.
    #[serde(skip)]
    pub n_best: usize,
    /// The fewest words of a caption.
    pub min_length: usize,
    /// The most words of a caption.
    pub max_length: usize,
    /// Captions are compared by log-probability / length^exponent, the end counted as a word.
    pub length_exponent: f32,
    /// No so many words in a row are said twice in a caption; 0 lets everything be said.
    pub no_repeat_ngram: usize,
    /// Whether a word may follow itself.
    pub double_words: bool,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            beam: 4,
            n_best: 1,
            min_length: 1,
            max_length: 24,
            length_exponent: 0.7,
            no_repeat_ngram: 0,
            double_words: true,
        }
    }
}

impl SearchOptions {
    /// Slots of a beam.
    fn slots(&self) -> usize {
        self.beam.max(1)
    }

    /// Captions that are asked for.
    fn wanted(&self) -> usize {
        self.n_best.clamp(1, self.slots())
    }
}

/// Searches the captions of `images` grids; for each image at most `n_best` of them, the finished
/// ones first, the best first. Ties go to the caption that was found first, and in the same step to the
/// earlier slot and word.
pub fn search<D: Decoder>(
    decoder: &mut D,
    grids: &[f32],
    images: usize,
    options: &SearchOptions,
) -> Result<Vec<Vec<Hypothesis>>, D::Error> {
    let mut searches = (0..images).map(|_| Slots::new(options)).collect::<Vec<_>>();
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
        let next_width = active.iter().map(|&image| searches[image].rows()).max().unwrap_or(1);
        let mut parents = Vec::with_capacity(active.len() * next_width);
        let mut words = Vec::with_capacity(active.len() * next_width);
        for (&image, &before) in active.iter().zip(&survivors) {
            for (parent, word) in searches[image].padded(next_width) {
                parents.push(before * width + parent);
                words.push(word.unwrap_or(START));
            }
        }
        let step =
            decoder.step(Expansion { images: &survivors, parents: &parents, words: &words })?;
        width = next_width;
        let rows = active.len() * width;
        let per_image = |values: &[f32]| (values.len() / rows * width).max(1);
        let log_probabilities =
            step.log_probabilities.chunks_exact(per_image(&step.log_probabilities));
        let attention = step.attention.chunks_exact(per_image(&step.attention));
        for ((&image, log_probabilities), attention) in
            active.iter().zip(log_probabilities).zip(attention)
        {
            searches[image].advance(log_probabilities, attention, width);
        }
        survivors = (0..active.len()).filter(|&at| !searches[active[at]].is_done()).collect();
        active = survivors.iter().map(|&at| active[at]).collect();
    }
    Ok(searches.into_iter().map(Slots::into_hypotheses).collect())
}
