//! Which image is trained on, which chooses the model, which is only scored.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// One of the three parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// Trained on; the vocabulary comes from here alone.
    Train,
    /// Chooses the best checkpoint.
    Dev,
    /// Only scored.
    Test,
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

/// The names of the official lists, as Flickr8k is distributed.
const LISTS: [(Split, &str); 3] = [
    (Split::Train, "Flickr_8k.trainImages.txt"),
    (Split::Dev, "Flickr_8k.devImages.txt"),
    (Split::Test, "Flickr_8k.testImages.txt"),
];

/// The name of a split's official list.
pub(crate) fn list_of(split: Split) -> &'static str {
    LISTS.iter().find(|(of, _)| *of == split).map_or("", |(_, list)| list)
}

/// The assignment of images to splits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Splits {
    /// The official lists; an image in none of them belongs to no split.
    Official(HashMap<String, Split>),
    /// By a hash of the file name: 6/8 train, 1/8 dev, 1/8 test. Stable when images come or go.
    Hashed,
}

/// The folder in which a captions file lies, where its split lists are looked for.
#[must_use]
pub fn folder_of(captions: &Path) -> PathBuf {
    let parent = captions.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_path_buf()
}

impl Splits {
    /// The official lists if they lie in `folder` (train and dev at least), else the hash.
    pub fn find(folder: &Path) -> Result<Self> {
        if !LISTS.iter().any(|(_, list)| folder.join(list).exists()) {
            return Ok(Self::Hashed);
        }
        let mut by_name = HashMap::new();
        for (split, list) in LISTS {
            let path = folder.join(list);
            if split == Split::Test && !path.exists() {
                continue;
            }
            let names = fs::read_to_string(&path).map_err(Error::io(&path))?;
            for name in names.lines().map(str::trim).filter(|name| !name.is_empty()) {
                match by_name.insert(name.to_owned(), split) {
                    Some(other) if other != split => {
                        let problem = format!("`{name}` is in the list of {other} as well");
                        return Err(Error::Splits { path, problem });
                    }
                    _ => {}
                }
            }
        }
        Ok(Self::Official(by_name))
    }

    /// The split of an image by its file name.
    #[must_use]
    pub fn of(&self, image: &str) -> Option<Split> {
        match self {
            Self::Official(by_name) => by_name.get(image).copied(),
            Self::Hashed => Some(hashed(image)),
        }
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
    use super::*;

    #[test]
    fn hashing_is_stable_and_near_its_shares() {
        let of = |number: usize| Splits::Hashed.of(&format!("{number}.jpg")).unwrap();
        let count = |split| (0..8000).filter(|&number| of(number) == split).count();
        assert!((5800..6200).contains(&count(Split::Train)), "{}", count(Split::Train));
        assert!((900..1100).contains(&count(Split::Dev)), "{}", count(Split::Dev));
        assert!((900..1100).contains(&count(Split::Test)), "{}", count(Split::Test));
        // A run trained today must find the same splits tomorrow.
        let names = ["a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg", "f.jpg", "g.jpg", "h.jpg"];
        let splits = names.map(|name| Splits::Hashed.of(name).unwrap().to_string());
        assert_eq!(splits, ["train", "train", "train", "train", "train", "test", "train", "train"]);
    }

    #[test]
    fn official_lists_go_first_and_must_not_overlap() {
        let folder = tempfile::tempdir().unwrap();
        let write = |list: &str, names: &str| fs::write(folder.path().join(list), names).unwrap();
        assert_eq!(Splits::find(folder.path()).unwrap(), Splits::Hashed);
        write("Flickr_8k.trainImages.txt", "a.jpg\n\nb.jpg\n");
        assert!(Splits::find(folder.path()).unwrap_err().to_string().contains("devImages"));
        write("Flickr_8k.devImages.txt", "c.jpg\n");
        let splits = Splits::find(folder.path()).unwrap();
        assert_eq!(splits.of("b.jpg"), Some(Split::Train));
        assert_eq!(splits.of("c.jpg"), Some(Split::Dev));
        assert_eq!(splits.of("d.jpg"), None);
        write("Flickr_8k.testImages.txt", "a.jpg\n");
        assert!(Splits::find(folder.path()).unwrap_err().to_string().contains("`a.jpg`"));
    }
}
