//! Additive attention (Bahdanau, Cho and Bengio, arXiv 1409.0473): scores `v · tanh(k + q)`, and their gradients. The sums
//! `k + q` of all cells, captions and channels are many. So exponentials are taken of keys and queries, not of sums:
//! `tanh(k + q) = 1 − 2 r` with `r = 1 / (e^2k e^2q + 1)`, which is computed anew for the gradients.
#![expect(clippy::inline_always, reason = "see vectors.rs")]

use tch::{Device, Kind, Tensor};

use super::rows::{rows_by_image, rows_by_image_mut};
use super::threads::run_all;
use super::values::{values, values_mut};
use super::vectors::{Kernel, LANES};

/// Beyond this, keys and queries are cut off: with it no exponential is zero or infinite.
const LARGEST: f64 = 43.0;

/// `e^2x` of keys or queries, of any shape.
#[derive(Debug)]
pub(crate) struct Exponentials(Tensor);

impl Exponentials {
    pub(crate) fn new(values: &Tensor) -> Self {
        Self((values.clamp(-LARGEST, LARGEST) * 2.0).exp().contiguous())
    }
}

/// The keys, queries and weights of scores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdditiveAttention<'a> {
    /// Of k: `[N, cells, A]`.
    pub(crate) keys: &'a Exponentials,
    /// Of q: `[R, A]`.
    pub(crate) queries: &'a Exponentials,
    /// v: `[A]`.
    pub(crate) weight: &'a Tensor,
    /// The image of each query.
    pub(crate) images: &'a [usize],
}

/// Sums of gradients over the steps of a batch.
#[derive(Debug)]
pub(crate) struct AdditiveGradients {
    /// `[N, cells, A]`.
    pub(crate) keys: Tensor,
    /// Of v, for each image: `[N, A]`.
    pub(crate) weight: Tensor,
}

/// The exponentials of keys and queries of one image.
struct OfImage<'a> {
    keys: &'a [f32],
    queries: Vec<&'a [f32]>,
    weight: &'a [f32],
}

/// The gradients of one image.
struct GradientsOfImage<'a> {
    keys: &'a mut [f32],
    queries: Vec<&'a mut [f32]>,
    weight: &'a mut [f32],
}

impl AdditiveAttention<'_> {
    /// Number of images and of cells.
    fn sizes(&self) -> [usize; 2] {
        [self.keys.0.size()[0], self.keys.0.size()[1]].map(|size| size as usize)
    }

    /// The parts of each image.
    fn images(&self) -> impl Iterator<Item = OfImage<'_>> {
        let [images, cells] = self.sizes();
        let weight = values(self.weight);
        let keys = values(&self.keys.0).chunks_exact(cells * weight.len());
        let queries = rows_by_image(&self.queries.0, self.images, images);
        keys.zip(queries).map(move |(keys, queries)| OfImage { keys, queries, weight })
    }

    /// The scores: `[R, cells]`.
    pub(crate) fn scores(&self) -> Tensor {
        let [images, cells] = self.sizes();
        let size = [self.images.len() as i64, cells as i64];
        let mut scores = Tensor::empty(size, (Kind::Float, Device::Cpu));
        let parts = self.images().zip(rows_by_image_mut(&mut scores, self.images, images));
        run_all(parts.map(|(image, scores)| Scoring { image, scores }).collect());
        scores
    }

    /// Adds the gradients of keys and weights that follow from those of the scores `[R, cells]`, and returns that of the
    /// queries, `[R, A]`.
    pub(crate) fn gradients(&self, by_scores: &Tensor, sums: &mut AdditiveGradients) -> Tensor {
        let [images, cells] = self.sizes();
        let width = self.weight.numel();
        let mut queries = self.queries.0.zeros_like();
        let of_queries = rows_by_image_mut(&mut queries, self.images, images);
        let of_keys = values_mut(&mut sums.keys).chunks_exact_mut(cells * width);
        let of_weight = values_mut(&mut sums.weight).chunks_exact_mut(width);
        let sums = of_keys
            .zip(of_queries)
            .zip(of_weight)
            .map(|((keys, queries), weight)| GradientsOfImage { keys, queries, weight });
        let by_scores = rows_by_image(by_scores, self.images, images);
        let parts = self.images().zip(by_scores).zip(sums);
        let part = |((image, by_scores), sums)| Differentiation { image, by_scores, sums };
        run_all(parts.map(part).collect());
        queries
    }
}

/// The scores of one image, a row of cells for each query.
struct Scoring<'a> {
    image: OfImage<'a>,
    scores: Vec<&'a mut [f32]>,
}

impl Kernel for Scoring<'_> {
    #[inline(always)]
    fn run(mut self) {
        let OfImage { keys, queries, weight } = self.image;
        let sum = weight.iter().sum::<f32>();
        for (cell, key) in keys.chunks_exact(weight.len()).enumerate() {
            for (query, scores) in queries.iter().zip(&mut self.scores) {
                scores[cell] = sum - 2.0 * weighted(key, query, weight);
            }
        }
    }
}

