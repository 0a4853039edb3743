//! The calibrated probability that a caption is right: logistic regression over the evidence for the caption (Platt scaling
//! with several inputs).
//!
//! A caption is right if its CIDEr-D against the captions of the photo, with the document frequencies of the training
//! captions, is at least the median of what one person's caption reaches against those of the others.

use common::View;
use serde::{Deserialize, Serialize};

use crate::{Hypothesis, SearchOptions};

/// Evidence for a caption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// The mean log-probability of its words, the end included.
    MeanWord,
    /// The log-probability of its least probable word.
    LeastWord,
    /// Its score less that of the next caption.
    Margin,
    /// Its CIDEr-D against the captions of the neighbours.
    Consensus,
    /// The cosine of its words and the probable words of the photo.
    Words,
    /// The similarity of the nearest training image.
    Similarity,
    /// Number of its words.
    Length,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::MeanWord,
        Self::LeastWord,
        Self::Margin,
        Self::Consensus,
        Self::Words,
        Self::Similarity,
        Self::Length,
    ];

    /// Its value for the first of several captions of a photo; none without the choice of a neighbour index.
    #[must_use]
    pub fn of_first(self, captions: &[Hypothesis]) -> Option<f64> {
        let [best, others @ ..] = captions else { return None };
        let support = best.support?;
        let least = || best.word_log_probabilities.iter().copied().fold(0.0, f32::min);
        let margin = || others.first().map_or(0.0, |next| best.score - next.score);
        let value = match self {
            Self::MeanWord => best.log_probability / (best.words.len() + 1) as f32,
            Self::LeastWord => least(),
            Self::Margin => margin(),
            Self::Consensus => support.consensus,
            Self::Words => support.words,
            Self::Similarity => support.similarity,
            Self::Length => best.words.len() as f32,
        };
        Some(value.into())
    }
}

/// The search for which a calibration holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibratedSearch {
    /// The views of a photo.
    pub views: Vec<View>,
    /// The beam search.
    #[serde(flatten)]
    pub options: SearchOptions,
    /// The SHA-256 of the neighbour index.
    pub neighbours_sha256: String,
}

impl CalibratedSearch {
    /// The search of a photo's views with an index.
    #[must_use]
    pub fn new(views: &[View], widened: &SearchOptions, neighbours_sha256: &str) -> Self {
        Self {
            views: views.to_vec(),
            options: SearchOptions { n_best: SearchOptions::default().n_best, ..*widened },
            neighbours_sha256: neighbours_sha256.to_owned(),
        }
    }
}

/// The weight of a feature, after standardisation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FeatureWeight {
    /// The feature.
    pub feature: Feature,
    /// Its mean over the dev photos.
    pub mean: f64,
    /// Its standard deviation; above zero.
    pub deviation: f64,
    /// Its weight.
    pub weight: f64,
}

/// A calibration, fitted on dev photos.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedCalibration")]
pub struct Calibration {
    /// The search for which it holds.
    pub search: CalibratedSearch,
    /// The weights.
    pub weights: Vec<FeatureWeight>,
    /// The log-odds where all features have their means.
    pub bias: f64,
    /// The similarity below which only one in a hundred dev photos has its nearest training image; none where the
    /// neighbour index lacks training images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfamiliar: Option<f64>,
}

/// A calibration as it is read.
#[derive(Deserialize)]
struct UncheckedCalibration {
    search: CalibratedSearch,
    weights: Vec<FeatureWeight>,
    bias: f64,
    #[serde(default)]
    unfamiliar: Option<f64>,
}

impl TryFrom<UncheckedCalibration> for Calibration {
    type Error = &'static str;

    fn try_from(unchecked: UncheckedCalibration) -> Result<Self, Self::Error> {
        let UncheckedCalibration { search, weights, bias, unfamiliar } = unchecked;
        let is_usable = |value: f64| value.abs() < LARGEST;
        let are_usable = weights.iter().all(|of| {
            is_usable(of.mean)
                && is_usable(of.weight)
                && is_usable(of.deviation)
                && of.deviation > SMALLEST
        });
        let occurs_once = |feature| weights.iter().filter(|of| of.feature == feature).count() <= 1;
        if !(are_usable && is_usable(bias) && unfamiliar.is_none_or(is_usable)) {
            return Err("a number of the confidence cannot be used");
        }
        if weights.is_empty()
            || weights.len() > Feature::ALL.len()
            || !Feature::ALL.into_iter().all(occurs_once)
        {
            return Err("the confidence needs each feature once at most, and at least one");
        }
        Ok(Self { search, weights, bias, unfamiliar })
    }
}

