//! Caption scores, counted as the reference scorer counts them (pycocoevalcap 1.2).
//!
//! All scores are fractions over tokenised captions; multiply by 100 to print them.

mod bleu;
mod cider;
mod ngrams;

pub use bleu::bleu;
pub use cider::{cider, cider_per_image};

/// One image to score.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Item {
    /// The tokens of each reference caption; at least one.
    pub references: Vec<Vec<String>>,
    /// The tokens of the caption to score.
    pub hypothesis: Vec<String>,
}
