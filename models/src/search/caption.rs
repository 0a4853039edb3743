//! Captions while they are searched, and once they are found.

use data::vocabulary::{END, UNSAID, WordId};

use super::SearchOptions;

/// A caption that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hypothesis {
    /// Its words, without start and end.
    pub words: Vec<WordId>,
    /// The log-probability of each word.
    pub word_log_probabilities: Vec<f32>,
    /// Where the network looked for each word: a weight for each cell.
    pub attention: Vec<Vec<f32>>,
    /// The log-probability of the whole caption, its end included if it has one.
    pub log_probability: f32,
    /// By what captions are compared.
    pub score: f32,
    /// Whether the network said that the caption is over.
    pub finished: bool,
}

/// A caption that is not over.
#[derive(Debug, Clone, Default)]
pub(super) struct Beam {
    /// Its row within the image in the step before.
    pub(super) parent: usize,
    words: Vec<WordId>,
    word_log_probabilities: Vec<f32>,
    attention: Vec<Vec<f32>>,
    pub(super) log_probability: f32,
}

impl Beam {
    pub(super) fn last_word(&self) -> Option<WordId> {
        self.words.last().copied()
    }

    /// Whether `word` may come next.
    pub(super) fn admits(&self, word: WordId, options: &SearchOptions) -> bool {
        if word == END {
            return self.words.len() >= options.min_length;
        }
        let doubled = !options.double_words && self.last_word() == Some(word);
        !UNSAID.contains(&word) && !doubled && !self.repeats(word, options.no_repeat_ngram)
    }

    /// Whether the last words and `word`, together `length` words, have been said in a row before.
    fn repeats(&self, word: WordId, length: usize) -> bool {
        let Some(before) = length.checked_sub(1) else { return false };
        let Some(start) = self.words.len().checked_sub(before) else { return false };
        let said = self.words.windows(length);
        said.into_iter()
            .any(|ngram| ngram[..before] == self.words[start..] && ngram[before] == word)
    }

    /// One word longer; the network looked at the cells as `attention` says. `parent` is its row.
    pub(super) fn extend(
        &self,
        parent: usize,
        word: WordId,
        log_probability: f32,
        attention: &[f32],
    ) -> Self {
        let mut next = self.clone();
        next.parent = parent;
        next.words.push(word);
        next.word_log_probabilities.push(log_probability);
        next.attention.push(attention.to_vec());
        next.log_probability += log_probability;
        next
    }

    /// Ended by the network, with what it gave the end.
    pub(super) fn end(&self, log_probability: f32, options: &SearchOptions) -> Hypothesis {
        let ended =
            Self { log_probability: self.log_probability + log_probability, ..self.clone() };
        let score = ended.score_at(self.words.len() + 1, options);
        ended.hypothesis(score, true)
    }

    /// Cut off.
    pub(super) fn cut_off(self, options: &SearchOptions) -> Hypothesis {
        let score = self.score_at(self.words.len().max(1), options);
        self.hypothesis(score, false)
    }

    /// No caption that begins like this one scores higher: its log-probability only falls, and its length
    /// lies between the next word and the longest.
    pub(super) fn best_score(&self, options: &SearchOptions) -> f32 {
        let lengths = [self.words.len() + 1, options.max_length];
        lengths.map(|length| self.score_at(length, options)).into_iter().fold(f32::MIN, f32::max)
    }

    fn score_at(&self, length: usize, options: &SearchOptions) -> f32 {
        self.log_probability / (length as f32).powf(options.length_exponent)
    }

    fn hypothesis(self, score: f32, finished: bool) -> Hypothesis {
        Hypothesis {
            words: self.words,
            word_log_probabilities: self.word_log_probabilities,
            attention: self.attention,
            log_probability: self.log_probability,
            score,
            finished,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[WordId]) -> Beam {
        let start = Beam::default();
        words.iter().fold(start, |beam, &word| beam.extend(0, word, -0.5, &[1.0]))
    }

    #[test]
    fn no_ngram_is_said_twice() {
        let beam = said(&[5, 6, 7, 5, 6]);
        let next = |no_repeat_ngram| {
            let options = SearchOptions { no_repeat_ngram, ..SearchOptions::default() };
            (4..10).filter(|&word| beam.admits(word, &options)).collect::<Vec<_>>()
        };
        assert_eq!(next(0), [4, 5, 6, 7, 8, 9]);
        assert_eq!(next(1), [4, 8, 9]);
        assert_eq!(next(2), [4, 5, 6, 8, 9]);
        assert_eq!(next(3), [4, 5, 6, 8, 9]);
        assert_eq!(next(4), [4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn double_words_and_early_ends_are_blocked_where_asked() {
        let options =
            SearchOptions { double_words: false, min_length: 3, ..SearchOptions::default() };
        assert!(!said(&[5, 6]).admits(6, &options));
        assert!(said(&[6, 5]).admits(6, &options));
        assert!(said(&[6]).admits(6, &SearchOptions::default()));
        assert!(!said(&[5, 6]).admits(END, &options) && said(&[5, 6, 7]).admits(END, &options));
        assert!(!said(&[]).admits(END, &SearchOptions::default()), "a caption has a word");
        assert!(UNSAID.iter().all(|&word| !said(&[]).admits(word, &options)));
    }
}
