//! The cross-entropy of predicted words and its gradient, in one pass over the scores. As operations of libtorch,
//! normalization, likelihood, smoothing and their gradients are a dozen passes.
//!
//! Shapes: R rows, one per predicted word; V words; K words of a soft target.
#![expect(clippy::inline_always, reason = "see vectors.rs")]

use tch::{Device, Kind, Tensor};

use super::threads::run_all;
use super::values::{integers, values, values_mut};
use super::vectors::{Kernel, LANES, exp};

/// Number of rows that one kernel works on.
const BLOCK: usize = 256;
/// The score of an excluded word.
const EXCLUDED: f32 = -1e30;

/// The words to predict, and how their loss is computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WordLoss<'a> {
    /// `[R]`.
    pub(crate) words: &'a Tensor,
    /// The probable words of each row and their probabilities, `[R, K]` each, if they take the place of the word.
    pub(crate) soft: Option<&'a (Tensor, Tensor)>,
    /// The weight of each row in the sum: `[R]`.
    pub(crate) weights: &'a Tensor,
    /// The share of the loss that is spread over all words (Szegedy et al., arXiv 1512.00567).
    pub(crate) smoothing: f32,
    /// Words without probability.
    pub(crate) excluded: &'a [u32],
}

/// The loss of words, and its gradients.
#[derive(Debug)]
pub(crate) struct WordGradients {
    /// The weighted sum of the rows' losses.
    pub(crate) total: f64,
    /// The sum of the negative log-likelihoods of the words, without weights.
    pub(crate) likelihood: f64,
    /// Of the scores: `[R, V]`.
    pub(crate) scores: Tensor,
    /// Of the bias: `[V]`.
    pub(crate) bias: Tensor,
}

impl WordLoss<'_> {
    /// The loss for scores `[R, V]` to which a bias `[V]` is added. The gradients take the memory of the
    /// scores, whose values no other tensor may need.
    pub(crate) fn gradients(&self, mut scores: Tensor, bias: Option<&Tensor>) -> WordGradients {
        let (bias, weights) = (bias.map(values), values(self.weights));
        let (width, rows) = (scores.size()[1] as usize, weights.len());
        let blocks = rows.div_ceil(BLOCK);
        let size = [blocks as i64, width as i64];
        let mut by_bias = Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let mut sums = vec![[0.0; 2]; blocks];
        let parts = values_mut(&mut scores).chunks_mut((BLOCK * width).max(1));
        let parts = parts.zip(values_mut(&mut by_bias).chunks_mut(width.max(1))).zip(&mut sums);
        let block = |(number, ((scores, by_bias), sums))| {
            let rows = number * BLOCK..rows.min((number + 1) * BLOCK);
            Block { loss: Rows::new(self, weights, rows), bias, scores, by_bias, sums }
        };
        run_all(parts.enumerate().map(block).collect());
        let [total, likelihood] = [0, 1].map(|at| sums.iter().map(|sums| sums[at]).sum());
        let bias = by_bias.sum_dim_intlist(0, false, Kind::Float);
        WordGradients { total, likelihood, scores, bias }
    }
}

/// The targets of some rows.
struct Rows<'a> {
    words: &'a [i64],
    /// `[rows, K]` each.
    soft: Option<(&'a [i64], &'a [f32])>,
    weights: &'a [f32],
    smoothing: f32,
    excluded: &'a [u32],
}

/// The targets of a row: words with their probabilities.
#[derive(Clone, Copy)]
struct Row<'a> {
    word: usize,
    soft: Option<(&'a [i64], &'a [f32])>,
    weight: f32,
}

impl<'a> Rows<'a> {
    fn new(loss: &WordLoss<'a>, weights: &'a [f32], rows: std::ops::Range<usize>) -> Self {
        let soft = loss.soft.map(|(words, probabilities)| {
            let (words, probabilities) = (integers(words), values(probabilities));
            let count = words.len() / weights.len().max(1);
            let of_rows = rows.start * count..rows.end * count;
            (&words[of_rows.clone()], &probabilities[of_rows])
        });
        Self {
            words: &integers(loss.words)[rows.clone()],
            soft,
            weights: &weights[rows],
            smoothing: loss.smoothing,
            excluded: loss.excluded,
        }
    }

