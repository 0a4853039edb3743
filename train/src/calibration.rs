//! Calibration of the confidence in captions: logistic regression over the evidence, and how reliable it is.

use data::Vocabulary;
use data::metrics::{DocumentFrequencies, Item, score};
use models::Hypothesis;
use models::confidence::{Feature, FeatureWeight};
use ndarray::{Array1, Array2, Axis};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use crate::Result;
use crate::dataset::ScoredImage;
use crate::evaluate::words;
use crate::tensor::flat;

/// Number of folds in which the reliability is measured.
const FOLDS: usize = 5;
/// Number of bins, with the same number of captions each.
const BINS: usize = 10;
/// The penalty on weights, as a number of captions.
const PENALTY: f64 = 1.0;
const NEWTON_STEPS: usize = 25;
/// Number of draws for the calibration error of a perfectly calibrated confidence.
const DRAWS: usize = 200;

/// A caption with its evidence and whether it is right.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedCaption {
    /// The values of [`Feature::ALL`].
    pub evidence: [f64; Feature::ALL.len()],
    /// Whether it is right.
    pub is_right: bool,
}

/// The median over all references of their CIDEr-D against the others of their image, with the document frequencies of
/// the training captions.
#[must_use]
pub fn human_median(images: &[ScoredImage], frequencies: &DocumentFrequencies) -> f64 {
    let items = images.iter().flat_map(|image| {
        let several = image.references.len() > 1;
        (0..image.references.len()).filter(move |_| several).map(|at| {
            let mut references = image.references.clone();
            let hypothesis = references.remove(at);
            Item { references, hypothesis }
        })
    });
    let scores = score(&items.collect::<Vec<_>>(), Some(frequencies));
    let mut ciders = scores.iter().map(|sums| sums.scores().cider()).collect::<Vec<_>>();
    ciders.sort_by(f64::total_cmp);
    ciders.get(ciders.len() / 2).copied().unwrap_or(0.0)
}

/// Judges the first caption of each image: right if its CIDEr-D reaches `median`. Images without evidence are skipped.
#[must_use]
pub fn judge(
    images: &[ScoredImage],
    found: &[Vec<Hypothesis>],
    vocabulary: &Vocabulary,
    frequencies: &DocumentFrequencies,
    median: f64,
) -> Vec<JudgedCaption> {
    let items = images.iter().zip(found).map(|(image, found)| Item {
        references: image.references.clone(),
        hypothesis: found.first().map(|best| words(best, vocabulary)).unwrap_or_default(),
    });
    let scores = score(&items.collect::<Vec<_>>(), Some(frequencies));
    let judged = found.iter().zip(scores).filter_map(|(found, sums)| {
        let mut evidence = [0.0; Feature::ALL.len()];
        for (value, feature) in evidence.iter_mut().zip(Feature::ALL) {
            *value = feature.of_first(found)?;
        }
        Some(JudgedCaption { evidence, is_right: sums.scores().cider() >= median })
    });
    judged.collect()
}

/// Weights of features and a bias.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The weights.
    pub weights: Vec<FeatureWeight>,
    /// The log-odds where all features have their means.
    pub bias: f64,
}

impl Fitted {
    /// Fits the weights by Newton's method.
    ///
    /// # Errors
    /// [`Error::Torch`](crate::Error::Torch) if the equations cannot be solved.
    pub fn new(captions: &[&JudgedCaption]) -> Result<Self> {
        let features = Feature::ALL.len();
        let values = captions.iter().flat_map(|caption| caption.evidence).collect::<Vec<_>>();
        let values = Array2::from_shape_vec([captions.len(), features], values).unwrap_or_default();
        let mean = values.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(features));
        // A feature that is the same everywhere says nothing: any deviation does.
        let deviation = values.std_axis(Axis(0), 0.0).mapv(|of| if of > 0.0 { of } else { 1.0 });
        let mut design = Array2::ones([captions.len(), features + 1]);
        design.slice_mut(ndarray::s![.., ..features]).assign(&((&values - &mean) / &deviation));
        let right = captions.iter().map(|caption| f64::from(u8::from(caption.is_right)));
        let solved = newton(&design, &right.collect())?;
        let of_feature = |(at, feature): (usize, Feature)| FeatureWeight {
            feature,
            mean: mean[at],
            deviation: deviation[at],
            weight: solved[at],
        };
        let weights = Feature::ALL.into_iter().enumerate().map(of_feature).collect();
        Ok(Self { weights, bias: solved[features] })
    }

    /// The confidence in a caption.
    #[must_use]
    pub fn confidence(&self, evidence: &[f64; Feature::ALL.len()]) -> f64 {
        let terms = self.weights.iter().zip(evidence);
        let terms = terms.map(|(of, value)| of.weight * (value - of.mean) / of.deviation);
        1.0 / (1.0 + (-(self.bias + terms.sum::<f64>())).exp())
    }
}

