//! How reliable a confidence is: the confidence of captions against the share of them that is right.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Number of bins.
const BINS: usize = 10;
/// Number of draws for the calibration error of a perfectly calibrated confidence.
const DRAWS: usize = 200;
/// The difference by which means of equal confidences may be out of order.
const ROUNDING: f64 = 1e-9;

/// How reliable a confidence is. Probabilities and errors are fractions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedReliability")]
pub struct Reliability {
    /// The captions in the order of their confidence, in bins of equal size; fewer bins for fewer captions.
    pub bins: Vec<Bin>,
    /// The expected calibration error: the mean over captions of the difference of confidence and share in their bin.
    pub calibration_error: f64,
    /// The same of a perfectly calibrated confidence: the mean over draws.
    pub error_by_chance: f64,
    /// The mean squared difference of confidence and outcome.
    pub brier: f64,
    /// The probability that a right caption has a higher confidence than a wrong one.
    pub auroc: f64,
}

/// Captions of similar confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bin {
    /// Number of captions, at least one.
    pub captions: usize,
    /// Number of them that are right.
    pub right: usize,
    /// The mean confidence.
    pub confidence: f64,
}

impl Bin {
    fn new(pairs: &[(f64, bool)]) -> Self {
        Self {
            captions: pairs.len(),
            right: pairs.iter().filter(|(_, right)| *right).count(),
            confidence: pairs.iter().map(|(of, _)| of).sum::<f64>() / pairs.len().max(1) as f64,
        }
    }

    /// The share of right captions.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.right as f64 / self.captions.max(1) as f64
    }

    /// The 95 % interval of the share (Wilson 1927).
    #[must_use]
    pub fn interval(&self) -> [f64; 2] {
        /// The quantile of the normal distribution, squared.
        const Z2: f64 = 1.96 * 1.96;
        let (number, share) = (self.captions.max(1) as f64, self.share());
        let middle = share + Z2 / (2.0 * number);
        let spread = (Z2 * (share * (1.0 - share) + Z2 / (4.0 * number)) / number).sqrt();
        [middle - spread, middle + spread]
            .map(|bound| (bound / (1.0 + Z2 / number)).clamp(0.0, 1.0))
    }

    fn is_sound(&self) -> bool {
        self.captions > 0 && self.right <= self.captions && is_share(self.confidence)
    }
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

    /// Number of captions.
    #[must_use]
    pub fn captions(&self) -> usize {
        self.bins.iter().map(|bin| bin.captions).sum()
    }

    /// The share of right captions.
    #[must_use]
    pub fn share(&self) -> f64 {
        let right = self.bins.iter().map(|bin| bin.right).sum::<usize>();
        right as f64 / self.captions().max(1) as f64
    }
}

/// A reliability as it is read.
#[derive(Deserialize)]
struct UncheckedReliability {
    bins: Vec<Bin>,
    calibration_error: f64,
    error_by_chance: f64,
    brier: f64,
    auroc: f64,
}

impl TryFrom<UncheckedReliability> for Reliability {
    type Error = &'static str;

    fn try_from(unchecked: UncheckedReliability) -> Result<Self, Self::Error> {
        let UncheckedReliability { bins, calibration_error, error_by_chance, brier, auroc } =
            unchecked;
        let are_sound = !bins.is_empty()
            && bins.len() <= BINS
            && bins.iter().all(Bin::is_sound)
            && bins.is_sorted_by(|one, other| one.confidence <= other.confidence + ROUNDING)
            && [calibration_error, error_by_chance, brier, auroc].into_iter().all(is_share);
        if !are_sound {
            return Err("a number of the reliability cannot be used");
        }
        Ok(Self { bins, calibration_error, error_by_chance, brier, auroc })
    }
}

fn is_share(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

/// The bins of sorted pairs, without empty ones.
fn bins(pairs: &[(f64, bool)]) -> Vec<Bin> {
    let edge = |bin: usize| bin * pairs.len() / BINS;
    let all = (0..BINS).map(|bin| Bin::new(&pairs[edge(bin)..edge(bin + 1)]));
    all.filter(|bin| bin.captions > 0).collect()
}

fn calibration_error(bins: &[Bin]) -> f64 {
    let of_bin = |bin: &Bin| bin.captions as f64 * (bin.confidence - bin.share()).abs();
    let captions = bins.iter().map(|bin| bin.captions).sum::<usize>();
    bins.iter().map(of_bin).sum::<f64>() / captions.max(1) as f64
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

    #[test]
    fn ties_count_half_and_order_alone_matters_for_auroc() {
        let area = |pairs: &[(f64, bool)]| auroc(pairs);
        assert!(
            (area(&[(0.1, false), (0.2, true), (0.3, false), (0.4, true)]) - 0.75).abs() < 1e-9
        );
        assert!((area(&[(0.5, false), (0.5, true)]) - 0.5).abs() < 1e-9);
        assert!((area(&[(0.5, true)]) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn few_captions_have_few_bins_and_their_whole_error() {
        let found = Reliability::new(&[0.25, 0.75], &[true, true]);
        let bin = |confidence| Bin { captions: 1, right: 1, confidence };
        assert_eq!(found.bins, [bin(0.25), bin(0.75)]);
        assert!((found.calibration_error - 0.5).abs() < 1e-9, "{found:?}");
        assert_eq!(found.captions(), 2);
        assert!((found.share() - 1.0).abs() < 1e-9);
    }

    /// The example of Newcombe (1998), table I: 15 of 148.
    #[test]
    fn the_interval_of_a_share_is_that_of_wilson() {
        let [low, high] = Bin { captions: 148, right: 15, confidence: 0.1 }.interval();
        assert!((low - 0.0624).abs() < 1e-4 && (high - 0.1605).abs() < 1e-4, "{low} {high}");
        let [low, high] = Bin { captions: 10, right: 0, confidence: 0.1 }.interval();
        assert!(low.abs() < 1e-9 && (0.25..0.3).contains(&high), "{low} {high}");
    }

    #[test]
    fn numbers_that_cannot_be_measured_are_refused() {
        let sound = Reliability::new(&[0.25, 0.5, 0.75], &[false, true, true]);
        let text = serde_json::to_string(&sound).unwrap();
        let read = |text: &str| serde_json::from_str::<Reliability>(text);
        assert_eq!(read(&text).unwrap(), sound);
        for (part, wrong) in [
            ("\"captions\":1,\"right\":0", "\"captions\":0,\"right\":0"),
            ("\"captions\":1,\"right\":0", "\"captions\":1,\"right\":2"),
            ("\"confidence\":0.25", "\"confidence\":0.8"),
            ("\"confidence\":0.75", "\"confidence\":1e9"),
            ("\"auroc\":1.0", "\"auroc\":-1"),
            ("\"brier\"", "\"other\""),
        ] {
            assert!(text.contains(part), "{part} {text}");
            assert!(read(&text.replacen(part, wrong, 1)).is_err(), "{wrong}");
        }
        assert!(read(&serde_json::to_string(&Reliability::new(&[], &[])).unwrap()).is_err());
        let equal = Reliability::new(&[0.1 + 0.2; 37], &[true; 37]);
        assert!(read(&serde_json::to_string(&equal).unwrap()).is_ok(), "{equal:?}");
    }
}
