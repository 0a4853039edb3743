//! How far scores may be trusted: the bootstrap over images (Efron 1979), and the paired one for
//! two captioners on the same images (Koehn, EMNLP 2004).

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::{NAMES, Scores, Sums};

/// How often to draw, and from which seed. The same seed gives the same intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bootstrap {
    /// Sets of images drawn with replacement.
    pub resamples: usize,
    /// The seed of the draws.
    pub seed: u64,
}

/// The middle 95 % of a bootstrap: from and to, as fractions.
pub type Interval = [f64; 2];

/// Two captioners compared in one score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The first score less the second.
    pub difference: f64,
    /// The 95 % interval of the difference.
    pub interval: Interval,
    /// The share of resamples, twice its smaller side, in which the difference is reversed or nil.
    pub p_value: f64,
    /// Whether the interval leaves out 0.
    pub beyond_noise: bool,
}

impl Bootstrap {
    /// The interval of each score, in the order of [`NAMES`]. Document frequencies stay as they are.
    #[must_use]
    pub fn intervals(&self, images: &[Sums]) -> [Interval; NAMES.len()] {
        let drawn = self.draws(images.len(), |picks| total(images, picks));
        std::array::from_fn(|at| interval(&mut drawn.iter().map(|of| of.0[at]).collect::<Vec<_>>()))
    }

    /// The difference between two captioners in each score, in the order of [`NAMES`]; both are
    /// drawn with the same images. `one` and `other` hold the same images in the same order.
    #[must_use]
    pub fn differences(&self, one: &[Sums], other: &[Sums]) -> [Difference; NAMES.len()] {
        let images = one.len().min(other.len());
        let drawn = self.draws(images, |picks| (total(one, picks), total(other, picks)));
        let (ours, theirs) = (scores_of(one), scores_of(other));
        std::array::from_fn(|at| {
            let mut differences =
                drawn.iter().map(|(one, other)| one.0[at] - other.0[at]).collect::<Vec<_>>();
            let share = |reversed: fn(f64) -> bool| {
                let count = differences.iter().filter(|difference| reversed(**difference)).count();
                (count + 1) as f64 / (differences.len() + 1) as f64
            };
            let p_value = (2.0 * share(|of| of <= 0.0).min(share(|of| of >= 0.0))).min(1.0);
            let interval = interval(&mut differences);
            Difference {
                difference: ours.0[at] - theirs.0[at],
                interval,
                p_value,
                beyond_noise: interval[0] > 0.0 || interval[1] < 0.0,
            }
        })
    }

    fn draws<T>(&self, images: usize, mut of: impl FnMut(&[usize]) -> T) -> Vec<T> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut picks = vec![0; images];
        (0..self.resamples)
            .map(|_| {
                picks.fill_with(|| random.random_range(0..images));
                of(&picks)
            })
            .collect()
    }
}

fn scores_of(images: &[Sums]) -> Scores {
    images.iter().copied().sum::<Sums>().scores()
}

fn total(images: &[Sums], picks: &[usize]) -> Scores {
    picks.iter().map(|pick| images[*pick]).sum::<Sums>().scores()
}

/// The middle 95 % of values, which it sorts.
fn interval(values: &mut [f64]) -> Interval {
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let last = values.len().saturating_sub(1) as f64;
        values.get((share * last).round() as usize).copied().unwrap_or(0.0)
    };
    [at(0.025), at(0.975)]
}
