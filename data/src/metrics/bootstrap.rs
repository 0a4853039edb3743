//! Confidence intervals of scores: the bootstrap over images (Efron 1979), and the paired bootstrap for two captioners
//! on the same images (Koehn, EMNLP 2004).

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use super::{NAMES, Scores, Sums};

/// The settings of the bootstrap. The same seed gives the same intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bootstrap {
    /// Sets of images drawn with replacement.
    pub resamples: usize,
    /// The random seed.
    pub seed: u64,
}

/// The bounds of a 95 % interval, as fractions.
pub type Interval = [f64; 2];

/// The difference of two captioners in one score.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The first score minus the second.
    pub difference: f64,
    /// The 95 % interval of the difference.
    pub interval: Interval,
    /// The two-sided p-value: twice the smaller share of resamples at or beyond zero.
    pub p_value: f64,
    /// Whether the interval excludes 0.
    pub beyond_noise: bool,
}

impl Bootstrap {
    /// The interval of each score, in the order of [`NAMES`], with fixed document frequencies.
    #[must_use]
    pub fn intervals(&self, images: &[Sums]) -> [Interval; NAMES.len()] {
        self.intervals_of(images.len(), |picks| total(images, picks).0)
    }

    /// The interval of each of some statistics over resampled images, which are given by their numbers.
    #[must_use]
    pub fn intervals_of<const N: usize>(
        &self,
        images: usize,
        statistics: impl FnMut(&[usize]) -> [f64; N],
    ) -> [Interval; N] {
        let resamples = self.resample(images, statistics);
        std::array::from_fn(|index| {
            interval(&mut resamples.iter().map(|values| values[index]).collect::<Vec<_>>())
        })
    }

    /// The difference of two captioners in each score, in the order of [`NAMES`]. `one` and `other` have the same images
    /// in the same order, and are resampled together.
    #[must_use]
    pub fn differences(&self, one: &[Sums], other: &[Sums]) -> [Difference; NAMES.len()] {
        let images = one.len().min(other.len());
        let resamples = self.resample(images, |picks| (total(one, picks), total(other, picks)));
        let (ours, theirs) = (scores_of(one), scores_of(other));
        std::array::from_fn(|index| {
            let mut differences = resamples
                .iter()
                .map(|(one, other)| one.0[index] - other.0[index])
                .collect::<Vec<_>>();
            let share = |is_reversed: fn(f64) -> bool| {
                let count =
                    differences.iter().filter(|difference| is_reversed(**difference)).count();
                (count + 1) as f64 / (differences.len() + 1) as f64
            };
            let p_value =
                (2.0 * share(|value| value <= 0.0).min(share(|value| value >= 0.0))).min(1.0);
            let interval = interval(&mut differences);
            Difference {
                difference: ours.0[index] - theirs.0[index],
                interval,
                p_value,
                beyond_noise: interval[0] > 0.0 || interval[1] < 0.0,
            }
        })
    }

    /// Draws images with replacement; `score` scores each resample.
    fn resample<T>(&self, images: usize, mut score: impl FnMut(&[usize]) -> T) -> Vec<T> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut picks = vec![0; images];
        (0..self.resamples)
            .map(|_| {
                picks.fill_with(|| random.random_range(0..images));
                score(&picks)
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

/// The middle 95 % of `values`, which are sorted.
fn interval(values: &mut [f64]) -> Interval {
    values.sort_unstable_by(f64::total_cmp);
    let quantile = |share: f64| {
        let last = values.len().saturating_sub(1) as f64;
        values.get((share * last).round() as usize).copied().unwrap_or(0.0)
    };
    [quantile(0.025), quantile(0.975)]
}
