//! CIDEr-D (Vedantam et al., arXiv 1411.5726), which the reference scorer prints as CIDEr.

use super::DocumentFrequencies;
use super::ngrams::{Corpus, Count, Counted, CountedImage, MAX_N, Numbering};
use crate::vocabulary::{END, WordId};

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
        let references = image.references.iter().map(|counted| Weighted::new(counted, &rarity));
        hypothesis.cider_d(references)
    };
    corpus.images.iter().map(of_image).collect()
}

/// CIDEr-D of captions as they are sampled while a network trains on it (Rennie et al.,
/// arXiv 1612.00563). Words are those of a vocabulary, and the end of a caption is one of them: a
/// caption that was cut off shares no n-gram with it.
#[derive(Debug)]
pub struct CaptionReward {
    numbering: Numbering<WordId>,
    rarity: Rarity,
    log_images: f64,
    images: Vec<Vec<Reference>>,
}

#[derive(Debug)]
struct Reference {
    counted: Counted,
    norms: [f64; MAX_N],
}

impl CaptionReward {
    /// Counts the references of images, which end with [`END`]; documents are these images.
    pub fn new<'a>(images: impl IntoIterator<Item = Vec<&'a [WordId]>>) -> Self {
        let mut numbering = Numbering::for_words(0);
        let counted = images.into_iter().map(|references| {
            references.iter().map(|words| numbering.count(words.iter().copied())).collect()
        });
        let counted = counted.collect::<Vec<Vec<Counted>>>();
        let references = counted.iter().map(|of_image| of_image.iter());
        let rarity = rarity_among(&references, numbering.ngrams());
        let images = counted.into_iter().map(|of_image| {
            let reference = |counted| Reference { norms: norms(&counted, &rarity), counted };
            of_image.into_iter().map(reference).collect()
        });
        let images = images.collect::<Vec<_>>();
        Self { numbering, log_images: (images.len() as f64).ln(), images, rarity }
    }

    /// CIDEr-D of a caption of the image that was given as number `image`; 0 for a caption without
    /// [`END`].
    pub fn of(&mut self, image: usize, caption: &[WordId]) -> f64 {
        if caption.last() != Some(&END) {
            return 0.0;
        }
        let counted = self.numbering.count(caption.iter().copied());
        for (rarity, ngrams) in self.rarity.iter_mut().zip(self.numbering.ngrams()) {
            rarity.resize(ngrams, self.log_images);
        }
        let rarity = &self.rarity;
        let references = self.images.get(image).map_or(&[][..], Vec::as_slice).iter();
        Weighted::new(&counted, rarity).cider_d(references.map(|reference| Weighted {
            caption: &reference.counted,
            rarity,
            norms: reference.norms,
        }))
    }
}

/// The inverse document frequency of each n-gram, by n and number: ln of all images over those whose
/// references hold it, at least one.
type Rarity = [Vec<f64>; MAX_N];

fn own_rarity(corpus: &Corpus) -> Rarity {
    rarity_among(&corpus.images.iter().map(|image| image.references.iter()), corpus.ngrams())
}

/// The rarity of n-grams among images, each with its references.
fn rarity_among<'a, R: Iterator<Item = &'a Counted> + Clone>(
    images: &(impl ExactSizeIterator<Item = R> + Clone),
    ngrams: [usize; MAX_N],
) -> Rarity {
    const NOWHERE: usize = usize::MAX;
    let log_images = (images.len() as f64).ln();
    std::array::from_fn(|at| {
        let mut documents = vec![(0.0_f64, NOWHERE); ngrams[at]];
        for (document, references) in images.clone().enumerate() {
            for (ngram, _) in references.flat_map(|counted| &counted.counts[at]) {
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
        Self { caption, rarity, norms: norms(caption, rarity) }
    }

    /// The mean similarity to references, scaled.
    fn cider_d<'r>(&self, references: impl ExactSizeIterator<Item = Weighted<'r>>) -> f64 {
        let count = references.len().max(1) as f64;
        SCALE * references.map(|reference| self.similarity(&reference)).sum::<f64>() / count
    }

    /// The mean over n of the clipped cosine, damped by the difference in length. The reference
    /// scorer measures length in bigrams.
    fn similarity(&self, reference: &Weighted) -> f64 {
        let bigrams = |of: &Weighted| of.caption.words.len().saturating_sub(1) as f64;
        let difference = bigrams(self) - bigrams(reference);
        let damping = (-difference * difference / (2.0 * SIGMA * SIGMA)).exp();
        let cosine = |at: usize| {
            let dot = self.clipped_dot(reference, at);
            let norms = self.norms[at] * reference.norms[at];
            if norms == 0.0 { dot } else { dot / norms }
        };
        (0..MAX_N).map(cosine).sum::<f64>() / MAX_N as f64 * damping
    }

    fn clipped_dot(&self, reference: &Weighted, at: usize) -> f64 {
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

/// The lengths of a caption's tf-idf vectors.
fn norms(caption: &Counted, rarity: &Rarity) -> [f64; MAX_N] {
    std::array::from_fn(|at| {
        let weights = caption.counts[at].iter().map(|count| weight(*count, &rarity[at]));
        weights.map(|weight| weight * weight).sum::<f64>().sqrt()
    })
}

fn weight((ngram, count): Count, rarity: &[f64]) -> f64 {
    f64::from(count) * rarity[ngram as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Item, score};

    /// The reward is the score, with the end as a word and over the same documents.
    #[test]
    fn the_reward_is_the_score_of_captions_with_their_end() {
        let references: [&[&[WordId]]; 3] = [
            &[&[5, 6, 7, END], &[5, 8, END]],
            &[&[9, 6, 7, 10, END], &[9, 5, END], &[5, 6, END]],
            &[&[11, 12, END], &[5, 11, END]],
        ];
        let captions: [&[WordId]; 3] = [&[5, 6, 7, 6, END], &[9, 6, 13, 7, END], &[5, 11, 12, END]];
        let text = |words: &[WordId]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let items = references.iter().zip(captions).map(|(references, caption)| Item {
            references: references.iter().map(|words| text(words)).collect(),
            hypothesis: text(caption),
        });
        let expected = score(&items.collect::<Vec<_>>(), None);
        let mut reward = CaptionReward::new(references.iter().map(|of_image| of_image.to_vec()));
        for _ in 0..2 {
            for (image, caption) in captions.iter().enumerate() {
                let found = reward.of(image, caption);
                assert!((found - expected[image].scores().cider()).abs() < 1e-12, "{found}");
                assert!(found > 0.0);
            }
        }
        assert_eq!(reward.of(0, &[5, 6, 7]).to_bits(), 0.0_f64.to_bits());
    }
}
