//! The photos that a network was trained on.

use std::collections::{HashMap, HashSet};
use std::io::{BufWriter, IntoInnerError};

use common::files::Staged;
use common::names::normal;
use common::{digest, text};
use data::{Corpus, Split};
use features::Source;

use super::part::sorted_photos;
use super::photo::{Photo, digest_of_lines, write_lines};
use crate::dataset::{DataSet, TrainingImage};
use crate::run::{RunConfig, RunFolder, TrainedOnRecord};
use crate::{Error, Result, RunProblem};

/// The photos that a network was trained on: their names, in Unicode normal form C, the SHA-256 of their files and the
/// numbers of their data sets.
///
/// `trained-on.jsonl` lists them, and `config.toml` has the number of valid lines and their SHA-256. Photos are only added
/// at the end, and the list is written before the configuration: after a kill between the two the valid lines are intact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainedOn {
    photos: Vec<Photo>,
    /// Whether the list is complete: runs of earlier versions have none.
    complete: bool,
}

impl TrainedOn {
    /// No photos: fresh weights.
    #[must_use]
    pub fn empty() -> Self {
        Self { photos: Vec::new(), complete: true }
    }

    /// Reads the photos that the network of a run was trained on.
    ///
    /// # Errors
    /// If the list cannot be read, [`Error::Run`] if it is not the recorded one, and [`Error::PhotoLine`] if a line
    /// is damaged.
    pub fn load(folder: &RunFolder, config: &RunConfig) -> Result<Self> {
        let Some(record) = config.data.as_ref().map(|data| &data.trained_on) else {
            return Ok(Self { photos: Vec::new(), complete: false });
        };
        let path = folder.trained_on();
        let list = text::read(&path)?;
        let counted = list.split_inclusive('\n').take(record.photos).collect::<String>();
        if digest::of_bytes(counted.as_bytes()) != record.sha256 {
            return Err(Error::run(&path, RunProblem::OtherPhotos));
        }
        let parse = |(line, text)| {
            Photo::parse(text).ok_or_else(|| Error::PhotoLine { path: path.clone(), line })
        };
        let photos = (1..).zip(counted.lines()).map(parse).collect::<Result<_>>()?;
        Ok(Self { photos, complete: record.complete })
    }

    /// Adds the photos of training images of a data set.
    ///
    /// # Errors
    /// [`Error::Features`] if the store cannot be read.
    pub fn add(&mut self, images: &[TrainingImage], data: &DataSet) -> Result<()> {
        let rows = images.iter().map(|image| image.row).collect();
        self.append(sorted_photos(rows, &data.store, data.number)?);
        Ok(())
    }

    /// Adds the photos of another network.
    pub fn extend(&mut self, other: Self) {
        self.append(other.photos);
        self.complete &= other.complete;
    }

    fn append(&mut self, mut photos: Vec<Photo>) {
        let known = self.photos.iter().collect::<HashSet<_>>();
        photos.retain(|photo| !known.contains(photo));
        self.photos.append(&mut photos);
    }

    /// Writes the list into a run folder, replacing it as a whole.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, folder: &RunFolder) -> Result<()> {
        let path = folder.trained_on();
        let write = || {
            let mut file = BufWriter::new(Staged::create(&path)?);
            write_lines(&self.photos, &mut file)?;
            file.into_inner().map_err(IntoInnerError::into_error)?.commit()
        };
        Ok(write().map_err(common::Error::io(&path))?)
    }

    pub(super) fn record(&self) -> Result<TrainedOnRecord> {
        let sha256 = digest_of_lines(&self.photos)?;
        Ok(TrainedOnRecord { photos: self.photos.len(), sha256, complete: self.complete })
    }

    /// Whether the list is complete, and no captioned image has the name of one of these photos.
    #[must_use]
    pub fn is_disjoint(&self, corpus: &Corpus) -> bool {
        let names = self.photos.iter().map(|photo| photo.name.as_str()).collect::<HashSet<_>>();
        self.complete && !corpus.names().any(|image| names.contains(normal(image).as_ref()))
    }

    /// Indexes these photos. Names are compared with those of the data set with that number, or with those of all sets.
    #[must_use]
    pub fn index(&self, set: Option<usize>) -> PhotoIndex<'_> {
        let comparable = self.photos.iter().filter(|photo| set.is_none_or(|set| set == photo.set));
        let names = comparable.map(|photo| photo.name.as_str()).collect();
        let files = self.photos.iter().map(|photo| (photo.file, photo.name.as_str())).collect();
        PhotoIndex { names, files }
    }
}

/// The photos that a network was trained on, by name and by file.
#[derive(Debug)]
pub struct PhotoIndex<'a> {
    names: HashSet<&'a str>,
    files: HashMap<Source, &'a str>,
}

impl PhotoIndex<'_> {
    /// Finds the images of a split that are among these photos, and describes them for messages.
    ///
    /// # Errors
    /// [`Error::Features`] if the store cannot be read.
    pub fn seen(&self, data: &DataSet, split: Split) -> Result<Vec<String>> {
        let mut seen = Vec::new();
        for (image, row) in data.rows(split) {
            if self.names.contains(normal(image).as_ref()) {
                seen.push(image.to_owned());
            } else if let Some(same) = self.files.get(&data.store.source(row)?) {
                seen.push(format!("{image} (the same file as {same})"));
            }
        }
        Ok(seen)
    }
}
