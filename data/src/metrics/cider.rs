//! CIDEr-D (Vedantam et al., arXiv 1411.5726), which the reference scorer prints as CIDEr.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Item;
use super::ngrams::{Interner, MAX_N, Ngram, counts};

/// Width of the penalty on a difference in length.
const SIGMA: f64 = 6.0;
const SCALE: f64 = 10.0;

/// A caption as tf-idf vectors, one for each n.
struct Vectors {
    weights: [BTreeMap<Ngram, f64>; MAX_N],
    norms: [f64; MAX_N],
    /// The reference scorer measures length in bigrams.
    bigrams: f64,
}

struct Numbered {
    references: Vec<Vec<u32>>,
    hypothesis: Vec<u32>,
}

/// The mean CIDEr-D over the images; 0 without images. Document frequencies are those of the
/// given references, so the score of an image depends on the set it is scored in.
#[must_use]
pub fn cider(items: &[Item]) -> f64 {
    let scores = cider_per_image(items);
    scores.iter().sum::<f64>() / scores.len().max(1) as f64
}

/// CIDEr-D of each image.
#[must_use]
pub fn cider_per_image(items: &[Item]) -> Vec<f64> {
    let mut interner = Interner::default();
    let numbered = items
        .iter()
        .map(|item| Numbered {
            references: item.references.iter().map(|tokens| interner.intern(tokens)).collect(),
            hypothesis: interner.intern(&item.hypothesis),
        })
        .collect::<Vec<_>>();
    let frequencies = document_frequencies(&numbered);
    let log_images = (items.len() as f64).ln();
    let vectors = |words: &[u32]| Vectors::new(words, &frequencies, log_images);
    numbered
        .iter()
        .map(|item| {
            let hypothesis = vectors(&item.hypothesis);
            let similarity = |words: &Vec<u32>| hypothesis.similarity(&vectors(words));
            let total = item.references.iter().map(similarity).sum::<f64>();
            SCALE * total / item.references.len().max(1) as f64
        })
        .collect()
}

/// In the references of how many images an n-gram occurs.
fn document_frequencies(items: &[Numbered]) -> HashMap<Ngram, f64> {
    let mut frequencies = HashMap::new();
    for item in items {
        let ngrams = item
            .references
            .iter()
            .flat_map(|words| (1..=MAX_N).flat_map(|n| counts(words, n).into_keys()))
            .collect::<HashSet<_>>();
        for ngram in ngrams {
            *frequencies.entry(ngram).or_default() += 1.0;
        }
    }
    frequencies
}

impl Vectors {
    fn new(words: &[u32], frequencies: &HashMap<Ngram, f64>, log_images: f64) -> Self {
        let weights: [BTreeMap<Ngram, f64>; MAX_N] = std::array::from_fn(|at| {
            let weight = |(ngram, count): (Ngram, u32)| {
                let frequency = frequencies.get(&ngram).copied().unwrap_or(0.0).max(1.0);
                (ngram, f64::from(count) * (log_images - frequency.ln()))
            };
            counts(words, at + 1).into_iter().map(weight).collect()
        });
        let norms = std::array::from_fn(|at| {
            weights[at].values().map(|weight| weight * weight).sum::<f64>().sqrt()
        });
        Self { weights, norms, bigrams: words.len().saturating_sub(1) as f64 }
    }

    /// The mean over n of the clipped cosine, damped by the difference in length.
    fn similarity(&self, reference: &Self) -> f64 {
        let difference = self.bigrams - reference.bigrams;
        let damping = (-difference * difference / (2.0 * SIGMA * SIGMA)).exp();
        let cosine = |at: usize| {
            let dot = self.weights[at]
                .iter()
                .filter_map(|(ngram, weight)| {
                    let other = reference.weights[at].get(ngram)?;
                    Some(weight.min(*other) * other)
                })
                .sum::<f64>();
            let norms = self.norms[at] * reference.norms[at];
            if norms == 0.0 { dot } else { dot / norms }
        };
        (0..MAX_N).map(cosine).sum::<f64>() / MAX_N as f64 * damping
    }
}
