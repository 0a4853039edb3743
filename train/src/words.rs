//! The words of captions.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use data::vocabulary::WordId;

/// The words of a caption: a part of a list that the captions of an image share. A clone shares it as well.
#[derive(Clone)]
pub struct Words {
    all: Arc<[WordId]>,
    range: Range<usize>,
}

impl Words {
    /// Divides a list into captions, of which each ends at one of `ends`.
    ///
    /// # Panics
    /// If `ends` are not in order, or beyond the list.
    pub fn divide(all: Vec<WordId>, ends: &[usize]) -> impl Iterator<Item = Self> {
        let all = Arc::<[WordId]>::from(all);
        let starts = [0].into_iter().chain(ends.iter().copied());
        starts.zip(ends).map(move |(start, &end)| {
            assert!(start <= end && end <= all.len(), "a caption is outside its list");
            Self { all: Arc::clone(&all), range: start..end }
        })
    }
}

impl Deref for Words {
    type Target = [WordId];

    fn deref(&self) -> &[WordId] {
        &self.all[self.range.clone()]
    }
}

impl From<Vec<WordId>> for Words {
    fn from(words: Vec<WordId>) -> Self {
        Self { range: 0..words.len(), all: words.into() }
    }
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_divided_into_captions() {
        let captions = Words::divide(vec![5, 6, 7, 8, 9], &[2, 2, 5]).collect::<Vec<_>>();
        let expected = [&[5, 6][..], &[], &[7, 8, 9]];
        assert_eq!(captions.iter().map(|words| &**words).collect::<Vec<_>>(), expected);
        assert_eq!(captions[2], Words::from(vec![7, 8, 9]));
    }
}
