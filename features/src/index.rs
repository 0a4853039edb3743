//! Images by their names.

use std::hash::BuildHasher as _;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};

use common::names::normal;

/// The row of each image that has grids. The names are stored with the rows, so callers pass the name of a row. Names
/// are compared in Unicode normal form C.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl Index {
    /// The images of `rows`, of which a later one supersedes an earlier one of the same image; `superseded` is called with
    /// both, the earlier one first.
    pub(crate) fn new<'a>(
        rows: impl Iterator<Item = usize>,
        name: impl Fn(usize) -> &'a str,
        mut superseded: impl FnMut(usize, usize),
    ) -> Self {
        let mut index = Self::default();
        let hasher = index.hasher.clone();
        let rows = rows.map(|row| (hash(&hasher, name(row)), row)).collect::<Vec<_>>();
        index.rows.reserve(rows.len(), |&row| hash(&hasher, name(row)));
        for (hash, row) in rows {
            if let Some(before) = index.insert_hashed(hash, row, &name) {
                superseded(before, row);
            }
        }
        index
    }

    /// The row of an image.
    pub(crate) fn find<'a>(&self, image: &str, name: impl Fn(usize) -> &'a str) -> Option<usize> {
        self.rows.find(hash(&self.hasher, image), |&row| is_same(name(row), image)).copied()
    }

    /// Makes `row` the one that counts for its image.
    pub(crate) fn insert<'a>(&mut self, row: usize, name: impl Fn(usize) -> &'a str) {
        self.insert_hashed(hash(&self.hasher, name(row)), row, &name);
    }

    /// Gives the row that counted for the image before.
    fn insert_hashed<'a>(
        &mut self,
        hashed: u64,
        row: usize,
        name: &impl Fn(usize) -> &'a str,
    ) -> Option<usize> {
        let state = &self.hasher;
        let is_same = |&other: &usize| is_same(name(other), name(row));
        match self.rows.entry(hashed, is_same, |&other| hash(state, name(other))) {
            Entry::Occupied(mut entry) => Some(std::mem::replace(entry.get_mut(), row)),
            Entry::Vacant(entry) => {
                entry.insert(row);
                None
            }
        }
    }

    /// Removes `row`, if it is the one that counts for the image `name`.
    pub(crate) fn remove(&mut self, row: usize, name: &str) {
        if let Ok(entry) = self.rows.find_entry(hash(&self.hasher, name), |&other| other == row) {
            entry.remove();
        }
    }

    /// All rows, in any order.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = usize> {
        self.rows.iter().copied()
    }
}

fn hash(hasher: &DefaultHashBuilder, name: &str) -> u64 {
    hasher.hash_one(normal(name))
}

fn is_same(one: &str, other: &str) -> bool {
    one == other || normal(one) == normal(other)
}
