//! Images of a data set that have both captions and a grid: training images and scored images.

use std::collections::HashSet;
use std::sync::Arc;

use common::View;
use data::corpus::CorpusImage;
use data::tokens::tokenize;
use data::vocabulary::{END, WordId};
use data::{Corpus, Split, Splits, Vocabulary};
use features::FeatureStore;
use rand::Rng;
use rand::seq::IndexedRandom as _;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::Result;
use crate::distil::SoftTargets;
use crate::grids::Grids;
use crate::words::Words;

/// A caption to train on.
#[derive(Debug, Clone, PartialEq)]
pub struct Caption {
    /// Its words; the last one is [`END`], unless the caption was truncated.
    pub words: Words,
    /// The weight of its words in the loss; none if it is that of the consensus, or 1.
    pub weight: Option<f32>,
    /// The probabilities of the words that are learned in their place, if there are any.
    pub soft: Option<Arc<SoftTargets>>,
}

impl Caption {
    /// A complete caption, whose end is added.
    #[must_use]
    pub fn written(mut words: Vec<WordId>) -> Self {
        words.push(END);
        Self::complete(words.into())
    }

    /// A caption of the data set with its end.
    fn complete(words: Words) -> Self {
        Self { words, weight: None, soft: None }
    }
}

/// An image with the captions to train on.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingImage {
    /// Its data set.
    pub set: usize,
    /// Its row in the store of the set.
    pub row: usize,
    /// Its view.
    pub view: View,
    /// Its captions.
    pub captions: Vec<Caption>,
}

impl TrainingImage {
    /// Number of words of the longest caption, its end included.
    pub(crate) fn longest(&self) -> usize {
        self.captions.iter().map(|caption| caption.words.len()).max().unwrap_or(0)
    }
}

/// An image to score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoredImage {
    /// Its name.
    pub image: String,
    /// Its name in the store: that of its file.
    pub file: String,
    /// Its row in the store.
    pub row: usize,
    /// Its captions, whose tokens are joined by spaces.
    pub references: Vec<String>,
}

impl ScoredImage {
    /// The tokens of each of its captions.
    #[must_use]
    pub fn reference_tokens(&self) -> Vec<Vec<String>> {
        let tokens = |caption: &String| caption.split(' ').map(str::to_owned).collect();
        self.references.iter().map(tokens).collect()
    }
}

/// The images of a split, by whether the store has a grid of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched<T> {
    /// The images of the split that have both captions and a grid.
    pub images: Vec<T>,
    /// Number of captioned images of the split without a grid in the store.
    pub without_grid: usize,
}

/// A data set.
#[derive(Debug)]
pub struct DataSet {
    /// Its number among the data sets of a run.
    pub number: usize,
    /// The captions of the images.
    pub corpus: Corpus,
    /// The split of each image.
    pub splits: Splits,
    /// The grids of the images.
    pub store: FeatureStore,
}

impl DataSet {
    /// Finds the images of a split, with their captions as words of the vocabulary.
    #[must_use]
    pub fn training_images(&self, split: Split, vocabulary: &Vocabulary) -> Matched<TrainingImage> {
        let words = vocabulary.encode_tokens(&self.corpus);
        self.matched(split, |image, row| TrainingImage {
            set: self.number,
            row,
            view: View::Original,
            captions: written(image, &words),
        })
    }

    /// Finds the images of a split, with their captions as references.
    #[must_use]
    pub fn scored_images(&self, split: Split) -> Matched<ScoredImage> {
        self.matched(split, |image, row| ScoredImage {
            image: image.name.to_owned(),
            file: self.store.name(row).to_owned(),
            row,
            references: image.texts().map(|tokens| tokens.join(" ")).collect(),
        })
    }

    /// The number of images of a split that have both captions and a grid.
    #[must_use]
    pub fn count(&self, split: Split) -> usize {
        self.rows(split).count()
    }

    /// The names and the rows of the images of a split that have both captions and a grid.
    pub fn rows(&self, split: Split) -> impl Iterator<Item = (&str, usize)> {
        let captioned = self.corpus.images(split).filter(|image| image.has_captions());
        captioned.filter_map(|image| Some((image.name, self.store.find(image.name)?)))
    }

