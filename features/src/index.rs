//! Images by their names.

use std::hash::BuildHasher as _;

use hashbrown::{DefaultHashBuilder, HashTable};

/// The row of each image that has a grid. The names themselves stay with the rows: whoever asks says how a row
/// is called.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Index {
    /// Room for `rows` rows.
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self { rows: HashTable::with_capacity(rows), hasher: DefaultHashBuilder::default() }
    }

    /// How many images have a row.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row of an image.
    pub(crate) fn find<'a>(&self, image: &str, name: impl Fn(usize) -> &'a str) -> Option<usize> {
        self.rows.find(self.hasher.hash_one(image), |&row| name(row) == image).copied()
    }

    /// From now on `row` is that of its image; gives the one that was.
    pub(crate) fn insert<'a>(
        &mut self,
        row: usize,
        name: impl Fn(usize) -> &'a str,
    ) -> Option<usize> {
        let hash = |row: usize| self.hasher.hash_one(name(row));
        let image = name(row);
        let entry = self.rows.entry(hash(row), |&other| name(other) == image, |&other| hash(other));
        match entry {
            hashbrown::hash_table::Entry::Occupied(mut entry) => {
                Some(std::mem::replace(entry.get_mut(), row))
            }
            hashbrown::hash_table::Entry::Vacant(entry) => {
                entry.insert(row);
                None
            }
        }
    }

    /// The image of `row` has none any more, if `row` was its.
    pub(crate) fn remove<'a>(&mut self, row: usize, name: impl Fn(usize) -> &'a str) {
        let hash = self.hasher.hash_one(name(row));
        if let Ok(entry) = self.rows.find_entry(hash, |&other| other == row) {
            entry.remove();
        }
    }

    /// All rows, in no order.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = usize> {
        self.rows.iter().copied()
    }
}
