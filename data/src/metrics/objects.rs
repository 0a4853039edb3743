//! Objects that captions name and invent, after CHAIR (Rohrbach et al., arXiv 1809.02156), but from the references alone.
//!
//! An object counts as present if two references of the image name it, and as invented if none does.

use std::collections::{BTreeSet, HashMap};
use std::iter::Sum;
use std::path::Path;

use common::text;

use super::Item;
use crate::{Error, Result};

/// References that must name an object for it to be present.
const MIN_REFERENCES: usize = 2;

/// A list of objects, each with the words that name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectList(HashMap<String, usize>);

impl ObjectList {
    /// Showtell's own list: most of COCO's categories and some objects more, with synonyms.
    #[must_use]
    pub fn own() -> Self {
        Self::parse(include_str!("objects.txt"))
    }

    /// Reads a list: an object a line, the words that name it separated by spaces; lines that begin with `#` are comments.
    ///
    /// # Errors
    /// Those of [`text::read`], and [`Error::NoObjects`] if it names none.
    pub fn read(path: &Path) -> Result<Self> {
        let list = Self::parse(&text::read(path)?);
        if list.0.is_empty() {
            return Err(Error::NoObjects { path: path.to_path_buf() });
        }
        Ok(list)
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let words = lines.enumerate().flat_map(|(object, line)| {
            line.split_whitespace().map(move |word| (word.to_lowercase(), object))
        });
        Self(words.collect())
    }

    /// The objects that a tokenized caption names: by a word of the list, or one with `s` or `es` after it.
    fn named_by(&self, caption: &[String]) -> BTreeSet<usize> {
        let object = |word: &String| {
            let forms = [Some(word.as_str()), word.strip_suffix('s'), word.strip_suffix("es")];
            forms.into_iter().flatten().find_map(|form| self.0.get(form).copied())
        };
        caption.iter().filter_map(object).collect()
    }
}

/// Counts of objects: of one image, or added up over a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ObjectCounts {
    captions: usize,
    present: usize,
    recalled: usize,
    invented: usize,
}

impl ObjectCounts {
    /// Counts the objects of an image.
    #[must_use]
    pub fn count(item: &Item, list: &ObjectList) -> Self {
        let references = item.references.iter().map(|reference| list.named_by(reference));
        let references = references.collect::<Vec<_>>();
        let caption = list.named_by(&item.hypothesis);
        let mentions = |object: &usize| references.iter().filter(|of| of.contains(object)).count();
        let objects = references.iter().flatten().collect::<BTreeSet<_>>();
        let present = objects.into_iter().filter(|object| mentions(object) >= MIN_REFERENCES);
        let present = present.collect::<Vec<_>>();
        Self {
            captions: 1,
            present: present.len(),
            recalled: present.into_iter().filter(|object| caption.contains(object)).count(),
            invented: caption.iter().filter(|object| mentions(object) == 0).count(),
        }
    }

    /// The share of the present objects that captions name; 0 without any.
    #[must_use]
    pub fn recall(&self) -> f64 {
        self.recalled as f64 / self.present.max(1) as f64
    }

    /// Invented objects per caption.
    #[must_use]
    pub fn invented_per_caption(&self) -> f64 {
        self.invented as f64 / self.captions.max(1) as f64
    }

    /// Recall and invented objects per caption.
    #[must_use]
    pub fn scores(&self) -> [f64; 2] {
        [self.recall(), self.invented_per_caption()]
    }
}

impl Sum for ObjectCounts {
    fn sum<I: Iterator<Item = Self>>(images: I) -> Self {
        images.fold(Self::default(), |sum, image| Self {
            captions: sum.captions + image.captions,
            present: sum.present + image.present,
            recalled: sum.recalled + image.recalled,
            invented: sum.invented + image.invented,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::tokenize;

    fn item(references: &[&str], caption: &str) -> Item {
        Item {
            references: references.iter().map(|text| tokenize(text)).collect(),
            hypothesis: tokenize(caption),
        }
    }

    #[test]
    fn present_recalled_and_invented_objects_are_counted() {
        let list = ObjectList::parse("# comment\ndog puppy\ncat\nbus\nbench\n");
        let references = ["Two dogs on a bench.", "A puppy sits.", "A dog and a cat on a bench"];
        let images = [
            item(&references, "a dog and a bus and buses"),
            item(&["a cat", "a cat"], "a cat and a puppy on benches"),
            item(&["a tree"], "a tree"),
        ];
        let counts = images.each_ref().map(|image| ObjectCounts::count(image, &list));
        let sum = counts.iter().copied().sum::<ObjectCounts>();
        assert_eq!((counts[0].present, counts[0].recalled, counts[0].invented), (2, 1, 1));
        assert_eq!((counts[1].present, counts[1].recalled, counts[1].invented), (1, 1, 2));
        assert_eq!((sum.present, sum.recalled, sum.invented, sum.captions), (3, 2, 3, 3));
        assert!((sum.recall() - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_list_without_objects_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("objects.txt");
        std::fs::write(&path, "# none\n").unwrap();
        assert!(matches!(ObjectList::read(&path), Err(Error::NoObjects { .. })));
    }

    #[test]
    fn no_word_names_two_objects_of_the_own_list() {
        let words = include_str!("objects.txt").lines().filter(|line| !line.starts_with('#'));
        let words = words.flat_map(str::split_whitespace).collect::<Vec<_>>();
        let unique = words.iter().collect::<BTreeSet<_>>();
        assert_eq!(unique.len(), words.len());
        assert_eq!(ObjectList::own().named_by(&tokenize("Two men ride buses.")).len(), 2);
    }
}
