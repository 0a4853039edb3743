//! Additive attention (Bahdanau, Cho and Bengio, arXiv 1409.0473): scores `v · tanh(k + q)`, and their gradients. The sums
//! `k + q` of all cells, captions and channels are many, and are computed anew for the gradients.
#![expect(clippy::inline_always, reason = "see vectors.rs")]

use tch::{Device, Kind, Tensor};

use super::values::{values, values_mut};
use super::vectors::{self, Kernel, tanh};

/// Number of sums that are kept apart, so that they fill the registers of a processor.
const LANES: usize = 16;

/// The keys, queries and weights of scores.
#[derive(Debug, Clone, Copy)]
pub(in crate::recipes) struct AdditiveAttention<'a> {
    /// k: `[N, cells, A]`.
    pub(in crate::recipes) keys: &'a Tensor,
    /// q: `[N, B, A]`.
    pub(in crate::recipes) queries: &'a Tensor,
    /// v: `[A]`.
    pub(in crate::recipes) weight: &'a Tensor,
}

/// Sums of gradients over the steps of a batch.
#[derive(Debug)]
pub(in crate::recipes) struct AdditiveGradients {
    /// `[N, cells, A]`.
    pub(in crate::recipes) keys: Tensor,
    /// Of v, for each image: `[N, A]`.
    pub(in crate::recipes) weight: Tensor,
}

/// The same for one image.
#[derive(Clone, Copy)]
struct OfImage<'a> {
    keys: &'a [f32],
    queries: &'a [f32],
    weight: &'a [f32],
}

/// The gradients of one image.
struct GradientsOfImage<'a> {
    keys: &'a mut [f32],
    queries: &'a mut [f32],
    weight: &'a mut [f32],
}

impl AdditiveAttention<'_> {
    /// `[N, cells, B]` as numbers.
    fn sizes(&self) -> [usize; 3] {
        let (keys, queries) = (self.keys.size(), self.queries.size());
        [keys[0], keys[1], queries[1]].map(|size| size as usize)
    }

    /// The parts of each image.
    fn images(&self) -> impl Iterator<Item = OfImage<'_>> {
        let [_, cells, captions] = self.sizes();
        let weight = values(self.weight);
        let keys = values(self.keys).chunks_exact(cells * weight.len());
        let queries = values(self.queries).chunks_exact(captions * weight.len());
        keys.zip(queries).map(move |(keys, queries)| OfImage { keys, queries, weight })
    }

    /// The scores: `[N, B, cells]`.
    pub(in crate::recipes) fn scores(&self) -> Tensor {
        let [images, cells, captions] = self.sizes();
        let size = [images, captions, cells].map(|size| size as i64);
        let mut scores = Tensor::empty(size, (Kind::Float, Device::Cpu));
        let parts = values_mut(&mut scores).chunks_exact_mut(captions * cells);
        let parts = self.images().zip(parts);
        in_threads(parts.map(|(image, scores)| Scoring { image, scores }).collect());
        scores
    }

    /// Adds the gradients of keys and weights that follow from those of the scores `[N, B, cells]`, and returns that of the
    /// queries, `[N, B, A]`.
    pub(in crate::recipes) fn gradients(
        &self,
        by_scores: &Tensor,
        sums: &mut AdditiveGradients,
    ) -> Tensor {
        let [images, cells, captions] = self.sizes();
        let width = self.weight.numel();
        let mut queries = self.queries.zeros_like();
        let of_queries = values_mut(&mut queries).chunks_exact_mut(captions * width);
        // Later steps have fewer images.
        let of_keys = values_mut(&mut sums.keys).chunks_exact_mut(cells * width).take(images);
        let of_weight = values_mut(&mut sums.weight).chunks_exact_mut(width);
        let sums = of_keys
            .zip(of_queries)
            .zip(of_weight)
            .map(|((keys, queries), weight)| GradientsOfImage { keys, queries, weight });
        let by_scores = values(by_scores).chunks_exact(captions * cells);
        let parts = self.images().zip(by_scores).zip(sums);
        let part = |((image, by_scores), sums)| Differentiation { image, by_scores, sums };
        in_threads(parts.map(part).collect());
        queries
    }
}

