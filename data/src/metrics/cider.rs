//! CIDEr-D (Vedantam et al., arXiv 1411.5726), which the reference scorer prints as CIDEr.

use super::DocumentFrequencies;
use super::ngrams::{Corpus, Counted, MAX_N};

/// Width of the penalty on a difference in length.
const SIGMA: f64 = 6.0;
const SCALE: f64 = 10.0;

/// A caption as tf-idf vectors, one for each n, in the order of the n-grams.
struct Vectors {
    weights: [Vec<Weight>; MAX_N],
    norms: [f64; MAX_N],
    /// The reference scorer measures length in bigrams.
    bigrams: f64,
}

/// The number of an n-gram, and its tf-idf.
type Weight = (u32, f64);

/// CIDEr-D of each image.
pub(super) fn per_image(corpus: &Corpus, given: Option<&DocumentFrequencies>) -> Vec<f64> {
    let rarity = match given {
        Some(given) => given_rarity(given, corpus),
        None => own_rarity(corpus),
    };
    corpus
        .images
        .iter()
        .map(|image| {
            let hypothesis = Vectors::new(&image.hypothesis, &rarity);
            let similarity =
                |counted: &Counted| hypothesis.similarity(&Vectors::new(counted, &rarity));
            let total = image.references.iter().map(similarity).sum::<f64>();
            SCALE * total / image.references.len().max(1) as f64
        })
        .collect()
}

/// The inverse document frequency of each n-gram, by n and number: ln of all images over those whose
/// references hold it, at least one.
type Rarity = [Vec<f64>; MAX_N];

fn own_rarity(corpus: &Corpus) -> Rarity {
    const NOWHERE: usize = usize::MAX;
    let log_images = (corpus.images.len() as f64).ln();
    let ngrams = corpus.ngrams();
    std::array::from_fn(|at| {
        let mut documents = vec![(0.0_f64, NOWHERE); ngrams[at]];
        for (document, image) in corpus.images.iter().enumerate() {
            for (ngram, _) in image.references.iter().flat_map(|counted| &counted.counts[at]) {
                let (count, last) = &mut documents[*ngram as usize];
                if *last != document {
                    *count += 1.0;
                    *last = document;
                }
            }
        }
        documents.into_iter().map(|(count, _)| log_images - count.max(1.0).ln()).collect()
    })
}

/// The same from frequencies that were counted elsewhere.
fn given_rarity(given: &DocumentFrequencies, corpus: &Corpus) -> Rarity {
    let log_images = (given.images() as f64).ln();
    let mut rarity = corpus.ngrams().map(|ngrams| vec![log_images; ngrams]);
    for (words, count) in given.iter() {
        if let Some((at, ngram)) = corpus.ngram(words) {
            rarity[at][ngram as usize] = log_images - f64::from(count.max(1)).ln();
        }
    }
    rarity
}

impl Vectors {
    fn new(counted: &Counted, rarity: &Rarity) -> Self {
        let weights: [Vec<Weight>; MAX_N] = std::array::from_fn(|at| {
            let counts = counted.counts[at].iter();
            counts
                .map(|&(ngram, count)| (ngram, f64::from(count) * rarity[at][ngram as usize]))
                .collect()
        });
        let norms = std::array::from_fn(|at| {
            weights[at].iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt()
        });
        Self { weights, norms, bigrams: counted.words.len().saturating_sub(1) as f64 }
    }

    /// The mean over n of the clipped cosine, damped by the difference in length.
    fn similarity(&self, reference: &Self) -> f64 {
        let difference = self.bigrams - reference.bigrams;
        let damping = (-difference * difference / (2.0 * SIGMA * SIGMA)).exp();
        let cosine = |at: usize| {
            let dot = clipped_dot(&self.weights[at], &reference.weights[at]);
            let norms = self.norms[at] * reference.norms[at];
            if norms == 0.0 { dot } else { dot / norms }
        };
        (0..MAX_N).map(cosine).sum::<f64>() / MAX_N as f64 * damping
    }
}

fn clipped_dot(hypothesis: &[Weight], reference: &[Weight]) -> f64 {
    let mut reference = reference.iter().peekable();
    let mut dot = 0.0;
    for (ngram, weight) in hypothesis {
        while reference.next_if(|(other, _)| other < ngram).is_some() {}
        if let Some((_, other)) = reference.next_if(|(other, _)| other == ngram) {
            dot += weight.min(*other) * other;
        }
    }
    dot
}
