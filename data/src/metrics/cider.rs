//! CIDEr-D (Vedantam et al., arXiv 1411.5726), which the reference scorer prints as CIDEr.

use std::ops::Deref;

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
        None => Documents::of(corpus.images.iter().map(|image| &*image.references)).rarity(),
    };
    let of_image = |image: &CountedImage| {
        let hypothesis = Weighted::new(&image.hypothesis, &rarity);
        let references = image.references.iter().map(|counted| Weighted::new(counted, &rarity));
        hypothesis.cider_d(references)
    };
    corpus.images.iter().map(of_image).collect()
}

/// CIDEr-D as a reward for sampled captions (self-critical training, Rennie et al., arXiv 1612.00563). Words are those of
/// a vocabulary. The end of a caption counts as a word, so a truncated caption lacks its n-grams.
#[derive(Debug)]
pub struct CaptionReward {
    numbering: Numbering<WordId>,
    rarity: Rarity,
    images: Vec<Vec<Reference>>,
}

#[derive(Debug)]
struct Reference {
    counted: Counted,
    norms: [f64; MAX_N],
}

impl CaptionReward {
    /// Counts the references of images, each of which ends with [`END`]. The images are the documents.
    pub fn new<'a>(images: impl IntoIterator<Item = Vec<&'a [WordId]>>) -> Self {
        let mut numbering = Numbering::for_words(0);
        let counted = images.into_iter().map(|references| {
            references.iter().map(|words| numbering.count(words.iter().copied())).collect()
        });
        let counted = counted.collect::<Vec<Vec<Counted>>>();
        let rarity = Documents::of(counted.iter().map(Vec::as_slice)).rarity();
        let images = counted.into_iter().map(|of_image| {
            let reference = |counted| Reference { norms: norms(&counted, &rarity), counted };
            of_image.into_iter().map(reference).collect()
        });
        Self { images: images.collect(), numbering, rarity }
    }

    /// CIDEr-D of a caption of image number `image`; 0 for a caption without [`END`].
    #[must_use]
    pub fn score(&self, image: usize, caption: &[WordId]) -> f64 {
        self.weighted_score([(image, 1.0)], caption)
    }

    /// The weighted sum of the scores of a caption as one of each image: `images` are numbers and weights.
    pub fn weighted_score(
        &self,
        images: impl IntoIterator<Item = (usize, f64)>,
        caption: &[WordId],
    ) -> f64 {
        if caption.last() != Some(&END) {
            return 0.0;
        }
        let counted = self.numbering.count_temporarily(caption.iter().copied());
        let caption = Weighted::new(&counted, &self.rarity);
        let score = |(image, weight): (usize, f64)| {
            let references = self.references(image).iter();
            weight * caption.cider_d(references.map(|reference| self.weighted(reference)))
        };
        images.into_iter().map(score).sum()
    }

    fn references(&self, image: usize) -> &[Reference] {
        self.images.get(image).map_or(&[], Vec::as_slice)
    }

    fn weighted<'a>(&'a self, reference: &'a Reference) -> Weighted<'a> {
        Weighted { caption: &reference.counted, rarity: &self.rarity, norms: reference.norms }
    }
}

/// CIDEr-D of each caption of an image against its other captions. The images are the documents; their captions are not
/// kept, so that millions of them need the memory of their different n-grams alone.
#[derive(Debug)]
pub struct Consensus {
    numbering: Numbering<WordId>,
    rarity: Rarity,
}

impl Consensus {
    /// Counts the captions of images.
    pub fn new<C: Deref<Target = [WordId]>>(images: impl IntoIterator<Item = Vec<C>>) -> Self {
        let mut numbering = Numbering::for_words(0);
        let mut documents = Documents::default();
        for captions in images {
            let counted = captions.iter().map(|words| numbering.count(words.iter().copied()));
            documents.add(&counted.collect::<Vec<_>>());
        }
        Self { rarity: documents.rarity(), numbering }
    }

    /// CIDEr-D of each of the captions of an image against the others; 0 for an only one.
    #[must_use]
    pub fn of_captions(&self, captions: &[impl Deref<Target = [WordId]>]) -> Vec<f64> {
        let count = |words: &[WordId]| self.numbering.count_temporarily(words.iter().copied());
        let counted = captions.iter().map(|words| count(words)).collect::<Vec<_>>();
        let weighted = counted.iter().map(|counted| Weighted::new(counted, &self.rarity));
        let weighted = weighted.collect::<Vec<_>>();
        let against_others = |at: usize| {
            let others = weighted[..at].iter().chain(&weighted[at + 1..]).copied();
            weighted[at].cider_d(others.collect::<Vec<_>>().into_iter())
        };
        (0..weighted.len()).map(against_others).collect()
    }
}

