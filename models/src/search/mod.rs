//! Beam search over any decoder, batched over images.
//!
//! The captions of a beam are in slots, in a fixed order. At each word a slot takes the best continuation of its own
//! caption and those of the slots before it that none of these took (Lemons, Linares López, Holte and Ruml: Beam Search:
//! Faster and Monotonic, ICAPS 2022). So the result of a slot does not depend on the number of slots after it: the first
//! one searches greedily, and a wider beam finds all captions of a narrower one, and more. A slot whose caption ends
//! keeps it and is closed.
//!
//! Captions share their beginnings: each word knows the word before it, and the words, probabilities and attention of a
//! caption are collected at the end, for those that are returned.

mod caption;
mod slots;
mod tree;
mod views;

use data::vocabulary::{START, WordId};
use ndarray::{Array2, ArrayView3, Axis};
use serde::{Deserialize, Serialize};

pub use self::caption::{Hypothesis, Support};
use self::slots::Slots;
pub use self::views::search_views;

/// The input of a decoder step.
///
/// The rows of a step are `[images, beam]`, with the same number of beams for each image.
#[derive(Debug, Clone, Copy)]
pub struct Expansion<'a> {
    /// For each image still searched, its index among the images of the step before.
    pub images: &'a [usize],
    /// For each row, the row of the step before whose state it continues.
    pub parents: &'a [usize],
    /// For each row, the word that was chosen last.
    pub words: &'a [WordId],
}

/// The output of a decoder step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// `[rows, vocabulary]`.
    pub log_probabilities: Array2<f32>,
    /// `[rows, cells]`; each row sums to one.
    pub attention: Array2<f32>,
}

/// An autoregressive caption decoder.
pub trait Decoder {
    /// Its failures.
    type Error;

    /// Begins with grids `[images, cells, channels]`: one row for each image.
    ///
    /// # Errors
    /// If the network fails.
    fn start(&mut self, grids: ArrayView3<f32>) -> Result<(), Self::Error>;

    /// Computes one step of every row.
    ///
    /// # Errors
    /// If the network fails.
    fn step(&mut self, expansion: Expansion) -> Result<Step, Self::Error>;
}

/// Options of the search.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SearchOptions {
    /// Captions kept at each step; 1 is greedy search.
    pub beam: usize,
    /// Captions returned for each image, at most `beam`. The search ends when no other can be among them.
    #[serde(skip)]
    pub n_best: usize,
    /// The fewest words of a caption.
    pub min_length: usize,
    /// Maximum number of words of a caption.
    pub max_length: usize,
    /// Captions are compared by log-probability / length^exponent, the end counted as a word.
    pub length_exponent: f32,
    /// Size of the n-grams that a caption may not repeat; 0 for no limit.
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

    /// Captions to return.
    fn wanted(&self) -> usize {
        self.n_best.clamp(1, self.slots())
    }
}

/// Searches the captions of grids `[images, cells, channels]`. Returns for each image at most `n_best` of them, finished
/// ones first, the best first. Ties go to the caption that was found first, and in the same step to the earlier slot and
/// word.
///
/// # Errors
/// Those of the decoder.
pub fn search<D: Decoder>(
    decoder: &mut D,
    grids: ArrayView3<f32>,
    options: &SearchOptions,
) -> Result<Vec<Vec<Hypothesis>>, D::Error> {
    run(decoder, grids.len_of(Axis(0)), options, |decoder| decoder.start(grids))
}

/// Searches the captions of images, with which `start` begins.
fn run<D: Decoder>(
    decoder: &mut D,
    images: usize,
    options: &SearchOptions,
    start: impl FnOnce(&mut D) -> Result<(), D::Error>,
) -> Result<Vec<Vec<Hypothesis>>, D::Error> {
    let mut searches = (0..images).map(|_| Slots::new(options)).collect::<Vec<_>>();
    if images > 0 {
        start(decoder)?;
    }
    let mut active =
        ActiveImages { images: (0..images).collect(), survivors: (0..images).collect(), width: 1 };
    // The attention of each step, `[rows, cells]`.
    let mut attention = Vec::new();
    for _ in 0..options.max_length {
        if active.images.is_empty() {
            break;
        }
        let step = active.step(decoder, &searches)?;
        let rows = step.log_probabilities.axis_chunks_iter(Axis(0), active.width);
        for ((at, &image), rows) in active.images.iter().enumerate().zip(rows) {
            searches[image].advance(rows, at * active.width);
        }
        attention.push(step.attention);
        active.retire(&searches);
    }
    Ok(searches.into_iter().map(|search| search.into_hypotheses(&attention)).collect())
}

/// The images that are still searched.
struct ActiveImages {
    images: Vec<usize>,
    /// Their indices among those of the step before.
    survivors: Vec<usize>,
    /// Rows of each image.
    width: usize,
}

impl ActiveImages {
    /// Takes one step of all searches.
    fn step<D: Decoder>(&mut self, decoder: &mut D, searches: &[Slots]) -> Result<Step, D::Error> {
        let rows = self.images.iter().map(|&image| searches[image].rows());
        let width = rows.max().unwrap_or(1);
        let mut parents = Vec::with_capacity(self.images.len() * width);
        let mut words = Vec::with_capacity(self.images.len() * width);
        for (&image, &before) in self.images.iter().zip(&self.survivors) {
            for (parent, word) in searches[image].padded(width) {
                parents.push(before * self.width + parent);
                words.push(word.unwrap_or(START));
            }
        }
        self.width = width;
        let expansion = Expansion { images: &self.survivors, parents: &parents, words: &words };
        decoder.step(expansion)
    }

    /// Removes the images whose search is over.
    fn retire(&mut self, searches: &[Slots]) {
        let is_open = |&at: &usize| !searches[self.images[at]].is_done();
        self.survivors = (0..self.images.len()).filter(is_open).collect();
        self.images = self.survivors.iter().map(|&at| self.images[at]).collect();
    }
}
