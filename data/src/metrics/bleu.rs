//! BLEU (Papineni et al., ACL 2002) over a corpus, with the reference scorer's smoothing constants.

use std::collections::HashMap;

use super::Item;
use super::ngrams::{Interner, MAX_N, Ngram, counts};

/// Keeps a zero count from making the whole product zero.
const TINY: f64 = 1e-15;
/// Keeps a zero total from dividing by zero.
const SMALL: f64 = 1e-9;

#[derive(Default)]
struct Totals {
    matched: [u64; MAX_N],
    guessed: [u64; MAX_N],
    hypothesis_length: usize,
    reference_length: usize,
}

/// BLEU-1 to BLEU-4 of the corpus: clipped counts and lengths are summed over the images; the
/// reference length of an image is the closest one, the shorter in a tie.
#[must_use]
pub fn bleu(items: &[Item]) -> [f64; MAX_N] {
    let mut totals = Totals::default();
    for item in items {
        totals.add(item);
    }
    totals.scores()
}

impl Totals {
    fn add(&mut self, item: &Item) {
        let mut interner = Interner::default();
        let hypothesis = interner.intern(&item.hypothesis);
        let references =
            item.references.iter().map(|tokens| interner.intern(tokens)).collect::<Vec<_>>();
        for n in 1..=MAX_N {
            let mut most = HashMap::<Ngram, u32>::new();
            for reference in &references {
                for (ngram, count) in counts(reference, n) {
                    let entry = most.entry(ngram).or_default();
                    *entry = count.max(*entry);
                }
            }
            for (ngram, count) in counts(&hypothesis, n) {
                self.matched[n - 1] += u64::from(count.min(*most.get(&ngram).unwrap_or(&0)));
                self.guessed[n - 1] += u64::from(count);
            }
        }
        let length = hypothesis.len();
        let closest =
            references.iter().map(Vec::len).min_by_key(|other| (other.abs_diff(length), *other));
        self.hypothesis_length += length;
        self.reference_length += closest.unwrap_or(0);
    }

    fn scores(&self) -> [f64; MAX_N] {
        let ratio = (self.hypothesis_length as f64 + TINY) / (self.reference_length as f64 + SMALL);
        let brevity = if ratio < 1.0 { (1.0 - 1.0 / ratio).exp() } else { 1.0 };
        let mut product = 1.0;
        std::array::from_fn(|at| {
            product *= (self.matched[at] as f64 + TINY) / (self.guessed[at] as f64 + SMALL);
            product.powf(1.0 / (at as f64 + 1.0)) * brevity
        })
    }
}
