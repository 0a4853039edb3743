//! Soft targets: the probabilities of the words of a caption.

use data::vocabulary::WordId;

/// For each word of a caption the most probable words, with probabilities that sum to one.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftTargets {
    /// K.
    width: usize,
    /// K words for each step.
    words: Vec<WordId>,
    /// Their probabilities.
    probabilities: Vec<f32>,
}

impl SoftTargets {
    /// Targets of `width` words a step; none if the numbers do not match.
    #[must_use]
    pub fn new(width: usize, words: Vec<WordId>, probabilities: Vec<f32>) -> Option<Self> {
        let matches =
            width > 0 && words.len() == probabilities.len() && words.len().is_multiple_of(width);
        matches.then_some(Self { width, words, probabilities })
    }

    /// K.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.words.len() / self.width
    }

    /// The probable words at a step, with their probabilities.
    pub(crate) fn step(&self, step: usize) -> impl Iterator<Item = (WordId, f32)> {
        let range = step * self.width..(step + 1) * self.width;
        let words = self.words[range.clone()].iter().copied();
        words.zip(self.probabilities[range].iter().copied())
    }

    /// All words, step after step.
    pub(super) fn words(&self) -> &[WordId] {
        &self.words
    }

    /// Their probabilities.
    pub(super) fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }
}