/// `v · r`.
#[inline(always)]
fn weighted(key: &[f32], query: &[f32], weight: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let parts = key.chunks_exact(LANES).zip(query.chunks_exact(LANES));
    for ((key, query), weight) in parts.zip(weight.chunks_exact(LANES)) {
        for at in 0..LANES {
            sums[at] += weight[at] / (key[at] * query[at] + 1.0);
        }
    }
    let rest = weight.len() / LANES * LANES..weight.len();
    let rest = rest.map(|at| weight[at] / (key[at] * query[at] + 1.0));
    sums.iter().sum::<f32>() + rest.sum::<f32>()
}

/// The gradients of one image by its scores, a row of cells for each query.
struct Differentiation<'a> {
    image: OfImage<'a>,
    by_scores: Vec<&'a [f32]>,
    sums: GradientsOfImage<'a>,
}

impl Kernel for Differentiation<'_> {
    #[inline(always)]
    fn run(self) {
        let Self { image: OfImage { keys, queries, weight }, by_scores, mut sums } = self;
        let width = weight.len();
        let of_weight = &mut sums.weight[..width];
        let of_keys = sums.keys.chunks_exact_mut(width);
        for (cell, (key, of_key)) in keys.chunks_exact(width).zip(of_keys).enumerate() {
            let rows = queries.iter().zip(&mut sums.queries).zip(&by_scores);
            for ((query, of_query), by_scores) in rows {
                let (query, of_query) = (&query[..width], &mut of_query[..width]);
                let by_score = by_scores[cell];
                for at in 0..width {
                    let inverse = 1.0 / (key[at] * query[at] + 1.0);
                    let by_sum = by_score * 4.0 * weight[at] * (inverse - inverse * inverse);
                    of_weight[at] += by_score * (1.0 - 2.0 * inverse);
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
            let (keys, queries) = (normal(&[4, 5, width]), normal(&[6, width]));
            let weight = normal(&[width]);
            // An image may have several queries, or none.
            let images = [2, 0, 2, 3, 0, 2];
            let of_queries = Tensor::from_slice(&images.map(|image| image as i64));
            let sum = queries.unsqueeze(1) + keys.index_select(0, &of_queries);
            let expected = sum.tanh().matmul(&weight);
            let by_scores = Tensor::randn([6, 5], (Kind::Float, Device::Cpu));
            (&expected * &by_scores).sum(Kind::Float).backward();

            let [plain_keys, plain_queries] =
                [&keys, &queries].map(|of| Exponentials::new(&of.detach()));
            let plain_weight = weight.detach();
            let attention = AdditiveAttention {
                keys: &plain_keys,
                queries: &plain_queries,
                weight: &plain_weight,
                images: &images,
            };
            let is_near = |found: &Tensor, expected: &Tensor| {
                (found - expected).abs().max().double_value(&[]) < 1e-5
            };
            assert!(is_near(&attention.scores(), &expected.detach()));
            let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
            let mut sums =
                AdditiveGradients { keys: zeros(&[4, 5, width]), weight: zeros(&[4, width]) };
            let of_queries = attention.gradients(&by_scores, &mut sums);
            assert!(is_near(&of_queries, &queries.grad()));
            assert!(is_near(&sums.keys, &keys.grad()));
            assert!(is_near(&sums.weight.sum_dim_intlist(0, false, Kind::Float), &weight.grad()));
        }
    }

    /// Sums that exponentials cannot hold are saturated, and a value that is not a number stays one.
    #[test]
    fn scores_of_large_values_are_those_of_the_tangent() {
        let column = |values: &[f32]| Tensor::from_slice(values).view([-1, 1]);
        let keys = [40.0f32, -40.0, 0.5, 60.0, f32::NAN];
        let keys = Exponentials::new(&Tensor::from_slice(&keys).view([1, 5, 1]));
        let queries = Exponentials::new(&column(&[30.0, -30.0]));
        let weight = Tensor::from_slice(&[1.0f32]);
        let images = [0, 0];
        let attention =
            AdditiveAttention { keys: &keys, queries: &queries, weight: &weight, images: &images };
        let scores = Vec::<f32>::try_from(attention.scores().flatten(0, -1)).unwrap();
        let expected = [1.0, -1.0, 1.0, 1.0, f32::NAN, 1.0, -1.0, -1.0, 1.0, f32::NAN];
        for (found, expected) in scores.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-6 || found.is_nan() && expected.is_nan(),
                "{scores:?}"
            );
        }
        let zeros = |size: [i64; 3]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let weight = Tensor::zeros([1, 1], (Kind::Float, Device::Cpu));
        let mut sums = AdditiveGradients { keys: zeros([1, 5, 1]), weight };
        let by_scores = Tensor::from_slice(&[1.0f32, 1.0, 1.0, 1.0, 0.0]).repeat([2, 1]);
        let _ = attention.gradients(&by_scores, &mut sums);
        let of_keys = sums.keys.narrow(1, 0, 4);
        assert!(of_keys.isfinite().all().int64_value(&[]) == 1);
    }
}