/// The inverse document frequency of n-grams: ln(images / images whose references contain it), at least one.
#[derive(Debug)]
struct Rarity {
    /// By n − 1 and number.
    by_ngram: [Vec<f64>; MAX_N],
    /// Of an n-gram without a number.
    unseen: f64,
}

impl Rarity {
    /// The tf-idf weight of an n-gram with this count.
    fn weight(&self, at: usize, (ngram, count): Count) -> f64 {
        let rarity = self.by_ngram[at].get(ngram as usize).copied().unwrap_or(self.unseen);
        f64::from(count) * rarity
    }
}

/// The number of documents that contain each n-gram.
#[derive(Debug, Default)]
struct Documents {
    added: u32,
    /// By n − 1 and number: the number of documents, and the last one of them, counted from 1.
    with_ngram: [Vec<(u32, u32)>; MAX_N],
}

impl Documents {
    /// The documents of images, each with its captions.
    fn of<'a>(images: impl Iterator<Item = &'a [Counted]>) -> Self {
        let mut documents = Self::default();
        images.for_each(|captions| documents.add(captions));
        documents
    }

    /// Adds the captions of an image as a document.
    fn add(&mut self, captions: &[Counted]) {
        self.added += 1;
        for (at, with_ngram) in self.with_ngram.iter_mut().enumerate() {
            for &(ngram, _) in captions.iter().flat_map(|counted| &counted.counts[at]) {
                let ngram = ngram as usize;
                if with_ngram.len() <= ngram {
                    with_ngram.resize(ngram + 1, (0, 0));
                }
                let (count, last) = &mut with_ngram[ngram];
                if *last != self.added {
                    *count += 1;
                    *last = self.added;
                }
            }
        }
    }

    fn rarity(self) -> Rarity {
        let unseen = f64::from(self.added).ln();
        let rarity = |(count, _): (u32, u32)| unseen - f64::from(count.max(1)).ln();
        let by_ngram = self.with_ngram.map(|of| of.into_iter().map(rarity).collect());
        Rarity { by_ngram, unseen }
    }
}

/// The rarity from given frequencies.
fn given_rarity(given: &DocumentFrequencies, corpus: &Corpus) -> Rarity {
    let unseen = (given.images() as f64).ln();
    let mut by_ngram = corpus.ngrams().map(|ngrams| vec![unseen; ngrams]);
    for (words, count) in given.iter() {
        if let Some((at, ngram)) = corpus.ngram(words) {
            by_ngram[at][ngram as usize] = unseen - f64::from(count.max(1)).ln();
        }
    }
    Rarity { by_ngram, unseen }
}

/// A caption as tf-idf vectors, one for each n: the weight of an n-gram is its count times its rarity.
#[derive(Clone, Copy)]
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
        let bigrams = |weighted: &Weighted| weighted.caption.words.len().saturating_sub(1) as f64;
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
                let other = self.rarity.weight(at, *other);
                dot += self.rarity.weight(at, *count).min(other) * other;
            }
        }
        dot
    }
}

/// The lengths of a caption's tf-idf vectors.
fn norms(caption: &Counted, rarity: &Rarity) -> [f64; MAX_N] {
    std::array::from_fn(|at| {
        let weights = caption.counts[at].iter().map(|count| rarity.weight(at, *count));
        weights.map(|weight| weight * weight).sum::<f64>().sqrt()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Item, score};

    /// The reward equals the score, with the end as a word and the same documents.
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
        let reward = CaptionReward::new(references.iter().map(|of_image| of_image.to_vec()));
        for (image, caption) in captions.iter().enumerate() {
            let found = reward.score(image, caption);
            assert!((found - expected[image].scores().cider()).abs() < 1e-12, "{found}");
            assert!(found > 0.0);
        }
        assert_eq!(reward.score(0, &[5, 6, 7]).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn consensus_is_the_score_against_the_others() {
        let captions: [&[WordId]; 3] =
            [&[5, 6, 7, 8, END], &[5, 6, 7, 9, END], &[10, 11, 12, 13, END]];
        let alone: &[WordId] = &[5, 6, END];
        let images = [captions.to_vec(), vec![alone]];
        let (reward, consensus) = (CaptionReward::new(images.clone()), Consensus::new(images));
        let found = consensus.of_captions(&captions);
        for (at, (caption, found)) in captions.into_iter().zip(&found).enumerate() {
            // The score of a caption against itself is ten, a third of which is in the mean over all three.
            let expected = (3.0 * reward.score(0, caption) - SCALE) / 2.0;
            assert!((found - expected).abs() < 1e-12, "{at}: {found} {expected}");
        }
        assert!(found[0] > found[2] && (found[0] - found[1]).abs() < 1e-12, "{found:?}");
        assert_eq!(consensus.of_captions(&[alone]), [0.0]);
    }
}