/// The weights of logistic regression of `right` on the columns of `design`, the last of which is the bias.
fn newton(design: &Array2<f64>, right: &Array1<f64>) -> Result<Array1<f64>> {
    let columns = design.ncols();
    let mut weights = Array1::<f64>::zeros(columns);
    let mut penalty = Array2::<f64>::eye(columns) * PENALTY;
    penalty[[columns - 1, columns - 1]] = 1e-9;
    for _ in 0..NEWTON_STEPS {
        let probable = design.dot(&weights).mapv(|odds| 1.0 / (1.0 + (-odds).exp()));
        let gradient = design.t().dot(&(right - &probable)) - penalty.dot(&weights);
        let spread = (&probable * &probable.mapv(|of| 1.0 - of)).insert_axis(Axis(1));
        let curvature = design.t().dot(&(design * &spread)) + &penalty;
        let size = columns as i64;
        let curvature = curvature.iter().copied().collect::<Vec<_>>();
        let curvature = Tensor::from_slice(&curvature).f_view([size, size])?;
        let gradient = Tensor::from_slice(&gradient.to_vec()).f_view([size, 1])?;
        let step = Tensor::f_linalg_solve(&curvature, &gradient, true)?;
        let step = flat(&step.f_to_kind(Kind::Float)?)?;
        weights += &step.iter().map(|&value| f64::from(value)).collect::<Array1<_>>();
    }
    Ok(weights)
}

/// How reliable a confidence is.
#[derive(Debug, Clone, PartialEq)]
pub struct Reliability {
    /// The mean confidence of each bin, and the share of right captions in it.
    pub bins: Vec<(f64, f64)>,
    /// The expected calibration error: the mean over bins of the difference of both.
    pub calibration_error: f64,
    /// The same of a perfectly calibrated confidence: the mean over draws.
    pub error_by_chance: f64,
    /// The mean squared difference of confidence and outcome.
    pub brier: f64,
    /// The probability that a right caption has a higher confidence than a wrong one.
    pub auroc: f64,
}

/// The confidence in each caption from the weights fitted on the other folds.
///
/// # Errors
/// Those of [`Fitted::new`].
pub fn cross_validate(captions: &[JudgedCaption]) -> Result<Vec<f64>> {
    let mut confidences = vec![0.0; captions.len()];
    for fold in 0..FOLDS {
        let others = captions.iter().enumerate().filter(|(at, _)| at % FOLDS != fold);
        let fitted = Fitted::new(&others.map(|(_, caption)| caption).collect::<Vec<_>>())?;
        for at in (fold..captions.len()).step_by(FOLDS) {
            confidences[at] = fitted.confidence(&captions[at].evidence);
        }
    }
    Ok(confidences)
}

impl Reliability {
    /// Measures confidences against outcomes.
    #[must_use]
    pub fn new(confidences: &[f64], right: &[bool]) -> Self {
        let mut pairs = confidences.iter().copied().zip(right.iter().copied()).collect::<Vec<_>>();
        pairs.sort_by(|one, other| one.0.total_cmp(&other.0));
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let by_chance = (0..DRAWS).map(|_| {
            let drawn = pairs.iter().map(|&(of, _)| (of, random.random_range(0.0..1.0) < of));
            calibration_error(&bins(&drawn.collect::<Vec<_>>()))
        });
        let error_by_chance = by_chance.sum::<f64>() / DRAWS as f64;
        let outcome = |right: bool| f64::from(u8::from(right));
        let squared = pairs.iter().map(|&(of, right)| (of - outcome(right)).powi(2));
        let bins = bins(&pairs);
        Self {
            calibration_error: calibration_error(&bins),
            error_by_chance,
            brier: squared.sum::<f64>() / pairs.len().max(1) as f64,
            auroc: auroc(&pairs),
            bins,
        }
    }
}