    /// The targets of a row.
    #[inline(always)]
    fn row(&self, at: usize) -> Row<'a> {
        let soft = self.soft.map(|(words, probabilities)| {
            let count = words.len() / self.words.len();
            (&words[at * count..][..count], &probabilities[at * count..][..count])
        });
        Row { word: self.words[at] as usize, soft, weight: self.weights[at] }
    }
}

impl Row<'_> {
    /// Calls `visit` with each target word and its probability.
    #[inline(always)]
    fn for_each(&self, mut visit: impl FnMut(usize, f32)) {
        match self.soft {
            None => visit(self.word, 1.0),
            Some((words, probabilities)) => {
                for (&word, &probability) in words.iter().zip(probabilities) {
                    visit(word as usize, probability);
                }
            }
        }
    }
}

/// The rows of a block.
struct Block<'a> {
    loss: Rows<'a>,
    /// `[V]`.
    bias: Option<&'a [f32]>,
    /// The scores, and then their gradients: `[rows, V]`.
    scores: &'a mut [f32],
    /// `[V]`.
    by_bias: &'a mut [f32],
    /// The total, and the likelihood.
    sums: &'a mut [f64; 2],
}

impl Kernel for Block<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { loss, bias, scores, by_bias, sums } = self;
        for (at, scores) in scores.chunks_exact_mut(by_bias.len()).enumerate() {
            let row = loss.row(at);
            if let Some(bias) = bias {
                scores.iter_mut().zip(bias).for_each(|(score, bias)| *score += bias);
            }
            let [total, likelihood] = differentiate(row, scores, &loss);
            by_bias.iter_mut().zip(&*scores).for_each(|(sum, score)| *sum += score);
            sums[0] += f64::from(row.weight * total);
            sums[1] += f64::from(likelihood);
        }
    }
}

/// Replaces the scores of a row by their gradients; returns its loss without the weight, and the negative log-likelihood of its
/// word.
#[inline(always)]
fn differentiate(row: Row, scores: &mut [f32], loss: &Rows) -> [f32; 2] {
    let excluded = || loss.excluded.iter().map(|&word| word as usize);
    let mut sum = sum_of(scores);
    for word in excluded() {
        sum -= scores[word];
        scores[word] = EXCLUDED;
    }
    let count = (scores.len() - loss.excluded.len()) as f32;
    let (mut expected, mut mass) = (0.0, 0.0);
    row.for_each(|word, probability| {
        expected += probability * scores[word];
        mass += probability;
    });
    let of_word = scores[row.word];
    let highest = highest_of(scores);
    let partition = exponentials(scores, highest);
    let logarithm = highest + partition.ln();

    let kept = 1.0 - loss.smoothing;
    let by_probability = row.weight * (kept * mass + loss.smoothing) / partition;
    let spread = row.weight * loss.smoothing / count;
    for score in scores.iter_mut() {
        *score = *score * by_probability - spread;
    }
    row.for_each(|word, probability| scores[word] -= row.weight * kept * probability);
    excluded().for_each(|word| scores[word] = 0.0);
    let likelihood = mass * logarithm - expected;
    // A score may be infinite if it has no share in the loss.
    let uniform = if loss.smoothing > 0.0 { logarithm - sum / count } else { 0.0 };
    [kept * likelihood + loss.smoothing * uniform, logarithm - of_word]
}

