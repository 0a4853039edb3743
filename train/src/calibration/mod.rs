//! Calibration of the confidence in captions: logistic regression over the evidence, and how reliable it is.

mod record;
mod reliability;

use data::Vocabulary;
use data::metrics::{DocumentFrequencies, Item, score};
use models::Hypothesis;
use models::confidence::{Feature, FeatureWeight};
use ndarray::{Array1, Array2, Axis};
use tch::{Kind, Tensor};

pub use self::record::{ReliabilityRecord, SetReliability};
pub use self::reliability::{Bin, Reliability};
use crate::Result;
use crate::dataset::ScoredImage;
use crate::evaluate::words;
use crate::tensor::flat;

/// Number of folds in which the reliability is measured.
const FOLDS: usize = 5;
/// The penalty on weights, as a number of captions.
const PENALTY: f64 = 1.0;
const NEWTON_STEPS: usize = 25;

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
            let mut references = image.reference_tokens();
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
        references: image.reference_tokens(),
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

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

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
}
