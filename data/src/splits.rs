//! Splits: training, development and test images.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Captions, Error, Result};
use common::names::normal;
use common::{SkippedEntries, text};

/// A split of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// For training; the vocabulary is counted over these captions only.
    Train,
    /// Selects the best checkpoint.
    Dev,
    /// For the final evaluation.
    Test,
}

impl Split {
    /// All splits, in their order.
    pub const ALL: [Self; 3] = [Self::Train, Self::Dev, Self::Test];
}

impl fmt::Display for Split {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Train => "train",
            Self::Dev => "dev",
            Self::Test => "test",
        })
    }
}

/// The file names of the split lists, as in Flickr8k.
pub const LISTS: [(Split, &str); 3] = [
    (Split::Train, "Flickr_8k.trainImages.txt"),
    (Split::Dev, "Flickr_8k.devImages.txt"),
    (Split::Test, "Flickr_8k.testImages.txt"),
];

/// The assignment of images to splits. Names are compared in Unicode normal form C.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Splits {
    /// By the official lists; an image in no list is in no split.
    Official(Lists),
    /// By a hash of the file name: 6/8 train, 1/8 dev, 1/8 test. Images keep their split when others are added or removed.
    Hashed,
}

/// The names in the official lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lists {
    /// By name in normal form C.
    by_name: HashMap<String, Split>,
    skipped_entries: SkippedEntries,
}

/// The folder of a captions file, in which its split lists are expected.
#[must_use]
pub fn folder_of(captions: &Path) -> PathBuf {
    let parent = captions.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_path_buf()
}

impl Splits {
    /// Reads the official lists in `folder` (at least train and dev); without lists the hash decides. Duplicate names in a
    /// list are skipped.
    ///
    /// # Errors
    /// Those of [`text::read`], and [`Error::Splits`] if the folder or a list is missing, or two lists contain the same
    /// name.
    pub fn find(folder: &Path) -> Result<Self> {
        if !folder.is_dir() {
            let problem = "no such folder of split lists: name their folder, or none".to_owned();
            return Err(Error::Splits { path: folder.to_path_buf(), problem });
        }
        let Some((_, present)) = LISTS.iter().find(|(_, list)| folder.join(list).exists()) else {
            return Ok(Self::Hashed);
        };
        let mut lists = Lists::default();
        for (split, list) in LISTS {
            let path = folder.join(list);
            if path.exists() {
                lists.add(split, &path, list)?;
            } else if split != Split::Test {
                let problem = format!(
                    "missing, but {present} is there: add it, or remove the other lists to split by a hash of the file name"
                );
                return Err(Error::Splits { path, problem });
            }
        }
        Ok(Self::Official(lists))
    }

    /// The split of an image by its file name.
    #[must_use]
    pub fn split_of(&self, image: &str) -> Option<Split> {
        self.split_of_normal(&normal(image))
    }

    /// The split of an image by its file name in normal form C.
    pub(crate) fn split_of_normal(&self, image: &str) -> Option<Split> {
        match self {
            Self::Official(lists) => lists.by_name.get(image).copied(),
            Self::Hashed => Some(hashed(image)),
        }
    }

    /// Entries of the lists that were skipped.
    #[must_use]
    pub fn skipped_entries(&self) -> &SkippedEntries {
        match self {
            Self::Official(lists) => &lists.skipped_entries,
            Self::Hashed => const { &SkippedEntries::new() },
        }
    }

    /// Compares the official lists with the captions: listed images without captions, and images with captions that are in
    /// no list.
    #[must_use]
    pub fn unmatched(&self, captions: &Captions) -> SkippedEntries {
        let mut skipped_entries = SkippedEntries::default();
        let Self::Official(Lists { by_name, .. }) = self else { return skipped_entries };
        let mut captioned = HashSet::new();
        for image in captions {
            let name = normal(&image.image);
            if !by_name.contains_key(&*name) {
                skipped_entries.add("image with captions that is in no split list", &image.image);
            }
            captioned.insert(name);
        }
        let mut names = by_name.keys().collect::<Vec<_>>();
        names.sort_unstable();
        for name in names.into_iter().filter(|name| !captioned.contains(name.as_str())) {
            skipped_entries.add("image of a split list that has no captions", name);
        }
        skipped_entries
    }
}

impl Lists {
    fn add(&mut self, split: Split, path: &Path, list: &str) -> Result<()> {
        let text = text::read(path)?;
        let mut names = HashMap::new();
        for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
            let key = normal(name).into_owned();
            match names.insert(key.clone(), name) {
                Some(before) if before == name => {
                    self.skipped_entries.add(format!("name that occurs twice in {list}"), name);
                }
                Some(_) => {
                    let reason = format!("name that is also in {list} in another Unicode form");
                    self.skipped_entries.add(reason, name);
                }
                None => {}
            }
            if let Some(other) = self.by_name.insert(key, split).filter(|other| *other != split) {
                let problem = format!("`{name}` is also in the list of {other}");
                return Err(Error::Splits { path: path.to_path_buf(), problem });
            }
        }
        Ok(())
    }
}