/// The mean confidence and the share of right captions of each bin of sorted pairs.
fn bins(pairs: &[(f64, bool)]) -> Vec<(f64, f64)> {
    let edge = |bin: usize| bin * pairs.len() / BINS;
    let of_bin = |bin: usize| {
        let pairs = &pairs[edge(bin)..edge(bin + 1)];
        let number = pairs.len().max(1) as f64;
        let right = pairs.iter().filter(|(_, right)| *right).count();
        (pairs.iter().map(|(of, _)| of).sum::<f64>() / number, right as f64 / number)
    };
    (0..BINS).map(of_bin).collect()
}

fn calibration_error(bins: &[(f64, f64)]) -> f64 {
    let differences = bins.iter().map(|(confidence, share)| (confidence - share).abs());
    differences.sum::<f64>() / bins.len().max(1) as f64
}

/// The area under the receiver operating characteristic of sorted pairs; ties count half.
fn auroc(pairs: &[(f64, bool)]) -> f64 {
    let (mut below, mut wins, mut right) = (0.0, 0.0, 0.0);
    for tied in pairs.chunk_by(|one, other| one.0.total_cmp(&other.0).is_eq()) {
        let rights = tied.iter().filter(|(_, right)| *right).count() as f64;
        let wrongs = tied.len() as f64 - rights;
        wins += rights * (below + wrongs / 2.0);
        below += wrongs;
        right += rights;
    }
    if right * below > 0.0 { wins / (right * below) } else { 0.5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Captions that are right with a probability that rises with the first value.
    fn captions(number: usize) -> Vec<JudgedCaption> {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut caption = || {
            let mut evidence = [0.0_f64; Feature::ALL.len()];
            evidence.fill_with(|| random.random_range(-2.0..2.0));
            let probable = 1.0 / (1.0 + (-1.5 * evidence[0] - 0.5).exp());
            JudgedCaption { evidence, is_right: random.random_range(0.0..1.0) < probable }
        };
        (0..number).map(|_| caption()).collect()
    }

    #[test]
    fn a_fitted_confidence_is_calibrated_in_folds_that_it_was_not_fitted_on() {
        let captions = captions(4000);
        let fitted = Fitted::new(&captions.iter().collect::<Vec<_>>()).unwrap();
        let slopes = fitted.weights.iter().map(|of| of.weight / of.deviation).collect::<Vec<_>>();
        assert!((slopes[0] - 1.5).abs() < 0.15, "{slopes:?}");
        assert!(slopes[1..].iter().all(|slope| slope.abs() < 0.15), "{slopes:?}");
        let confidences = cross_validate(&captions).unwrap();
        let right = captions.iter().map(|caption| caption.is_right).collect::<Vec<_>>();
        let found = Reliability::new(&confidences, &right);
        assert!(found.calibration_error < 0.03 && found.auroc > 0.75, "{found:?}");
        assert!((found.calibration_error - found.error_by_chance).abs() < 0.015, "{found:?}");
        // A confidence that is too high is not calibrated.
        let high = confidences.iter().map(|of| of.sqrt()).collect::<Vec<_>>();
        assert!(Reliability::new(&high, &right).calibration_error > 0.08);
    }

    #[test]
    fn ties_count_half_and_order_alone_matters_for_auroc() {
        let area = |pairs: &[(f64, bool)]| auroc(pairs);
        assert!(
            (area(&[(0.1, false), (0.2, true), (0.3, false), (0.4, true)]) - 0.75).abs() < 1e-9
        );
        assert!((area(&[(0.5, false), (0.5, true)]) - 0.5).abs() < 1e-9);
        assert!((area(&[(0.5, true)]) - 0.5).abs() < 1e-9);
    }
}
