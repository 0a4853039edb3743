//! Caption scores that equal those of the reference scorer (pycocoevalcap 1.2).
//!
//! Scores are fractions; they are printed times 100.

mod bleu;
pub mod bootstrap;
mod cider;
mod frequencies;
pub mod meteor;
mod ngrams;
pub mod objects;
mod rouge;
pub mod statistics;

use std::iter::Sum;
use std::ops::AddAssign;

use serde::{Serialize, Serializer};

use bleu::BleuCounts;
use ngrams::Corpus;

pub use cider::{CaptionReward, Consensus};
pub use frequencies::DocumentFrequencies;

/// The tokenizer and the metrics, printed with the scores.
pub const PROTOCOL: &str = "Penn Treebank tokens of CoreNLP 3.4.1, lower case, without punctuation; \
                            BLEU, ROUGE-L and CIDEr-D as pycocoevalcap 1.2 counts them";

/// The names of the scores, in order. `CIDEr` is CIDEr-D times 10, as in the reference scorer.
pub const NAMES: [&str; 6] = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"];

/// One image to score.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// The tokens of each reference caption; at least one.
    pub references: Vec<Vec<String>>,
    /// The tokens of the caption to score.
    pub hypothesis: Vec<String>,
}

/// Scores by name, see [`NAMES`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Scores(pub [f64; NAMES.len()]);

impl Scores {
    /// Names and scores, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, f64)> {
        NAMES.into_iter().zip(self.0)
    }

    /// The mean of scores by their weights; 0 without any.
    #[must_use]
    pub fn weighted_mean(weighted: impl IntoIterator<Item = (Self, f64)>) -> Self {
        let (mut sum, mut weights) = (Self::default(), 0.0);
        for (scores, weight) in weighted {
            weights += weight;
            for (sum, score) in sum.0.iter_mut().zip(scores.0) {
                *sum += weight * score;
            }
        }
        if weights > 0.0 { Self(sum.0.map(|score| score / weights)) } else { sum }
    }

    /// BLEU-4.
    #[must_use]
    pub fn bleu_4(&self) -> f64 {
        self.0[3]
    }

    /// CIDEr.
    #[must_use]
    pub fn cider(&self) -> f64 {
        self.0[5]
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// The contributions of images to the scores: of one image, or added up over a set. BLEU is computed from summed
/// counts, the other scores are means.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    images: usize,
    bleu: BleuCounts,
    rouge_l: f64,
    cider: f64,
}

impl Sums {
    /// The scores of the images added so far; 0 without any.
    #[must_use]
    pub fn scores(&self) -> Scores {
        let images = self.images.max(1) as f64;
        let [bleu_1, bleu_2, bleu_3, bleu_4] = self.bleu.scores();
        Scores([bleu_1, bleu_2, bleu_3, bleu_4, self.rouge_l / images, self.cider / images])
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.images += other.images;
        self.bleu += other.bleu;
        self.rouge_l += other.rouge_l;
        self.cider += other.cider;
    }
}

impl Sum for Sums {
    fn sum<I: Iterator<Item = Self>>(images: I) -> Self {
        images.fold(Self::default(), |mut sums, image| {
            sums += image;
            sums
        })
    }
}

/// Scores images; returns the contribution of each. CIDEr-D uses the document frequencies of the references, unless
/// others are given, so the CIDEr of an image depends on the set in which it is scored.
#[must_use]
pub fn score(items: &[Item], frequencies: Option<&DocumentFrequencies>) -> Vec<Sums> {
    let corpus = Corpus::new(items);
    let cider = cider::per_image(&corpus, frequencies);
    let images = corpus.images.iter().zip(cider);
    images
        .map(|(image, cider)| Sums {
            images: 1,
            bleu: BleuCounts::new(image),
            rouge_l: rouge::rouge_l(image),
            cider,
        })
        .collect()
}
