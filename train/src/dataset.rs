//! Captions and store together: what is trained on and what is scored.

use data::tokens::tokenize;
use data::vocabulary::WordId;
use data::{Captions, Split, Splits, Vocabulary};
use features::FeatureStore;

/// An image to train on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingImage {
    /// Its row in the store.
    pub row: usize,
    /// Its captions, without start and end.
    pub captions: Vec<Vec<WordId>>,
}

impl TrainingImage {
    /// Words of the longest caption.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.captions.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// An image to score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoredImage {
    /// Its name.
    pub image: String,
    /// Its row in the store.
    pub row: usize,
    /// The tokens of its captions.
    pub references: Vec<Vec<String>>,
}

/// What fits together of captions and store, and what does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched<T> {
    /// The images of the split that have both captions and a grid.
    pub images: Vec<T>,
    /// Captioned images of the split without a grid in the store.
    pub without_grid: usize,
}

/// The training images.
#[must_use]
pub fn training(
    captions: &Captions,
    splits: &Splits,
    vocabulary: &Vocabulary,
    store: &FeatureStore,
) -> Matched<TrainingImage> {
    matched(captions, splits, Split::Train, store, |_, row, captions| TrainingImage {
        row,
        captions: captions.into_iter().map(|tokens| vocabulary.encode(&tokens)).collect(),
    })
}

/// The images of a split, to be scored.
#[must_use]
pub fn scored(
    captions: &Captions,
    splits: &Splits,
    split: Split,
    store: &FeatureStore,
) -> Matched<ScoredImage> {
    matched(captions, splits, split, store, |image, row, references| ScoredImage {
        image: image.to_owned(),
        row,
        references,
    })
}

fn matched<T>(
    captions: &Captions,
    splits: &Splits,
    split: Split,
    store: &FeatureStore,
    make: impl Fn(&str, usize, Vec<Vec<String>>) -> T,
) -> Matched<T> {
    let mut matched = Matched { images: Vec::new(), without_grid: 0 };
    for of in captions.iter().filter(|of| splits.of(&of.image) == Some(split)) {
        let tokens = of.captions.iter().map(|caption| tokenize(caption));
        let tokens = tokens.filter(|tokens| !tokens.is_empty()).collect::<Vec<_>>();
        match store.find(&of.image) {
            Some(row) if !tokens.is_empty() => matched.images.push(make(&of.image, row, tokens)),
            Some(_) => {}
            None => matched.without_grid += 1,
        }
    }
    matched
}
