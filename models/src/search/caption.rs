//! Captions during the search and after it.

use data::vocabulary::{END, UNSAID, WordId};
use ndarray::Array2;

use super::SearchOptions;
use super::tree::{Path, Tree};

/// A caption that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Its words, without start and end.
    pub words: Vec<WordId>,
    /// The log-probability of each word.
    pub word_log_probabilities: Vec<f32>,
    /// The attention of each word, `[words, cells]`.
    pub attention: Array2<f32>,
    /// The log-probability of the whole caption, its end included if it has one.
    pub log_probability: f32,
    /// The number by which captions are compared.
    pub score: f32,
    /// Whether the network ended the caption.
    pub finished: bool,
    /// What a neighbour index says for it, once that has chosen.
    pub support: Option<Support>,
}

/// What a neighbour index says for a caption.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Support {
    /// The mean CIDEr-D against the captions of the neighbours, by their shares.
    pub consensus: f32,
    /// The cosine of the words of the caption and the probable words of the image; 0 without these.
    pub words: f32,
    /// The similarity of the nearest training image; −1 without any.
    pub similarity: f32,
}

/// A caption that continues.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Beam {
    /// Its row within the image in the step before.
    pub(super) parent: usize,
    /// Its last word in the tree.
    last: Option<usize>,
    /// Number of its words.
    length: usize,
    pub(super) log_probability: f32,
}

/// A caption that is over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ended {
    last: Option<usize>,
    log_probability: f32,
    pub(super) score: f32,
    pub(super) finished: bool,
}

/// A word that continues a caption.
#[derive(Debug, Clone, Copy)]
pub(super) struct NextWord {
    pub(super) word: WordId,
    pub(super) log_probability: f32,
    /// The row within the image, and within the step, of the caption that it continues.
    pub(super) row: usize,
    pub(super) step_row: usize,
}

impl Beam {
    pub(super) fn last_word(&self, tree: &Tree) -> Option<WordId> {
        self.last.map(|last| tree.word(last))
    }

    /// The words that may not come next.
    pub(super) fn excluded(&self, tree: &Tree, options: &SearchOptions) -> Vec<WordId> {
        let mut excluded = UNSAID.to_vec();
        if self.length < options.min_length {
            excluded.push(END);
        }
        if !options.double_words {
            excluded.extend(self.last_word(tree));
        }
        if let Some(before) = options.no_repeat_ngram.checked_sub(1)
            && let Some(start) = self.length.checked_sub(before)
        {
            let words = tree.words(self.last);
            let ngrams = words.windows(before + 1);
            let repeated = ngrams.filter(|ngram| ngram[..before] == words[start..]);
            excluded.extend(repeated.map(|ngram| ngram[before]));
        }
        excluded
    }

    /// Adds a word.
    pub(super) fn extend(&self, tree: &mut Tree, next: NextWord) -> Self {
        let NextWord { word, log_probability, row, step_row } = next;
        Self {
            parent: row,
            last: Some(tree.add(self.last, word, log_probability, step_row)),
            length: self.length + 1,
            log_probability: self.log_probability + log_probability,
        }
    }

    /// Ends the caption with the log-probability of the end.
    pub(super) fn end(&self, log_probability: f32, options: &SearchOptions) -> Ended {
        let log_probability = self.log_probability + log_probability;
        let score = score(log_probability, self.length + 1, options);
        Ended { last: self.last, log_probability, score, finished: true }
    }

    /// Ends the caption at the maximum length, truncated.
    pub(super) fn truncate(&self, options: &SearchOptions) -> Ended {
        let Self { last, log_probability, .. } = *self;
        let score = score(log_probability, self.length.max(1), options);
        Ended { last, log_probability, score, finished: false }
    }

    /// An upper bound for the scores of captions that begin like this one: the log-probability only falls, and the
    /// length is between the next word and the longest.
    pub(super) fn best_score(&self, options: &SearchOptions) -> f32 {
        let lengths = [self.length + 1, options.max_length];
        let scores = lengths.map(|length| score(self.log_probability, length, options));
        scores.into_iter().fold(f32::MIN, f32::max)
    }
}

/// The number by which captions are compared.
fn score(log_probability: f32, length: usize, options: &SearchOptions) -> f32 {
    log_probability / (length as f32).powf(options.length_exponent)
}

impl Ended {
    /// Collects the whole caption.
    pub(super) fn hypothesis(&self, tree: &Tree, attention: &[Array2<f32>]) -> Hypothesis {
        let Path { words, log_probabilities, attention } = tree.path(self.last, attention);
        Hypothesis {
            words,
            word_log_probabilities: log_probabilities,
            attention,
            log_probability: self.log_probability,
            score: self.score,
            finished: self.finished,
            support: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(words: &[WordId], options: &SearchOptions) -> Vec<WordId> {
        let mut tree = Tree::default();
        let mut beam = Beam::default();
        for &word in words {
            let next = NextWord { word, log_probability: -0.5, row: 0, step_row: 0 };
            beam = beam.extend(&mut tree, next);
        }
        beam.excluded(&tree, options)
    }

    #[test]
    fn no_ngram_is_repeated() {
        let next = |no_repeat_ngram| {
            let options = SearchOptions { no_repeat_ngram, ..SearchOptions::default() };
            let excluded = excluded(&[5, 6, 7, 5, 6], &options);
            (4..10).filter(|word| !excluded.contains(word)).collect::<Vec<_>>()
        };
        assert_eq!(next(0), [4, 5, 6, 7, 8, 9]);
        assert_eq!(next(1), [4, 8, 9]);
        assert_eq!(next(2), [4, 5, 6, 8, 9]);
        assert_eq!(next(3), [4, 5, 6, 8, 9]);
        assert_eq!(next(4), [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn double_words_and_early_ends_are_excluded_on_request() {
        let options =
            SearchOptions { double_words: false, min_length: 3, ..SearchOptions::default() };
        let usual = SearchOptions::default();
        let admits = |words: &[WordId], word, options| !excluded(words, options).contains(&word);
        assert!(!admits(&[5, 6], 6, &options));
        assert!(admits(&[6, 5], 6, &options));
        assert!(admits(&[6], 6, &usual));
        assert!(!admits(&[5, 6], END, &options) && admits(&[5, 6, 7], END, &options));
        assert!(!admits(&[], END, &usual), "a caption has a word");
        assert!(UNSAID.iter().all(|&word| !admits(&[], word, &options)));
    }

    #[test]
    fn captions_share_their_beginning() {
        let mut tree = Tree::default();
        let next = |word, step_row| NextWord { word, log_probability: -0.5, row: 0, step_row };
        let first = Beam::default().extend(&mut tree, next(7, 0));
        let [one, other] =
            [first.extend(&mut tree, next(8, 0)), first.extend(&mut tree, next(9, 1))];
        let attention = [ndarray::array![[0.25, 0.75]], ndarray::array![[0.5, 0.5], [1.0, 0.0]]];
        let options = SearchOptions::default();
        let found = other.end(-1.0, &options).hypothesis(&tree, &attention);
        assert_eq!((found.words, found.word_log_probabilities), (vec![7, 9], vec![-0.5, -0.5]));
        assert_eq!(found.attention, ndarray::array![[0.25, 0.75], [1.0, 0.0]]);
        assert!((found.log_probability + 2.0).abs() < 1e-6 && found.finished);
        let found = one.truncate(&options).hypothesis(&tree, &attention);
        assert_eq!((found.words, found.finished), (vec![7, 8], false));
        assert_eq!(found.attention, ndarray::array![[0.25, 0.75], [0.5, 0.5]]);
    }
}