impl fmt::Display for Splits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Official(_) => "official lists",
            Self::Hashed => "hash of the file name",
        })
    }
}

fn hashed(image: &str) -> Split {
    // The lowest three bits of the first byte are the hash modulo 8.
    match Sha256::digest(image)[0] % 8 {
        0..=5 => Split::Train,
        6 => Split::Dev,
        _ => Split::Test,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn hashing_is_stable_and_near_its_shares() {
        let of = |number: usize| Splits::Hashed.split_of(&format!("{number}.jpg")).unwrap();
        let count = |split| (0..8000).filter(|&number| of(number) == split).count();
        assert!((5800..6200).contains(&count(Split::Train)), "{}", count(Split::Train));
        assert!((900..1100).contains(&count(Split::Dev)), "{}", count(Split::Dev));
        assert!((900..1100).contains(&count(Split::Test)), "{}", count(Split::Test));
        // A run trained today must find the same splits tomorrow.
        let names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg", "g.jpg", "h.jpg"];
        let splits = names.map(|name| Splits::Hashed.split_of(name).unwrap().to_string());
        assert_eq!(splits, ["train", "train", "train", "train", "train", "test", "train", "train"]);
    }

    #[test]
    fn official_lists_take_precedence_and_must_not_overlap() {
        let folder = tempfile::tempdir().unwrap();
        let write = |list: &str, names: &str| fs::write(folder.path().join(list), names).unwrap();
        let absent = Splits::find(&folder.path().join("absent")).unwrap_err().to_string();
        assert!(absent.contains("absent: no such folder"), "{absent}");
        assert_eq!(Splits::find(folder.path()).unwrap(), Splits::Hashed);
        write("Flickr_8k.trainImages.txt", "a.jpg\n\nb.jpg\n");
        assert!(Splits::find(folder.path()).unwrap_err().to_string().contains("devImages"));
        write("Flickr_8k.devImages.txt", "c.jpg\n");
        let splits = Splits::find(folder.path()).unwrap();
        assert_eq!(splits.split_of("b.jpg"), Some(Split::Train));
        assert_eq!(splits.split_of("c.jpg"), Some(Split::Dev));
        assert_eq!(splits.split_of("d.jpg"), None);
        write("Flickr_8k.testImages.txt", "a.jpg\n");
        assert!(Splits::find(folder.path()).unwrap_err().to_string().contains("`a.jpg`"));
    }

    #[test]
    fn lists_may_have_a_mark_and_names_are_one_in_both_unicode_forms() {
        let folder = tempfile::tempdir().unwrap();
        let write = |list: &str, names: &[u8]| fs::write(folder.path().join(list), names).unwrap();
        write("Flickr_8k.trainImages.txt", "\u{feff}e\u{301}.jpg\rb.jpg\r\rb.jpg\r".as_bytes());
        write("Flickr_8k.devImages.txt", "c.jpg\r\n".as_bytes());
        let splits = Splits::find(folder.path()).unwrap();
        for name in ["e\u{301}.jpg", "\u{e9}.jpg", "b.jpg"] {
            assert_eq!(splits.split_of(name), Some(Split::Train), "{name}");
        }
        let said = "1 skipped: name that occurs twice in Flickr_8k.trainImages.txt (b.jpg)";
        assert_eq!(splits.skipped_entries().to_string(), said);
        assert_eq!(Splits::Hashed.split_of("e\u{301}.jpg"), Splits::Hashed.split_of("\u{e9}.jpg"));

        write("Flickr_8k.devImages.txt", "c.jpg\n\u{e9}.jpg\n".as_bytes());
        let error = Splits::find(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("devImages.txt: `\u{e9}.jpg` is also in the list of train"),
            "{error}"
        );
        write("Flickr_8k.devImages.txt", b"c.jpg\ncaf\xE9.jpg\n");
        let error = Splits::find(folder.path()).unwrap_err().to_string();
        assert!(error.contains("devImages.txt, line 2"), "{error}");
    }

    #[test]
    fn lists_and_captions_that_differ_are_counted() {
        let mut lists = Lists::default();
        for (name, split) in [("a.jpg", Split::Train), ("b.jpg", Split::Dev)] {
            lists.by_name.insert(name.to_owned(), split);
        }
        let mut captions = Captions::default();
        captions.add("a.jpg", "one");
        captions.add("c.jpg", "two");
        let unmatched = Splits::Official(lists).unmatched(&captions);
        assert_eq!(unmatched.count(), 2);
        let said = unmatched.to_string();
        assert!(
            said.contains("no captions (b.jpg)") && said.contains("no split list (c.jpg)"),
            "{said}"
        );
        assert!(Splits::Hashed.unmatched(&captions).is_empty());
    }
}
