//! CIDEr-D (Vedantam et al., arXiv 1411.5726), which the reference scorer prints as CIDEr.

use super::DocumentFrequencies;
use super::ngrams::{Corpus, Count, Counted, CountedImage, MAX_N};

/// Width of the penalty on a difference in length.
const SIGMA: f64 = 6.0;
const SCALE: f64 = 10.0;

/// CIDEr-D of each image.
pub(super) fn per_image(corpus: &Corpus, given: Option<&DocumentFrequencies>) -> Vec<f64> {
    let rarity = match given {
        Some(given) => given_rarity(given, corpus),
        None => own_rarity(corpus),
    };
    let of_image = |image: &CountedImage| {
        let hypothesis = Weighted::new(&image.hypothesis, &rarity);
        let similarity = |reference| hypothesis.similarity(&Weighted::new(reference, &rarity));
        let total = image.references.iter().map(similarity).sum::<f64>();
        SCALE * total / image.references.len().max(1) as f64
    };
    corpus.images.iter().map(of_image).collect()
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

/// A caption as tf-idf vectors, one for each n: an n-gram weighs its count times its rarity.
struct Weighted<'a> {
    caption: &'a Counted,
    rarity: &'a Rarity,
    norms: [f64; MAX_N],
}

impl<'a> Weighted<'a> {
    fn new(caption: &'a Counted, rarity: &'a Rarity) -> Self {
        let square = |at: usize| {
            let weights = caption.counts[at].iter().map(|count| weight(*count, &rarity[at]));
            weights.map(|weight| weight * weight).sum::<f64>()
        };
        Self { caption, rarity, norms: std::array::from_fn(|at| square(at).sqrt()) }
    }

    /// The mean over n of the clipped cosine, damped by the difference in length. The reference
    /// scorer measures length in bigrams.
    fn similarity(&self, reference: &Self) -> f64 {
        let bigrams = |of: &Self| of.caption.words.len().saturating_sub(1) as f64;
        let difference = bigrams(self) - bigrams(reference);
        let damping = (-difference * difference / (2.0 * SIGMA * SIGMA)).exp();
        let cosine = |at: usize| {
            let dot = self.clipped_dot(reference, at);
            let norms = self.norms[at] * reference.norms[at];
            if norms == 0.0 { dot } else { dot / norms }
        };
        (0..MAX_N).map(cosine).sum::<f64>() / MAX_N as f64 * damping
    }

    fn clipped_dot(&self, reference: &Self, at: usize) -> f64 {
        let mut others = reference.caption.counts[at].iter().peekable();
        let mut dot = 0.0;
        for count in &self.caption.counts[at] {
            while others.next_if(|other| other.0 < count.0).is_some() {}
            if let Some(other) = others.next_if(|other| other.0 == count.0) {
                let other = weight(*other, &self.rarity[at]);
                dot += weight(*count, &self.rarity[at]).min(other) * other;
            }
        }
        dot
    }
}

fn weight((ngram, count): Count, rarity: &[f64]) -> f64 {
    f64::from(count) * rarity[ngram as usize]
}
