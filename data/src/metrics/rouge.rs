//! ROUGE-L (Lin, ACL 2004 workshop): the longest common subsequence, as in the reference scorer.

use super::ngrams::CountedImage;

/// The weight of recall relative to precision.
const BETA: f64 = 1.2;

/// The score of one image, from the best precision and the best recall over its references, which may be those of
/// different references.
pub(super) fn rouge_l(image: &CountedImage) -> f64 {
    let hypothesis = &image.hypothesis.words;
    let mut precision = 0.0_f64;
    let mut recall = 0.0_f64;
    for reference in &image.references {
        let common = longest_common_subsequence(hypothesis, &reference.words) as f64;
        precision = precision.max(common / hypothesis.len().max(1) as f64);
        recall = recall.max(common / reference.words.len().max(1) as f64);
    }
    if precision == 0.0 || recall == 0.0 {
        return 0.0;
    }
    (1.0 + BETA * BETA) * precision * recall / (recall + BETA * BETA * precision)
}

fn longest_common_subsequence(a: &[u32], b: &[u32]) -> usize {
    let mut row = vec![0; b.len() + 1];
    for word in a {
        let mut diagonal = 0;
        for (at, other) in b.iter().enumerate() {
            let above = row[at + 1];
            row[at + 1] = if word == other { diagonal + 1 } else { above.max(row[at]) };
            diagonal = above;
        }
    }
    row[b.len()]
}
