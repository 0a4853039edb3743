//! Captions files: the CSV form (`image,caption`, quoted where needed) and the original token form
//! of Flickr8k (`name.jpg#0<TAB>caption`).

mod forms;

use std::io;
use std::path::Path;

use rustc_hash::FxHashMap;

use crate::tokens::is_wordless;
use crate::{Error, Result};
use common::names::normal;
use common::{SkippedEntries, text};

/// The name of the captions file of a data set.
pub const CAPTIONS_FILE: &str = "captions.txt";
/// The name of the old captions file while it is replaced.
pub const REPLACED_FILE: &str = "captions.txt.replaced";

/// An image with all its captions, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionedImage {
    /// The image's path below the folder of the images, as in its first row.
    pub image: String,
    /// Its captions as written.
    pub captions: Vec<String>,
}

/// The captions of a data set, grouped by image, in the order of the file. Names that are equal in Unicode normal form C
/// are one image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captions {
    images: Vec<CaptionedImage>,
    /// By name in normal form C.
    index: FxHashMap<String, usize>,
    skipped_entries: SkippedEntries,
}

impl Captions {
    /// Reads a captions file of either form, told apart by its first line that is not blank. Rows without a caption
    /// are skipped and counted.
    ///
    /// # Errors
    /// Those of [`text::read`], [`Error::Captions`] with the line that is of neither form, [`Error::NoCaptions`],
    /// and [`Error::Replaced`].
    pub fn read(path: &Path) -> Result<Self> {
        let replaced = path.with_file_name(REPLACED_FILE);
        if path.ends_with(CAPTIONS_FILE) && !path.exists() && replaced.exists() {
            return Err(Error::Replaced { path: path.to_path_buf(), replaced });
        }
        let text = text::read(path)?;
        let captions = forms::read(&text, path)?;
        if captions.images.is_empty() {
            let skipped_entries = captions.skipped_entries;
            return Err(Error::NoCaptions { path: path.to_path_buf(), skipped_entries });
        }
        Ok(captions)
    }

    /// Rows that were skipped, and remarks on images whose name occurs in several Unicode forms.
    #[must_use]
    pub fn skipped_entries(&self) -> &SkippedEntries {
        &self.skipped_entries
    }

    /// The images with their captions.
    pub fn iter(&self) -> std::slice::Iter<'_, CaptionedImage> {
        self.images.iter()
    }

    /// The captions of an image; `None` if it has none.
    #[must_use]
    pub fn get(&self, image: &str) -> Option<&[String]> {
        self.index.get(&*normal(image)).map(|&at| self.images[at].captions.as_slice())
    }

    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The captions in the CSV form.
    ///
    /// # Errors
    /// If a row cannot be encoded.
    pub fn to_csv(&self) -> io::Result<Vec<u8>> {
        let mut lines = csv::Writer::from_writer(Vec::new());
        lines.write_record(["image", "caption"])?;
        for image in self {
            for caption in &image.captions {
                lines.write_record([&image.image, caption])?;
            }
        }
        lines.into_inner().map_err(csv::IntoInnerError::into_error)
    }

    /// Adds a caption to an image.
    pub fn add(&mut self, image: &str, caption: &str) {
        // The captions of an image usually follow one another.
        if let Some(last) = self.images.last_mut().filter(|last| last.image == image) {
            last.captions.push(caption.to_owned());
            return;
        }
        let at = *self.index.entry(normal(image).into_owned()).or_insert_with(|| {
            self.images.push(CaptionedImage { image: image.to_owned(), captions: Vec::new() });
            self.images.len() - 1
        });
        if self.images[at].image != image {
            let remark = "name in another Unicode form than before: the same image";
            self.skipped_entries.note(remark, image);
        }
        self.images[at].captions.push(caption.to_owned());
    }

    /// Adds the caption of a row; a row without a caption is skipped.
    fn add_row(&mut self, image: &str, caption: &str, line: u64) {
        if is_wordless(caption) {
            self.skipped_entries.add("empty caption", format!("line {line}"));
        } else {
            self.add(image, caption);
        }
    }
}

impl IntoIterator for Captions {
    type Item = CaptionedImage;
    type IntoIter = std::vec::IntoIter<CaptionedImage>;

    fn into_iter(self) -> Self::IntoIter {
        self.images.into_iter()
    }
}

impl<'a> IntoIterator for &'a Captions {
    type Item = &'a CaptionedImage;
    type IntoIter = std::slice::Iter<'a, CaptionedImage>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Reads a captions file with this text.
    pub(super) fn read(text: &str) -> Result<Captions> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.txt");
        fs::write(&path, text).unwrap();
        Captions::read(&path)
    }

    #[test]
    fn captions_are_read_as_they_were_written() {
        let captions = read("a.jpg#0\tA dog , \"Rex\" , runs .\nb.jpg#0\tÔng ấy cười\n").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.txt");
        fs::write(&path, captions.to_csv().unwrap()).unwrap();
        assert_eq!(Captions::read(&path).unwrap(), captions);
        assert!(fs::read_to_string(&path).unwrap().starts_with("image,caption\n"));
    }

    #[test]
    fn captions_are_grouped_by_image() {
        let captions = read("image,caption\na.jpg,one\nb.jpg,two\na.jpg,three\n").unwrap();
        assert_eq!(captions.len(), 2);
        assert_eq!(captions.get("a.jpg").unwrap(), ["one", "three"]);
        assert_eq!(captions.get("c.jpg"), None);
    }

    #[test]
    fn names_in_both_unicode_forms_are_one_image_with_a_remark() {
        for text in [
            "image,caption\nma\u{301}.jpg,one\nm\u{e1}.jpg,two\n",
            "ma\u{301}.jpg#0\tone\nm\u{e1}.jpg#1\ttwo\n",
        ] {
            let captions = read(text).unwrap();
            assert_eq!(captions.iter().next().unwrap().image, "ma\u{301}.jpg");
            for name in ["ma\u{301}.jpg", "m\u{e1}.jpg"] {
                assert_eq!(captions.get(name).unwrap(), ["one", "two"]);
            }
            assert_eq!(captions.skipped_entries().count(), 0);
            assert!(captions.skipped_entries().to_string().contains("m\u{e1}.jpg"));
        }
    }
}
