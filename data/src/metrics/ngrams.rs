//! Counting n-grams over interned words.

use std::collections::{BTreeMap, HashMap};

/// The longest n-gram that is counted.
pub(super) const MAX_N: usize = 4;

/// Up to four interned words; unused places hold [`NONE`].
pub(super) type Ngram = [u32; MAX_N];

const NONE: u32 = u32::MAX;

/// Words as numbers, so that an n-gram is a small key.
#[derive(Default)]
pub(super) struct Interner<'a>(HashMap<&'a str, u32>);

impl<'a> Interner<'a> {
    /// The number of each token.
    pub(super) fn intern(&mut self, tokens: &'a [String]) -> Vec<u32> {
        let mut number = |token: &'a String| {
            let next = self.0.len() as u32;
            *self.0.entry(token).or_insert(next)
        };
        tokens.iter().map(&mut number).collect()
    }
}

/// The counts of all `n`-grams of a caption, for one `n`; ordered, so that sums over them repeat to the bit.
pub(super) fn counts(words: &[u32], n: usize) -> BTreeMap<Ngram, u32> {
    let mut counts = BTreeMap::new();
    for window in words.windows(n) {
        let mut ngram = [NONE; MAX_N];
        ngram[..n].copy_from_slice(window);
        *counts.entry(ngram).or_default() += 1;
    }
    counts
}
