//! Captions as numbers: words and n-grams are numbered and counted once, for all metrics.

use std::hash::Hash;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::Item;

/// The longest n-gram that is counted.
pub(super) const MAX_N: usize = 4;

/// A caption: its words, and for each n how often each n-gram occurs in it, in the order of their
/// numbers, so that sums over them repeat to the bit.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) words: Vec<u32>,
    pub(super) counts: [Vec<Count>; MAX_N],
}

/// The number of an n-gram, and how often it occurs.
pub(super) type Count = (u32, u32);

/// An image with its counted captions.
pub(super) struct CountedImage {
    pub(super) references: Vec<Counted>,
    pub(super) hypothesis: Counted,
}

/// All captions of a set, over one numbering of the n-grams of each n.
pub(super) struct Corpus<'a> {
    pub(super) images: Vec<CountedImage>,
    numbering: Numbering<&'a str>,
}

/// The numbers of words, and of longer n-grams by the number of all but their last word and the
/// number of that.
#[derive(Debug)]
pub(super) struct Numbering<W> {
    words: FxHashMap<W, u32>,
    longer: [FxHashMap<(u32, u32), u32>; MAX_N - 1],
}

impl<'a> Corpus<'a> {
    pub(super) fn new(items: &'a [Item]) -> Self {
        let mut numbering = Numbering::for_words(
            items.iter().flat_map(|item| &item.references).map(Vec::len).sum(),
        );
        let images = items.iter().map(|item| CountedImage {
            references: item.references.iter().map(|tokens| numbering.count_text(tokens)).collect(),
            hypothesis: numbering.count_text(&item.hypothesis),
        });
        Self { images: images.collect(), numbering }
    }

    /// How many different n-grams occur, for each n.
    pub(super) fn ngrams(&self) -> [usize; MAX_N] {
        self.numbering.ngrams()
    }

    /// The n-gram of words joined by spaces: n less one, and its number; nothing if it does not occur.
    pub(super) fn ngram(&self, words: &str) -> Option<(usize, u32)> {
        let mut numbers = words.split(' ').map(|word| self.numbering.words.get(word).copied());
        let mut found = (0, numbers.next()??);
        for number in numbers {
            let (at, prefix) = found;
            found = (at + 1, *self.numbering.longer.get(at)?.get(&(prefix, number?))?);
        }
        Some(found)
    }
}

impl<'a> Numbering<&'a str> {
    fn count_text(&mut self, tokens: &'a [String]) -> Counted {
        self.count(tokens.iter().map(String::as_str))
    }
}

impl<W: Eq + Hash> Numbering<W> {
    /// Room for the n-grams of so many words; about half of them are said before.
    pub(super) fn for_words(words: usize) -> Self {
        let longer =
            std::array::from_fn(|_| FxHashMap::with_capacity_and_hasher(words / 2, FxBuildHasher));
        Self { words: FxHashMap::default(), longer }
    }

    /// How many different n-grams have a number, for each n.
    pub(super) fn ngrams(&self) -> [usize; MAX_N] {
        let [two, three, four] = &self.longer;
        [self.words.len(), two.len(), three.len(), four.len()]
    }

    /// Counts a caption; what is new in it gets the next numbers.
    pub(super) fn count(&mut self, words: impl IntoIterator<Item = W>) -> Counted {
        let words = words.into_iter().map(|word| next_number(&mut self.words, word)).collect();
        counted(words, |of, pair| next_number(&mut self.longer[of], pair))
    }

    /// Counts a caption and keeps nothing of it: what is new gets the next numbers for this caption
    /// alone.
    pub(super) fn count_apart(&self, words: impl IntoIterator<Item = W>) -> Counted {
        let mut new = Self::for_words(0);
        let number = |word| number_apart(&self.words, &mut new.words, word);
        let words = words.into_iter().map(number).collect();
        counted(words, |of, pair| number_apart(&self.longer[of], &mut new.longer[of], pair))
    }
}

/// A caption of numbered words; `number` gives the number of an n-gram of two words more than its
/// first argument.
fn counted(words: Vec<u32>, mut number: impl FnMut(usize, (u32, u32)) -> u32) -> Counted {
    let mut ngrams = words.clone();
    let counts = std::array::from_fn(|at| {
        if let Some(of) = at.checked_sub(1) {
            let last = words.get(at..).unwrap_or_default();
            let pairs = ngrams.iter().copied().zip(last.iter().copied());
            ngrams = pairs.map(|pair| number(of, pair)).collect();
        }
        tally(&ngrams)
    });
    Counted { words, counts }
}

/// The number of a key; one beyond the known ones if it is new.
fn number_apart<K: Eq + Hash>(
    known: &FxHashMap<K, u32>,
    new: &mut FxHashMap<K, u32>,
    key: K,
) -> u32 {
    let number = known.get(&key).copied();
    number.unwrap_or_else(|| known.len() as u32 + next_number(new, key))
}

/// The number of a key, the next one if it is new.
fn next_number<K: Eq + Hash>(numbers: &mut FxHashMap<K, u32>, key: K) -> u32 {
    let next = numbers.len() as u32;
    *numbers.entry(key).or_insert(next)
}

fn tally(ngrams: &[u32]) -> Vec<Count> {
    let mut counts = ngrams.iter().map(|ngram| (*ngram, 1)).collect::<Vec<_>>();
    counts.sort_unstable();
    counts.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += u32::from(same);
        same
    });
    counts
}

impl Counted {
    /// How often an n-gram of `at + 1` words occurs.
    pub(super) fn count(&self, at: usize, ngram: u32) -> u32 {
        let counts = &self.counts[at];
        counts.binary_search_by_key(&ngram, |(ngram, _)| *ngram).map_or(0, |found| counts[found].1)
    }
}