/// Bounds of the numbers of a calibration, so that log-odds are finite.
const LARGEST: f64 = 1e9;
const SMALLEST: f64 = 1e-9;

impl Calibration {
    /// The probability that the first of several captions of a photo is right; none without evidence.
    #[must_use]
    pub fn confidence(&self, captions: &[Hypothesis]) -> Option<f32> {
        let mut log_odds = self.bias;
        for of in &self.weights {
            let value = of.feature.of_first(captions)?;
            log_odds += of.weight * (value - of.mean) / of.deviation;
        }
        let confidence = 1.0 / (1.0 + (-log_odds).exp());
        confidence.is_finite().then_some(confidence as f32)
    }

    /// Whether the training image that is nearest to the photo of these captions is farther than those of almost all dev
    /// photos; false where that is not known.
    #[must_use]
    pub fn is_unfamiliar(&self, captions: &[Hypothesis]) -> bool {
        let (Some(least), Some(nearest)) =
            (self.unfamiliar, Feature::Similarity.of_first(captions))
        else {
            return false;
        };
        nearest < least
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;
    use crate::search::Support;

    fn caption(score: f32, consensus: f32) -> Hypothesis {
        Hypothesis {
            words: vec![5, 6, 7],
            word_log_probabilities: vec![-0.5, -2.0, -0.25],
            attention: Array2::zeros([3, 1]),
            log_probability: -3.0,
            score,
            finished: true,
            support: Some(Support { consensus, words: 0.5, similarity: 0.75 }),
        }
    }

    #[test]
    fn features_describe_the_first_caption() {
        let captions = [caption(2.0, 0.25), caption(0.5, 0.0)];
        let found = Feature::ALL.map(|feature| feature.of_first(&captions).unwrap());
        for (found, expected) in found.iter().zip([-0.75, -2.0, 1.5, 0.25, 0.5, 0.75, 3.0]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        let alone = Hypothesis { support: None, ..caption(2.0, 0.25) };
        assert_eq!(Feature::Length.of_first(&[alone]), None);
        assert_eq!(Feature::Length.of_first(&[]), None);
    }

    #[test]
    fn numbers_that_cannot_be_used_are_refused() {
        let read = |weights: &str, bias: &str| {
            let search = r#"{"views": ["original"], "beam": 10, "neighbours_sha256": "ab"}"#;
            let text = format!(
                r#"{{"search": {search}, "weights": [{weights}], "bias": {bias}, "unfamiliar": 0}}"#
            );
            serde_json::from_str::<Calibration>(&text).map_err(|error| error.to_string())
        };
        let weight = |deviation: &str| {
            format!(r#"{{"feature": "margin", "mean": 0, "deviation": {deviation}, "weight": 1}}"#)
        };
        let sound = read(&weight("0.5"), "0.1").unwrap();
        assert_eq!(sound.search.options.max_length, SearchOptions::default().max_length);
        for wrong in ["0", "-1", "1e-300", "1e308"] {
            assert!(read(&weight(wrong), "0").unwrap_err().contains("cannot be used"), "{wrong}");
        }
        assert!(read(&weight("1"), "1e308").is_err() && read("", "0").is_err());
        let twice = format!("{},{}", weight("1"), weight("1"));
        assert!(read(&twice, "0").unwrap_err().contains("each feature once"));
    }

    #[test]
    fn more_consensus_is_more_confidence() {
        let weight =
            FeatureWeight { feature: Feature::Consensus, mean: 0.5, deviation: 0.25, weight: 2.0 };
        let search = CalibratedSearch::new(&[View::Original], &SearchOptions::default(), "ab");
        let calibration =
            Calibration { search, weights: vec![weight], bias: 0.0, unfamiliar: Some(0.8) };
        let confidence = |consensus| calibration.confidence(&[caption(0.0, consensus)]).unwrap();
        assert!((confidence(0.5) - 0.5).abs() < 1e-6);
        assert!((confidence(0.75) - 0.880_797).abs() < 1e-5 && confidence(0.0) < 0.05);
        // The nearest training image has a similarity of 0.75.
        let is_unfamiliar = |unfamiliar| {
            let calibration = Calibration { unfamiliar, ..calibration.clone() };
            calibration.is_unfamiliar(&[caption(0.0, 0.5)])
        };
        assert_eq!([Some(0.8), Some(0.7), None].map(is_unfamiliar), [true, false, false]);
    }
}
