//! Entries that a reader left out: counted by reason, some of each named.

use std::collections::BTreeMap;
use std::fmt;

/// Entries named of each reason; the others are counted.
const EXAMPLES: usize = 3;

/// Entries that were left out, by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut(BTreeMap<String, Entries>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entries {
    count: usize,
    examples: Vec<String>,
}

impl LeftOut {
    /// Counts `entry`, such as `line 7` or the name of an image, as left out for `reason`.
    pub fn add(&mut self, reason: impl Into<String>, entry: impl fmt::Display) {
        let entries = self.0.entry(reason.into()).or_default();
        entries.count += 1;
        if entries.examples.len() < EXAMPLES {
            entries.examples.push(entry.to_string());
        }
    }

    /// How many entries were left out.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.values().map(|entries| entries.count).sum()
    }

    /// Whether nothing was left out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds those of `other`.
    pub fn extend(&mut self, other: Self) {
        for (reason, other) in other.0 {
            let entries = self.0.entry(reason).or_default();
            entries.count += other.count;
            entries.examples.extend(other.examples);
            entries.examples.truncate(EXAMPLES);
        }
    }
}

/// A reason on each line: `2 left out: empty caption (line 3, line 8)`.
impl fmt::Display for LeftOut {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        for (at, (reason, Entries { count, examples })) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            let more = if *count > examples.len() { ", …" } else { "" };
            write!(formatter, "{end}{count} left out: {reason} ({}{more})", examples.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_and_some_are_named() {
        let mut left_out = LeftOut::default();
        assert!(left_out.is_empty());
        left_out.add("empty caption", "line 3");
        let mut more = LeftOut::default();
        for line in 4..9 {
            more.add("empty caption", format!("line {line}"));
        }
        more.add("unknown split", "a.jpg");
        left_out.extend(more);
        assert_eq!(left_out.count(), 7);
        assert_eq!(
            left_out.to_string(),
            "6 left out: empty caption (line 3, line 4, line 5, …)\n1 left out: unknown split (a.jpg)"
        );
    }
}
