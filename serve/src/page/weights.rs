//! Weights of the captions of a photo.

use models::Caption;
use serde::Serialize;

use super::Language;

/// A caption and its weight among the candidates.
#[derive(Debug, Serialize)]
pub(super) struct WeightedCaption {
    pub(super) text: String,
    pub(super) share: f64,
    percent: String,
}

/// Weighs captions by their scores: the share of each is the softmax of its score. Truncated captions are ordered after
/// complete ones regardless of their score, so they are skipped unless all are truncated.
pub(super) fn weigh(captions: &[Caption], language: Language) -> Vec<WeightedCaption> {
    let Some(best) = captions.first() else { return Vec::new() };
    let alike = || captions.iter().filter(|caption| caption.finished == best.finished);
    let beside_best = |caption: &Caption| f64::from(caption.score - best.score).exp();
    let sum = alike().map(beside_best).sum::<f64>();
    let weighted = alike().map(|caption| {
        let share = beside_best(caption) / sum;
        let percent = language.decimal(&format!("{:.1}%", 100.0 * share));
        WeightedCaption { text: caption.sentence(), share, percent }
    });
    weighted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caption(text: &str, log_probability: f32, score: f32, finished: bool) -> Caption {
        let (words, confidence) = (Vec::new(), None);
        Caption { text: text.to_owned(), log_probability, score, finished, confidence, words }
    }

    /// A short caption may be more probable than a long one with a better score.
    #[test]
    fn weights_fall_in_the_order_of_the_captions() {
        let captions = [
            caption("a dog runs through tall grass", -8.0, -2.0, true),
            caption("a dog", -3.0, -2.25, true),
            caption("a dog runs", -5.0, -2.5, true),
            caption("a dog and a", -1.0, -0.5, false),
        ];
        let weighed = weigh(&captions, Language::Vi);
        let texts = weighed.iter().map(|one| one.text.as_str()).collect::<Vec<_>>();
        assert_eq!(texts, ["A dog runs through tall grass.", "A dog.", "A dog runs."]);
        assert!(weighed.is_sorted_by(|one, next| one.share >= next.share), "{weighed:?}");
        assert!((weighed.iter().map(|one| one.share).sum::<f64>() - 1.0).abs() < 1e-9);
        let percents = weighed.iter().map(|one| one.percent.as_str()).collect::<Vec<_>>();
        assert_eq!(percents, ["41,9%", "32,6%", "25,4%"]);
    }

    #[test]
    fn captions_that_are_all_truncated_are_weighed() {
        let captions = [caption("a a", -2.0, -1.0, false), caption("a b", -3.0, -1.5, false)];
        assert_eq!(weigh(&captions, Language::En).len(), 2);
        assert!(weigh(&[], Language::En).is_empty());
    }
}