    /// Makes the images of a split, whose rows are found on all cores.
    fn matched<T>(&self, split: Split, make: impl Fn(CorpusImage, usize) -> T) -> Matched<T> {
        let images = self.corpus.images(split).collect::<Vec<_>>();
        let rows = images.par_iter().map(|image| self.store.find(image.name));
        let rows = rows.collect::<Vec<_>>();
        let without_grid = rows.iter().filter(|row| row.is_none()).count();
        // On this thread: it reuses the memory of the text of captions, and other threads would not.
        let stored = images.into_iter().zip(rows).filter_map(|(image, row)| Some((image, row?)));
        let captioned = stored.filter(|(image, _)| image.has_captions());
        Matched { images: captioned.map(|(image, row)| make(image, row)).collect(), without_grid }
    }
}

/// The captions of an image in one list of words; `words` has that of each token.
fn written(image: CorpusImage, words: &[WordId]) -> Vec<Caption> {
    let captions = image.captions().count();
    let tokens = image.captions().map(<[_]>::len).sum::<usize>();
    let (mut all, mut ends) = (Vec::with_capacity(tokens + captions), Vec::with_capacity(captions));
    for tokens in image.captions() {
        all.extend(tokens.iter().map(|token| words[*token as usize]));
        all.push(END);
        ends.push(all.len());
    }
    Words::divide(all, &ends).map(Caption::complete).collect()
}

/// The views of training images, and the words that are wrong in a mirrored one.
#[derive(Debug, Clone)]
pub struct Views {
    all: Vec<View>,
    sides: HashSet<WordId>,
}

impl Views {
    /// Views that each store has. Captions with one of the `side_words` are wrong in a mirrored view.
    ///
    /// # Errors
    /// [`Error::Features`](crate::Error::Features) if a store lacks a view.
    pub fn new(
        views: &[View],
        side_words: &[String],
        grids: &Grids,
        vocabulary: &Vocabulary,
    ) -> Result<Self> {
        for store in grids.stores() {
            for &view in views.iter().chain([&View::Original]) {
                store.view(view)?;
            }
        }
        let tokens = side_words.iter().flat_map(|word| tokenize(word)).collect::<HashSet<_>>();
        let is_side = |&word: &WordId| tokens.contains(vocabulary.word(word));
        let sides = (0..vocabulary.len() as WordId).filter(is_side).collect();
        Ok(Self { all: views.to_vec(), sides })
    }

    /// One view, not mirrored.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { all: vec![View::Original], sides: HashSet::new() }
    }

    /// Shows an image in a random view. A mirrored image loses its captions with side words; if all have one, it is not
    /// mirrored.
    #[must_use]
    pub fn show(&self, image: &TrainingImage, random: &mut impl Rng) -> TrainingImage {
        let view = self.all.choose(random).copied().unwrap_or(image.view);
        if view == View::Flip {
            return self.mirror(image).unwrap_or_else(|| image.clone());
        }
        TrainingImage { view, ..image.clone() }
    }

    /// A mirrored image, if that is one of the views and a caption without side words is left.
    pub(crate) fn mirror(&self, image: &TrainingImage) -> Option<TrainingImage> {
        if !self.all.contains(&View::Flip) {
            return None;
        }
        let has_side_word =
            |caption: &Caption| caption.words.iter().any(|word| self.sides.contains(word));
        let captions = image.captions.iter().filter(|caption| !has_side_word(caption));
        let captions = captions.cloned().collect::<Vec<_>>();
        (!captions.is_empty()).then_some(TrainingImage { view: View::Flip, captions, ..*image })
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const SIDE: WordId = 9;

    fn image(captions: &[&[WordId]]) -> TrainingImage {
        let captions = captions.iter().map(|words| Caption::written(words.to_vec())).collect();
        TrainingImage { set: 0, row: 3, view: View::Original, captions }
    }

    #[test]
    fn every_view_is_shown_and_a_mirrored_image_loses_captions_with_side_words() {
        let all = vec![View::Original, View::Flip, View::TopLeft];
        let views = Views { all: all.clone(), sides: HashSet::from([SIDE]) };
        let whole = image(&[&[5, SIDE], &[5, 6], &[7]]);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut shown = [0; 3];
        for _ in 0..300 {
            let image = views.show(&whole, &mut random);
            let view = all.iter().position(|&view| view == image.view).unwrap();
            shown[view] += 1;
            assert_eq!(image.row, 3);
            let kept =
                if image.view == View::Flip { &whole.captions[1..] } else { &whole.captions[..] };
            assert_eq!(image.captions, kept);
        }
        assert!(shown.iter().all(|&times| times > 70), "{shown:?}");
        let of_sides = image(&[&[SIDE]]);
        for _ in 0..20 {
            let image = views.show(&of_sides, &mut random);
            assert!(image.view != View::Flip && image.captions == of_sides.captions);
        }
    }
}
