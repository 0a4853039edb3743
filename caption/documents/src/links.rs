//! Which bytes of a document lie in links.

use std::ops::Range;

/// The links of a document.
#[derive(Debug)]
pub(crate) struct Links(Vec<Range<usize>>);

impl Links {
    /// From the bytes of each, in any order.
    pub(crate) fn new(mut ranges: Vec<Range<usize>>) -> Self {
        ranges.sort_by_key(|range| range.start);
        let mut merged = Vec::<Range<usize>>::new();
        for range in ranges {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        Self(merged)
    }

    /// Whether a byte lies in a link.
    pub(crate) fn has(&self, at: usize) -> bool {
        let after = self.0.partition_point(|range| range.start <= at);
        after.checked_sub(1).and_then(|last| self.0.get(last)).is_some_and(|last| at < last.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_may_overlap() {
        let links = Links::new(vec![20..30, 2..9, 4..6, 8..12]);
        let inside = (0..40).filter(|&at| links.has(at)).collect::<Vec<_>>();
        assert_eq!(inside, (2..12).chain(20..30).collect::<Vec<_>>());
        assert!(!Links::new(Vec::new()).has(0));
    }
}
