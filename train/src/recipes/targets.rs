//! The words that a batch predicts. Shapes: R rows, one per predicted word; K words of a soft target.

use tch::{Device, Tensor};

use crate::dataset::Caption;
use crate::tensor::upload_lists;

/// The words to predict.
#[derive(Debug)]
pub(super) struct Targets {
    /// `[R]`.
    pub(super) words: Tensor,
    /// The weight of each row: `[R]`.
    pub(super) weights: Tensor,
    /// The probable words of each row and their probabilities, `[R, K]` each, if a caption of the batch has soft targets.
    pub(super) soft: Option<(Tensor, Tensor)>,
}

/// The rows of [`Targets`] while they are collected.
#[derive(Debug, Default)]
pub(super) struct TargetRows {
    words: Vec<i64>,
    weights: Vec<f32>,
    /// K; 0 without soft targets.
    width: usize,
    soft_words: Vec<i64>,
    probabilities: Vec<f32>,
}

impl TargetRows {
    /// Rows of some of these captions.
    pub(super) fn new<'a>(captions: impl IntoIterator<Item = &'a Caption>) -> Self {
        let width = |caption: &Caption| caption.soft.as_ref().map_or(0, |soft| soft.width());
        let width = captions.into_iter().map(width).max().unwrap_or(0);
        Self { width, ..Self::default() }
    }

    /// Adds the word of a caption at `step`.
    pub(super) fn push(&mut self, caption: &Caption, step: usize) {
        let word = i64::from(caption.words[step]);
        self.words.push(word);
        self.weights.push(caption.weight.unwrap_or(1.0));
        let begin = self.soft_words.len();
        match &caption.soft {
            Some(soft) => {
                for (word, probability) in soft.step(step) {
                    self.soft_words.push(i64::from(word));
                    self.probabilities.push(probability);
                }
            }
            None if self.width > 0 => {
                self.soft_words.push(word);
                self.probabilities.push(1.0);
            }
            None => {}
        }
        self.soft_words.resize(begin + self.width, word);
        self.probabilities.resize(begin + self.width, 0.0);
    }

    pub(super) fn into_targets(self, device: Device) -> Targets {
        let size = [self.words.len() as i64, self.width as i64];
        let [words, soft_words] = upload_lists([&self.words, &self.soft_words], device);
        let [weights, probabilities] = upload_lists([&self.weights, &self.probabilities], device);
        let soft = (self.width > 0).then(|| (soft_words.view(size), probabilities.view(size)));
        Targets { words, weights, soft }
    }
}
