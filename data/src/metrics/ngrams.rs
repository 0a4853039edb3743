//! Counts of words and n-grams, shared by all metrics. Each n-gram has a number.

use std::hash::Hash;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::Item;

/// The longest n-gram that is counted.
pub(super) const MAX_N: usize = 4;

/// A caption: its words, and for each n the counts of its n-grams, in the order of their numbers, so that sums over them
/// are reproducible.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) words: Vec<u32>,
    pub(super) counts: [Vec<Count>; MAX_N],
}

/// The number of an n-gram, and its count.
pub(super) type Count = (u32, u32);

/// An image with its counted captions.
pub(super) struct CountedImage {
    pub(super) references: Vec<Counted>,
    pub(super) hypothesis: Counted,
}

/// All captions of a set, with one numbering of the n-grams of each n.
pub(super) struct Corpus<'a> {
    pub(super) images: Vec<CountedImage>,
    numbering: Numbering<&'a str>,
}

/// The numbers of words, and of longer n-grams by the numbers of their prefix and their last word.
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

    /// The number of unique n-grams, for each n.
    pub(super) fn ngrams(&self) -> [usize; MAX_N] {
        self.numbering.ngrams()
    }

    /// The n-gram of words joined by spaces, as n − 1 and its number; `None` if it does not occur.
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
    /// Allocates for the n-grams of this number of words, about half of which occur repeatedly.
    pub(super) fn for_words(words: usize) -> Self {
        let longer =
            std::array::from_fn(|_| FxHashMap::with_capacity_and_hasher(words / 2, FxBuildHasher));
        Self { words: FxHashMap::default(), longer }
    }

    /// The number of n-grams with a number, for each n.
    pub(super) fn ngrams(&self) -> [usize; MAX_N] {
        let [two, three, four] = &self.longer;
        [self.words.len(), two.len(), three.len(), four.len()]
    }

    /// Counts a caption; new n-grams get the next numbers.
    pub(super) fn count(&mut self, words: impl IntoIterator<Item = W>) -> Counted {
        let words = words.into_iter().map(|word| next_number(&mut self.words, word)).collect();
        counted(words, |level, pair| next_number(&mut self.longer[level], pair))
    }

    /// Counts a caption without adding its n-grams: new ones get temporary numbers.
    pub(super) fn count_temporarily(&self, words: impl IntoIterator<Item = W>) -> Counted {
        let mut new = Self::for_words(0);
        let number = |word| temporary_number(&self.words, &mut new.words, word);
        let words = words.into_iter().map(number).collect();
        counted(words, |level, pair| {
            temporary_number(&self.longer[level], &mut new.longer[level], pair)
        })
    }
}

/// Counts a caption of numbered words; `number` returns the number of an n-gram that is two words longer than its first
/// argument.
fn counted(words: Vec<u32>, mut number: impl FnMut(usize, (u32, u32)) -> u32) -> Counted {
    let mut ngrams = words.clone();
    let counts = std::array::from_fn(|at| {
        if let Some(level) = at.checked_sub(1) {
            let last = words.get(at..).unwrap_or_default();
            let pairs = ngrams.iter().copied().zip(last.iter().copied());
            ngrams = pairs.map(|pair| number(level, pair)).collect();
        }
        tally(&ngrams)
    });
    Counted { words, counts }
}

/// The number of a key; one above the known numbers if it is new.
fn temporary_number<K: Eq + Hash>(
    known: &FxHashMap<K, u32>,
    new: &mut FxHashMap<K, u32>,
    key: K,
) -> u32 {
    let number = known.get(&key).copied();
    number.unwrap_or_else(|| known.len() as u32 + next_number(new, key))
}

/// The number of a key; the next one if it is new.
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
    /// The count of an n-gram of `at + 1` words.
    pub(super) fn count(&self, at: usize, ngram: u32) -> u32 {
        let counts = &self.counts[at];
        counts.binary_search_by_key(&ngram, |(ngram, _)| *ngram).map_or(0, |found| counts[found].1)
    }
}
