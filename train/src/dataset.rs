//! Captions and store together: what is trained on and what is scored.

use std::collections::HashSet;

use data::tokens::tokenize;
use data::vocabulary::{END, WordId};
use data::{Captions, Split, Splits, Vocabulary};
use features::{FeatureStore, ORIGINAL};

use crate::Result;

/// The name of the mirrored view.
const FLIP: &str = "flip";

/// A caption to train on.
#[derive(Debug, Clone, PartialEq)]
pub struct Caption {
    /// Its words; [`END`] is the last one, unless the caption was cut off.
    pub words: Vec<WordId>,
    /// How much its words count in the loss.
    pub weight: f32,
}

impl Caption {
    /// A whole caption that somebody wrote.
    #[must_use]
    pub fn written(mut words: Vec<WordId>) -> Self {
        words.push(END);
        Self { words, weight: 1.0 }
    }
}

/// An image with the captions that a network is to say.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingImage {
    /// Its row in the store.
    pub row: usize,
    /// The view of the store that it is seen in.
    pub view: usize,
    /// Its captions.
    pub captions: Vec<Caption>,
}

impl TrainingImage {
    /// Words of the longest caption, its end among them.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.captions.iter().map(|caption| caption.words.len()).max().unwrap_or(0)
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

/// The images of a split, with their captions as words of the vocabulary.
#[must_use]
pub fn captioned(
    captions: &Captions,
    splits: &Splits,
    split: Split,
    vocabulary: &Vocabulary,
    store: &FeatureStore,
) -> Matched<TrainingImage> {
    let view = store.view(ORIGINAL).unwrap_or_default();
    matched(captions, splits, split, store, |_, row, captions| TrainingImage {
        row,
        view,
        captions: captions
            .into_iter()
            .map(|tokens| Caption::written(vocabulary.encode(&tokens)))
            .collect(),
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

/// A mirrored view of the images, and the words that are wrong in it.
#[derive(Debug, Clone)]
pub struct Mirror {
    view: usize,
    sides: HashSet<WordId>,
}

impl Mirror {
    /// The mirrored view of a store; an error if the store has none.
    pub fn of(store: &FeatureStore, vocabulary: &Vocabulary) -> Result<Self> {
        let words = (0..vocabulary.len() as WordId).filter(|&word| {
            let word = vocabulary.word(word);
            word.starts_with("left") || word.starts_with("right")
        });
        Ok(Self { view: store.view(FLIP)?, sides: words.collect() })
    }

    /// An image as its mirror shows it, without the captions that speak of left or right; none if no
    /// caption is left.
    #[must_use]
    pub fn image(&self, image: &TrainingImage) -> Option<TrainingImage> {
        let captions = image.captions.iter();
        let captions = captions
            .filter(|caption| !caption.words.iter().any(|word| self.sides.contains(word)))
            .cloned()
            .collect::<Vec<_>>();
        (!captions.is_empty()).then_some(TrainingImage {
            row: image.row,
            view: self.view,
            captions,
        })
    }
}
