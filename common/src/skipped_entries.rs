//! Entries that a reader skipped or read differently than written: counts and examples by reason.

use std::collections::BTreeMap;
use std::fmt;

/// Examples named for each reason; the others are only counted.
const EXAMPLES: usize = 3;

/// Entries that were skipped, by reason, and remarks on entries that were not skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkippedEntries {
    skipped: BTreeMap<String, Entries>,
    noted: BTreeMap<String, Entries>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entries {
    count: usize,
    /// Some of them, without duplicates.
    examples: Vec<String>,
    more: bool,
}

impl SkippedEntries {
    /// Nothing skipped.
    #[must_use]
    pub const fn new() -> Self {
        Self { skipped: BTreeMap::new(), noted: BTreeMap::new() }
    }

    /// Counts `entry`, such as `line 7` or the name of an image, as skipped for `reason`.
    pub fn add(&mut self, reason: impl Into<String>, entry: impl fmt::Display) {
        self.skipped.entry(reason.into()).or_default().add(entry.to_string());
    }

    /// Counts `entry`, which is not skipped, under `remark`.
    pub fn note(&mut self, remark: impl Into<String>, entry: impl fmt::Display) {
        self.noted.entry(remark.into()).or_default().add(entry.to_string());
    }

    /// The number of entries that were skipped.
    #[must_use]
    pub fn count(&self) -> usize {
        self.skipped.values().map(|entries| entries.count).sum()
    }

    /// Whether there is no entry and no remark.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.skipped.is_empty() && self.noted.is_empty()
    }

    /// Adds the entries and remarks of `other`.
    pub fn extend(&mut self, other: Self) {
        for (mine, others) in [(&mut self.skipped, other.skipped), (&mut self.noted, other.noted)] {
            for (reason, entries) in others {
                mine.entry(reason).or_default().extend(entries);
            }
        }
    }
}

impl Entries {
    fn add(&mut self, entry: String) {
        self.extend(Self { count: 1, examples: vec![entry], more: false });
    }

    fn extend(&mut self, other: Self) {
        self.count += other.count;
        for example in other.examples {
            if !self.examples.contains(&example) {
                self.examples.push(example);
            }
        }
        self.more |= other.more || self.examples.len() > EXAMPLES;
        self.examples.truncate(EXAMPLES);
    }
}

/// One reason per line: `2 skipped: empty caption (line 3, line 8)`. Remarks are `noted` instead.
impl fmt::Display for SkippedEntries {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let skipped = self.skipped.iter().map(|entry| ("skipped", entry));
        let noted = self.noted.iter().map(|entry| ("noted", entry));
        for (at, (kind, (reason, entries))) in skipped.chain(noted).enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            let Entries { count, examples, more } = entries;
            let more = if *more { ", …" } else { "" };
            write!(formatter, "{end}{count} {kind}: {reason} ({}{more})", examples.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_and_some_are_named() {
        let mut skipped_entries = SkippedEntries::default();
        assert!(skipped_entries.is_empty());
        skipped_entries.add("empty caption", "line 3");
        let mut more = SkippedEntries::default();
        for line in 4..9 {
            more.add("empty caption", format!("line {line}"));
        }
        more.add("unknown split", "a.jpg");
        skipped_entries.extend(more);
        assert_eq!(skipped_entries.count(), 7);
        assert_eq!(
            skipped_entries.to_string(),
            "6 skipped: empty caption (line 3, line 4, line 5, …)\n1 skipped: unknown split (a.jpg)"
        );
    }

    #[test]
    fn remarks_are_not_counted_as_skipped_entries_and_examples_differ() {
        let mut skipped_entries = SkippedEntries::default();
        skipped_entries.note("two spellings", "a.jpg");
        skipped_entries.note("two spellings", "a.jpg");
        assert!(!skipped_entries.is_empty() && skipped_entries.count() == 0);
        assert_eq!(skipped_entries.to_string(), "2 noted: two spellings (a.jpg)");
    }
}
