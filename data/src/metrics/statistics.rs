//! Statistics of captions that scores do not show: variety, completeness, and captions copied from the training set.

use std::collections::HashSet;

use serde::Serialize;

/// Words that cannot end a complete caption.
const OPEN: &[&str] = &[
    "a", "an", "and", "another", "are", "as", "at", "by", "for", "from", "her", "his", "in",
    "into", "is", "its", "of", "on", "onto", "or", "the", "their", "to", "while", "with",
];

/// Statistics of a set of captions. Shares are fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CaptionStatistics {
    /// The number of captions.
    pub captions: usize,
    /// The number of unique captions.
    pub distinct_captions: usize,
    /// The number of unique words.
    pub vocabulary: usize,
    /// Words per caption.
    pub mean_length: f64,
    /// The share of captions that end in a word that cannot end one, such as `a` or `with`.
    pub unfinished: f64,
    /// The share of captions that are exactly a training caption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_in_training: Option<f64>,
}

impl CaptionStatistics {
    /// Counts tokenized captions, and compares them with tokenized training captions if there are any.
    #[must_use]
    pub fn count(captions: &[&[String]], training: Option<&HashSet<Vec<String>>>) -> Self {
        let share = |holds: &dyn Fn(&[String]) -> bool| {
            let count = captions.iter().filter(|caption| holds(caption)).count();
            count as f64 / captions.len().max(1) as f64
        };
        let words = captions.iter().map(|caption| caption.len()).sum::<usize>();
        let is_open = |word: &String| OPEN.contains(&word.as_str());
        Self {
            captions: captions.len(),
            distinct_captions: captions.iter().collect::<HashSet<_>>().len(),
            vocabulary: captions.iter().copied().flatten().collect::<HashSet<_>>().len(),
            mean_length: words as f64 / captions.len().max(1) as f64,
            unfinished: share(&|caption| caption.last().is_none_or(is_open)),
            seen_in_training: training.map(|seen| share(&|caption| seen.contains(caption))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::tokenize;

    #[test]
    fn three_captions_are_counted() {
        let captions = ["A dog runs .", "a dog runs", "a man with a"].map(tokenize);
        let captions = captions.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let training = HashSet::from([tokenize("A man with a hat."), tokenize("A dog runs!")]);
        let statistics = CaptionStatistics::count(&captions, Some(&training));
        assert_eq!(
            (statistics.captions, statistics.distinct_captions, statistics.vocabulary),
            (3, 2, 5)
        );
        assert!((statistics.mean_length - 10.0 / 3.0).abs() < 1e-12);
        assert!((statistics.unfinished - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(statistics.seen_in_training, Some(2.0 / 3.0));
        assert_eq!(CaptionStatistics::count(&captions, None).seen_in_training, None);
    }
}
