//! BLEU (Papineni et al., ACL 2002), with the reference scorer's smoothing constants.

use std::ops::AddAssign;

use super::ngrams::{CountedImage, MAX_N};

/// Smoothing: a zero count does not make the product zero.
const TINY: f64 = 1e-15;
/// Smoothing: no division by a zero total.
const SMALL: f64 = 1e-9;

/// The counts of BLEU, of one image or summed over several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct BleuCounts {
    /// n-grams of the hypothesis that also occur in a reference, clipped, for each n.
    matched: [u64; MAX_N],
    /// All n-grams of the hypothesis, for each n.
    guessed: [u64; MAX_N],
    hypothesis_length: u64,
    /// The length of the reference that is closest in length; in a tie, of the shorter one.
    reference_length: u64,
}

impl BleuCounts {
    pub(super) fn new(image: &CountedImage) -> Self {
        let hypothesis = &image.hypothesis;
        let length = hypothesis.words.len();
        let most =
            |at, ngram| image.references.iter().map(|reference| reference.count(at, ngram)).max();
        let matched = std::array::from_fn(|at| {
            let counts = hypothesis.counts[at].iter();
            counts.map(|&(ngram, count)| u64::from(count.min(most(at, ngram).unwrap_or(0)))).sum()
        });
        let lengths = image.references.iter().map(|reference| reference.words.len());
        let closest = lengths.min_by_key(|other| (other.abs_diff(length), *other));
        Self {
            matched,
            guessed: std::array::from_fn(|at| length.saturating_sub(at) as u64),
            hypothesis_length: length as u64,
            reference_length: closest.unwrap_or(0) as u64,
        }
    }

    /// BLEU-1 to BLEU-4.
    pub(super) fn scores(&self) -> [f64; MAX_N] {
        let ratio = (self.hypothesis_length as f64 + TINY) / (self.reference_length as f64 + SMALL);
        let brevity = if ratio < 1.0 { (1.0 - 1.0 / ratio).exp() } else { 1.0 };
        let mut product = 1.0;
        std::array::from_fn(|at| {
            product *= (self.matched[at] as f64 + TINY) / (self.guessed[at] as f64 + SMALL);
            product.powf(1.0 / (at as f64 + 1.0)) * brevity
        })
    }
}

impl AddAssign for BleuCounts {
    fn add_assign(&mut self, other: Self) {
        for at in 0..MAX_N {
            self.matched[at] += other.matched[at];
            self.guessed[at] += other.guessed[at];
        }
        self.hypothesis_length += other.hypothesis_length;
        self.reference_length += other.reference_length;
    }
}
