//! A step of `AdamW` (Kingma and Ba, arXiv 1412.6980; Loshchilov and Hutter, arXiv 1711.05101) in one pass over memory, and sums
//! of gradients.
#![expect(clippy::inline_always, reason = "see vectors.rs")]

use tch::Tensor;

use super::threads::run_all;
use super::values::{values, values_mut};
use super::vectors::{Kernel, LANES};

/// Number of values that one kernel works on.
const BLOCK: usize = 1 << 14;

/// The factors of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamFactors {
    /// Of the gradient.
    pub(crate) gradient: f32,
    /// The share of the gradient in the first moment, and of its square in the second one.
    pub(crate) shares: [f32; 2],
    /// Of the weight, for its decay.
    pub(crate) weight: f32,
    /// Of the root of the second moment, and what is added to it.
    pub(crate) root: f32,
    pub(crate) epsilon: f32,
    /// The learning rate over the bias of the first moment.
    pub(crate) rate: f32,
}

/// Takes a step of a weight, of the shape of its gradient and moments.
pub(crate) fn adam_step(
    weight: &mut Tensor,
    gradient: &Tensor,
    moments: [&mut Tensor; 2],
    factors: AdamFactors,
) {
    let [first, second] = moments.map(values_mut).map(|values| values.chunks_mut(BLOCK));
    let blocks = values_mut(weight).chunks_mut(BLOCK).zip(values(gradient).chunks(BLOCK));
    let blocks = blocks.zip(first.zip(second)).map(|((weights, gradients), (first, second))| {
        Update { weights, gradients, first, second, factors }
    });
    run_all(blocks.collect());
}

/// The values of a block.
struct Update<'a> {
    weights: &'a mut [f32],
    gradients: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    factors: AdamFactors,
}

impl Kernel for Update<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { weights, gradients, first, second, factors } = self;
        let AdamFactors { shares: [of_first, of_second], rate, root, epsilon, .. } = factors;
        let moments = first.iter_mut().zip(second);
        for ((weight, gradient), (first, second)) in weights.iter_mut().zip(gradients).zip(moments)
        {
            let scaled = *gradient * factors.gradient;
            *first += (scaled - *first) * of_first;
            *second += (scaled * scaled - *second) * of_second;
            let divisor = second.sqrt() * root + epsilon;
            *weight = *weight * factors.weight - rate * *first / divisor;
        }
    }
}

/// Adds other gradients to one, and returns the sum of the squares of the sums.
pub(crate) fn sum_gradients(sum: &mut Tensor, others: &[Tensor]) -> f64 {
    let mut squares = vec![0.0; sum.numel().div_ceil(BLOCK)];
    let mut others = others.iter().map(|other| values(other).chunks(BLOCK)).collect::<Vec<_>>();
    let blocks = values_mut(sum).chunks_mut(BLOCK).zip(&mut squares);
    let blocks = blocks.map(|(sum, square)| {
        let others = others.iter_mut().filter_map(Iterator::next).collect();
        GradientSum { sum, others, square }
    });
    run_all(blocks.collect());
    squares.iter().map(|&square| f64::from(square)).sum()
}

/// The gradients of a block.
struct GradientSum<'a> {
    sum: &'a mut [f32],
    others: Vec<&'a [f32]>,
    square: &'a mut f32,
}

impl Kernel for GradientSum<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { sum, others, square } = self;
        for other in others {
            for (sum, other) in sum.iter_mut().zip(other) {
                *sum += *other;
            }
        }
        let mut squares = [0.0f32; LANES];
        let (parts, rest) = sum.as_chunks::<LANES>();
        for part in parts {
            for (square, value) in squares.iter_mut().zip(part) {
                *square += value * value;
            }
        }
        *square = squares.iter().sum::<f32>() + rest.iter().map(|value| value * value).sum::<f32>();
    }
}

/// Moves means a share of the way to values of the same shape.
pub(crate) fn move_towards(means: &mut Tensor, to: &Tensor, share: f32) {
    let blocks = values_mut(means).chunks_mut(BLOCK).zip(values(to).chunks(BLOCK));
    run_all(blocks.map(|(means, to)| Approach { means, to, share }).collect());
}

/// The values of a block.
struct Approach<'a> {
    means: &'a mut [f32],
    to: &'a [f32],
    share: f32,
}

impl Kernel for Approach<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { means, to, share } = self;
        for (mean, value) in means.iter_mut().zip(to) {
            *mean += (value - *mean) * share;
        }
    }
}