/// Runs the kernels of all images, in as many threads as libtorch has.
fn in_threads<K: Kernel + Send>(kernels: Vec<K>) {
    let threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1);
    let share = kernels.len().div_ceil(threads);
    let mut kernels = kernels.into_iter();
    let own = kernels.by_ref().take(share).collect::<Vec<_>>();
    rayon::in_place_scope(|scope| {
        loop {
            let others = kernels.by_ref().take(share).collect::<Vec<_>>();
            if others.is_empty() {
                break;
            }
            scope.spawn(|_| others.into_iter().for_each(vectors::run));
        }
        own.into_iter().for_each(vectors::run);
    });
}

/// The scores of one image: `[B, cells]`.
struct Scoring<'a> {
    image: OfImage<'a>,
    scores: &'a mut [f32],
}

impl Kernel for Scoring<'_> {
    #[inline(always)]
    fn run(self) {
        let OfImage { keys, queries, weight } = self.image;
        let width = weight.len();
        let cells = keys.len() / width;
        let captions = || queries.chunks_exact(width);
        for (cell, key) in keys.chunks_exact(width).enumerate() {
            for (query, scores) in captions().zip(self.scores.chunks_exact_mut(cells)) {
                scores[cell] = score(key, query, weight);
            }
        }
    }
}

/// `v · tanh(k + q)`.
#[inline(always)]
fn score(key: &[f32], query: &[f32], weight: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let parts = key.chunks_exact(LANES).zip(query.chunks_exact(LANES));
    for ((key, query), weight) in parts.zip(weight.chunks_exact(LANES)) {
        for at in 0..LANES {
            sums[at] += weight[at] * tanh(key[at] + query[at]);
        }
    }
    let rest = weight.len() / LANES * LANES..weight.len();
    let rest = rest.map(|at| weight[at] * tanh(key[at] + query[at]));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

/// The gradients of one image by its scores `[B, cells]`.
struct Differentiation<'a> {
    image: OfImage<'a>,
    by_scores: &'a [f32],
    sums: GradientsOfImage<'a>,
}

impl Kernel for Differentiation<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { image: OfImage { keys, queries, weight }, by_scores, sums } = self;
        let width = weight.len();
        let cells = keys.len() / width;
        let of_weight = &mut sums.weight[..width];
        for (cell, key) in keys.chunks_exact(width).enumerate() {
            let of_key = &mut sums.keys[cell * width..][..width];
            let captions = queries.chunks_exact(width).zip(sums.queries.chunks_exact_mut(width));
            for ((query, of_query), by_scores) in captions.zip(by_scores.chunks_exact(cells)) {
                let by_score = by_scores[cell];
                for at in 0..width {
                    let squashed = tanh(key[at] + query[at]);
                    let by_sum = by_score * weight[at] * (1.0 - squashed * squashed);
                    of_weight[at] += by_score * squashed;
                    of_query[at] += by_sum;
                    of_key[at] += by_sum;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores and gradients are those of libtorch, for several widths.
    #[test]
    fn it_is_the_attention_of_libtorch() {
        for width in [7, 16, 45] {
            let normal = |size: &[i64]| {
                Tensor::randn(size, (Kind::Float, Device::Cpu)).set_requires_grad(true)
            };
            let (keys, queries) = (normal(&[3, 5, width]), normal(&[3, 4, width]));
            let weight = normal(&[width]);
            let sum = queries.unsqueeze(2) + keys.unsqueeze(1);
            let expected = sum.tanh().matmul(&weight);
            let by_scores = Tensor::randn([3, 4, 5], (Kind::Float, Device::Cpu));
            (&expected * &by_scores).sum(Kind::Float).backward();

            let [plain_keys, plain_queries] = [&keys, &queries].map(Tensor::detach);
            let plain_weight = weight.detach();
            let attention = AdditiveAttention {
                keys: &plain_keys,
                queries: &plain_queries,
                weight: &plain_weight,
            };
            let is_near = |found: &Tensor, expected: &Tensor| {
                (found - expected).abs().max().double_value(&[]) < 1e-5
            };
            assert!(is_near(&attention.scores(), &expected.detach()));
            let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
            // The sums may be of more images than a step has.
            let mut sums =
                AdditiveGradients { keys: zeros(&[4, 5, width]), weight: zeros(&[4, width]) };
            let of_queries = attention.gradients(&by_scores, &mut sums);
            assert!(is_near(&of_queries, &queries.grad()));
            assert!(is_near(&sums.keys.narrow(0, 0, 3), &keys.grad()));
            assert!(
                sums.keys.get(3).abs().max().double_value(&[]) < 1e-12,
                "of an image of no step"
            );
            assert!(is_near(&sums.weight.sum_dim_intlist(0, false, Kind::Float), &weight.grad()));
        }
    }
}
