//! Images by their names.

use std::hash::BuildHasher as _;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use crate::name::normal;

/// Places of a table that stay in the processor's cache while they are filled.
const NEIGHBOURS: u64 = 4096;

/// The row of each image that has a grid. The names themselves stay with the rows: whoever asks says how a row
/// is called. Names are compared in Unicode normal form C.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Index {
    /// The images of `rows`, of which a later one replaces an earlier one of the same image; `replaced` is told of
    /// both, the earlier one first.
    pub(crate) fn new<'a>(
        rows: impl Iterator<Item = usize>,
        name: impl Fn(usize) -> &'a str,
        mut replaced: impl FnMut(usize, usize),
    ) -> Self {
        let rows = rows.collect::<Vec<_>>();
        let mut index = Self {
            rows: HashTable::with_capacity(rows.len()),
            hasher: DefaultHashBuilder::default(),
        };
        // Roughly in the order of their places in the table: a million steps through all of it would miss the
        // processor's cache a million times.
        let places = rows.len().next_power_of_two() as u64;
        let mut neighbours = vec![Vec::new(); places.div_ceil(NEIGHBOURS) as usize];
        for row in rows {
            let hash = index.hash(name(row));
            neighbours[(hash % places / NEIGHBOURS) as usize].push((hash, row));
        }
        for (hash, row) in neighbours.into_iter().flatten() {
            if let Some(before) = index.insert_hashed(hash, row, &name) {
                replaced(before, row);
            }
        }
        index
    }

    /// How many images have a row.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The row of an image.
    pub(crate) fn find<'a>(&self, image: &str, name: impl Fn(usize) -> &'a str) -> Option<usize> {
        self.rows.find(self.hash(image), |&row| same(name(row), image)).copied()
    }

    /// From now on `row` is that of its image.
    pub(crate) fn insert<'a>(&mut self, row: usize, name: impl Fn(usize) -> &'a str) {
        self.insert_hashed(self.hash(name(row)), row, &name);
    }

    /// Gives the row that was the image's.
    fn insert_hashed<'a>(
        &mut self,
        hash: u64,
        row: usize,
        name: &impl Fn(usize) -> &'a str,
    ) -> Option<usize> {
        let same = |&other: &usize| same(name(other), name(row));
        let hasher = &self.hasher;
        match self.rows.entry(hash, same, |&other| hasher.hash_one(normal(name(other)))) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(entry.get_mut(), row)),
            Entry::Vacant(entry) => {
                entry.insert(row);
                None
            }
        }
    }

    /// The image of `row` has none any more, if `row` was its.
    pub(crate) fn remove<'a>(&mut self, row: usize, name: impl Fn(usize) -> &'a str) {
        let hash = self.hash(name(row));
        if let Ok(entry) = self.rows.find_entry(hash, |&other| other == row) {
            entry.remove();
        }
    }

    fn hash(&self, name: &str) -> u64 {
        self.hasher.hash_one(normal(name))
    }

    /// All rows, in no order.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = usize> {
        self.rows.iter().copied()
    }
}

/// Whether two names are of one image.
fn same(one: &str, other: &str) -> bool {
    one == other || normal(one) == normal(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_each_form_of_its_name() {
        let names = ["cafe\u{301}.jpg", "b.jpg", "\u{1EA3}nh.jpg"];
        let mut replaced = Vec::new();
        let mut index =
            Index::new(0..3, |row| names[row], |before, row| replaced.push((before, row)));
        for (image, row) in
            [("caf\u{e9}.jpg", 0), (names[0], 0), ("a\u{309}nh.jpg", 2), ("b.jpg", 1)]
        {
            assert_eq!(index.find(image, |row| names[row]), Some(row), "{image}");
        }
        index.remove(0, |row| names[row]);
        assert_eq!(index.find("caf\u{e9}.jpg", |row| names[row]), None);

        // Two forms of one name are one image.
        let names = ["cafe\u{301}.jpg", "caf\u{e9}.jpg"];
        let index = Index::new(0..2, |row| names[row], |before, row| replaced.push((before, row)));
        assert_eq!((index.len(), replaced), (1, vec![(0, 1)]));
    }
}