#[inline(always)]
fn sum_of(values: &[f32]) -> f32 {
    let (parts, rest) = values.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

#[inline(always)]
fn highest_of(values: &[f32]) -> f32 {
    let (parts, rest) = values.as_chunks::<LANES>();
    let mut highest = [f32::NEG_INFINITY; LANES];
    for part in parts {
        highest.iter_mut().zip(part).for_each(|(highest, value)| *highest = highest.max(*value));
    }
    highest.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}

/// Replaces values by the exponentials of their differences from the highest one, and returns their sum.
#[inline(always)]
fn exponentials(values: &mut [f32], highest: f32) -> f32 {
    let (parts, rest) = values.as_chunks_mut::<LANES>();
    let mut sums = [0.0f32; LANES];
    for part in parts {
        for (sum, value) in sums.iter_mut().zip(part) {
            *value = exp(*value - highest);
            *sum += *value;
        }
    }
    for value in rest.iter_mut() {
        *value = exp(*value - highest);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: i64 = 300;
    const WORDS: i64 = 37;

    /// The scores `[R, V]`, and the bias.
    fn scores() -> [Tensor; 2] {
        let normal = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu)) * 4.0;
        [normal(&[ROWS, WORDS]), normal(&[WORDS])].map(|tensor| tensor.set_requires_grad(true))
    }

    /// The weighted sum of losses as operations of libtorch, and the negative log-likelihood.
    fn expected(loss: &WordLoss, [scores, bias]: &[Tensor; 2]) -> [Tensor; 2] {
        let excluded = loss.excluded.iter().map(|&word| i64::from(word)).collect::<Vec<_>>();
        let excluded = Tensor::from_slice(&excluded);
        let masked = (scores + bias).index_fill(-1, &excluded, f64::from(EXCLUDED));
        let normalized = masked.log_softmax(-1, None);
        let plain = -normalized.gather(1, &loss.words.unsqueeze(1), false).squeeze_dim(1);
        let likelihood = match loss.soft {
            None => plain.shallow_clone(),
            Some((words, probabilities)) => -(normalized.gather(1, words, false) * probabilities)
                .sum_dim_intlist(1, false, None),
        };
        let count = (WORDS - loss.excluded.len() as i64) as f64;
        let uniform =
            -normalized.index_fill(-1, &excluded, 0.0).sum_dim_intlist(1, false, None) / count;
        let smoothing = f64::from(loss.smoothing);
        let smoothed = likelihood * (1.0 - smoothing) + uniform * smoothing;
        [(smoothed * loss.weights).sum(None), plain.sum(None)]
    }

    fn check(loss: &WordLoss) {
        let leaves = scores();
        let [total, likelihood] = expected(loss, &leaves);
        total.backward();
        let [scores, bias] = leaves.each_ref().map(|leaf| leaf.detach().copy());
        let found = loss.gradients(scores, Some(&bias));
        let is_near = |found: f64, expected: &Tensor| {
            let expected = expected.double_value(&[]);
            assert!(
                (found - expected).abs() < 1e-5 * expected.abs().max(1.0),
                "{found} {expected}"
            );
        };
        is_near(found.total, &total);
        is_near(found.likelihood, &likelihood);
        for (found, leaf) in [&found.scores, &found.bias].into_iter().zip(&leaves) {
            let off = (found - leaf.grad()).abs().max().double_value(&[]);
            assert!(off < 2e-5, "{off}");
        }
    }

    #[test]
    fn loss_and_gradients_are_those_of_libtorch() {
        let words = Tensor::randint_low(3, WORDS, [ROWS], (Kind::Int64, Device::Cpu));
        let weights = Tensor::randn([ROWS], (Kind::Float, Device::Cpu));
        let soft_words = Tensor::randint_low(3, WORDS, [ROWS, 5], (Kind::Int64, Device::Cpu));
        let soft = (soft_words, Tensor::rand([ROWS, 5], (Kind::Float, Device::Cpu)));
        let hard = WordLoss {
            words: &words,
            soft: None,
            weights: &weights,
            smoothing: 0.0,
            excluded: &[],
        };
        check(&hard);
        check(&WordLoss { smoothing: 0.1, ..hard });
        check(&WordLoss { soft: Some(&soft), smoothing: 0.1, ..hard });
        check(&WordLoss { excluded: &[0, 2], ..hard });
        check(&WordLoss { smoothing: 0.2, excluded: &[1], ..hard });
    }

    #[test]
    fn scores_that_are_not_numbers_are_noticed() {
        let words = Tensor::from_slice(&[1i64]);
        let weights = Tensor::from_slice(&[1.0f32]);
        let loss = WordLoss {
            words: &words,
            soft: None,
            weights: &weights,
            smoothing: 0.0,
            excluded: &[],
        };
        let scores = Tensor::from_slice(&[0.0f32, 1.0, f32::NAN]).view([1, 3]);
        assert!(loss.gradients(scores, None).total.is_nan());
    }
}
