//! Files of document frequencies, for CIDEr-D on sets that are too small for their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ngrams::MAX_N;
use crate::{Error, Result};
use common::{files, text};

const FORMAT: &str = "showtell document frequencies 1";

/// The number of images in whose references each n-gram occurs, for n from 1 to 4.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentFrequencies {
    format: String,
    images: usize,
    /// By the words of the n-gram, joined by spaces.
    #[serde(deserialize_with = "text::unique_entries")]
    frequencies: BTreeMap<String, u32>,
}

impl DocumentFrequencies {
    /// Counts the n-grams of images, each given by the tokens of its references.
    pub fn count<'a>(images: impl IntoIterator<Item = &'a [Vec<String>]>) -> Self {
        let mut counted =
            Self { format: FORMAT.to_owned(), images: 0, frequencies: BTreeMap::new() };
        for references in images {
            counted.images += 1;
            let ngrams = references
                .iter()
                .flat_map(|tokens| (1..=MAX_N).flat_map(|n| tokens.windows(n)))
                .map(|words| words.join(" "))
                .collect::<BTreeSet<_>>();
            for ngram in ngrams {
                *counted.frequencies.entry(ngram).or_default() += 1;
            }
        }
        counted
    }

    /// Reads a file that was written by [`save`](Self::save).
    ///
    /// # Errors
    /// Those of [`text::read`], and [`Error::Frequencies`] if it has another format or impossible counts.
    pub fn load(path: &Path) -> Result<Self> {
        let problem = |problem: String| Error::Frequencies { path: path.to_path_buf(), problem };
        let read: Self =
            serde_json::from_str(&text::read(path)?).map_err(|error| problem(error.to_string()))?;
        if read.format != FORMAT {
            return Err(problem(format!("the format is `{}`, not `{FORMAT}`", read.format)));
        }
        let most = read.frequencies.values().max().copied().unwrap_or(0) as usize;
        if read.images == 0 || most == 0 || most > read.images {
            return Err(problem(format!("{} images, but a frequency of {most}", read.images)));
        }
        Ok(read)
    }

    /// Writes the frequencies as JSON. After an error, a kill or a power loss the file is either the old or the new one.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_vec(self)
            .map_err(|error| Error::io(path)(std::io::Error::other(error)))?;
        files::replace(path, &json).map_err(Error::io(path))
    }

    /// The number of images that were counted.
    #[must_use]
    pub fn images(&self) -> usize {
        self.images
    }

    /// The n-grams, their words joined by spaces, with the number of images.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.frequencies.iter().map(|(words, count)| (words.as_str(), *count))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_may_have_a_mark_and_names_each_ngram_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("frequencies.json");
        let written = |frequencies: &str| {
            let json = format!(
                "\u{feff}{{\"format\": \"{FORMAT}\", \"images\": 2, \"frequencies\": {frequencies}}}"
            );
            fs::write(&path, json).unwrap();
            DocumentFrequencies::load(&path)
        };
        let read = written("{\"cho\u{301}\": 1, \"a dog\": 2}").unwrap();
        assert_eq!(read.iter().collect::<Vec<_>>(), [("a dog", 2), ("ch\u{f3}", 1)]);
        let error = written("{\"cho\u{301}\": 1, \"ch\u{f3}\": 2}").unwrap_err().to_string();
        assert!(
            error.contains("frequencies.json") && error.contains("`ch\u{f3}` occurs twice"),
            "{error}"
        );
    }
}
