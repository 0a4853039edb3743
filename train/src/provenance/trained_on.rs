//! The photos that a network was trained on.

use std::collections::{HashMap, HashSet};

use common::names::normal;
use common::{digest, text};
use data::Corpus;
use features::FeatureStore;

use super::part::sorted_photos;
use super::photo::{Photo, lines};
use crate::dataset::{DataSet, ScoredImage, TrainingImage};
use crate::run::{RunConfig, RunFolder, TRAINED_ON_FILE, TrainedOnRecord};
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
        let rows = images.iter().map(|image| image.row);
        self.append(sorted_photos(rows, &data.store, data.number)?);
        Ok(())
    }

    /// Adds the photos of another network.
    pub fn extend(&mut self, other: Self) {
        self.append(other.photos);
        self.complete &= other.complete;
    }

    fn append(&mut self, photos: Vec<Photo>) {
        let known = self.photos.iter().cloned().collect::<HashSet<_>>();
        self.photos.extend(photos.into_iter().filter(|photo| !known.contains(photo)));
    }

    /// Writes the list into a run folder, replacing it as a whole.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, folder: &RunFolder) -> Result<()> {
        folder.write(TRAINED_ON_FILE, lines(&self.photos)?.as_bytes())
    }

    pub(super) fn record(&self) -> Result<TrainedOnRecord> {
        let sha256 = digest::of_bytes(lines(&self.photos)?.as_bytes());
        Ok(TrainedOnRecord { photos: self.photos.len(), sha256, complete: self.complete })
    }

    /// Whether the list is complete, and no captioned image has the name of one of these photos.
    #[must_use]
    pub fn is_disjoint(&self, corpus: &Corpus) -> bool {
        let names = self.photos.iter().map(|photo| photo.name.as_str()).collect::<HashSet<_>>();
        self.complete && !corpus.names().any(|image| names.contains(normal(image).as_ref()))
    }

    /// Finds the images that are among these photos, by file or by name, and describes them for messages. Names are compared
    /// with those of the data set with that number, or with those of all sets.
    ///
    /// # Errors
    /// [`Error::Features`] if the store cannot be read.
    pub fn seen(
        &self,
        images: &[ScoredImage],
        store: &FeatureStore,
        set: Option<usize>,
    ) -> Result<Vec<String>> {
        let comparable = self.photos.iter().filter(|photo| set.is_none_or(|set| set == photo.set));
        let names = comparable.map(|photo| photo.name.as_str()).collect::<HashSet<_>>();
        let files = self.photos.iter().map(|photo| (photo.file, &photo.name));
        let files = files.collect::<HashMap<_, _>>();
        let mut seen = Vec::new();
        for image in images {
            if names.contains(normal(&image.image).as_ref()) {
                seen.push(image.image.clone());
            } else if let Some(same) = files.get(&store.source(image.row)?) {
                seen.push(format!("{} (the same file as {same})", image.image));
            }
        }
        Ok(seen)
    }
}
