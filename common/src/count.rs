//! Numbers with their nouns.

use std::fmt;

/// A number with its noun: `1 image`, `2 images`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<'a> {
    number: usize,
    noun: &'a str,
}

/// `number` of `noun`, in the plural unless it is one: `1 image`, `2 images`, `2 entries`.
#[must_use]
pub fn count(number: usize, noun: &str) -> Count<'_> {
    Count { number, noun }
}

impl fmt::Display for Count<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        let Self { number, noun } = *self;
        match noun.strip_suffix('y') {
            _ if number == 1 => write!(formatter, "{number} {noun}"),
            Some(stem) => write!(formatter, "{number} {stem}ies"),
            None => write!(formatter, "{number} {noun}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular() {
        for (number, noun, text) in [
            (0, "image", "0 images"),
            (1, "image", "1 image"),
            (2, "captioned image", "2 captioned images"),
            (1, "entry", "1 entry"),
            (3, "entry", "3 entries"),
        ] {
            assert_eq!(count(number, noun).to_string(), text);
        }
    }
}
