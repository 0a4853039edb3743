//! What scores do not show: whether a captioner says many things, whole things, and its own.

use std::collections::HashSet;

use serde::Serialize;

/// Words that do not end a caption: something must follow them.
const OPEN: &[&str] = &[
    "a", "an", "and", "another", "are", "as", "at", "by", "for", "from", "her", "his", "in",
    "into", "is", "its", "of", "on", "onto", "or", "the", "their", "to", "while", "with",
];

/// Figures over a set of captions. Shares are fractions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Health {
    /// Captions in the set.
    pub captions: usize,
    /// Captions that differ from one another.
    pub distinct_captions: usize,
    /// Words that occur at all.
    pub vocabulary: usize,
    /// Words a caption.
    pub mean_length: f64,
    /// The share of captions that end in a word that another one must follow, such as `a` or `with`.
    pub unfinished: f64,
    /// The share of captions that are training captions, word for word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen_in_training: Option<f64>,
}

impl Health {
    /// The figures of tokenised captions, and against tokenised training captions if there are any.
    #[must_use]
    pub fn of(captions: &[&[String]], training: Option<&HashSet<Vec<String>>>) -> Self {
        let share = |holds: &dyn Fn(&[String]) -> bool| {
            let count = captions.iter().filter(|caption| holds(caption)).count();
            count as f64 / captions.len().max(1) as f64
        };
        let words = captions.iter().map(|caption| caption.len()).sum::<usize>();
        let open = |word: &String| OPEN.contains(&word.as_str());
        Self {
            captions: captions.len(),
            distinct_captions: captions.iter().collect::<HashSet<_>>().len(),
            vocabulary: captions.iter().copied().flatten().collect::<HashSet<_>>().len(),
            mean_length: words as f64 / captions.len().max(1) as f64,
            unfinished: share(&|caption| caption.last().is_none_or(open)),
            seen_in_training: training.map(|seen| share(&|caption| seen.contains(caption))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::tokenize;

    #[test]
    fn figures_of_three_captions() {
        let captions = ["A dog runs .", "a dog runs", "a man with a"].map(tokenize);
        let captions = captions.iter().map(Vec::as_slice).collect::<Vec<_>>();
        let training = HashSet::from([tokenize("A man with a hat."), tokenize("A dog runs!")]);
        let health = Health::of(&captions, Some(&training));
        assert_eq!((health.captions, health.distinct_captions, health.vocabulary), (3, 2, 5));
        assert!((health.mean_length - 10.0 / 3.0).abs() < 1e-12);
        assert!((health.unfinished - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(health.seen_in_training, Some(2.0 / 3.0));
        assert_eq!(Health::of(&captions, None).seen_in_training, None);
    }
}
