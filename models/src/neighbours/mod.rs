//! Consensus with neighbours: of the captions that a beam search found, the one that agrees best with the captions of
//! similar training images (Devlin et al., Exploring Nearest Neighbor Approaches for Image Captioning, arXiv 1505.04467;
//! here the log-probability of the network counts as well).
//!
//! `N` is the number of training images, `C` the number of channels of a grid and `D` that of a vector.

mod file;
mod pooling;
mod profile;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use common::digest;
use data::Vocabulary;
use data::metrics::CaptionReward;
use data::vocabulary::{END, WordId};
use ndarray::{Array2, ArrayView1, ArrayView3};
use serde::{Deserialize, Serialize};

pub use self::file::{NEIGHBOURS_FILE, NeighbourData};
pub use self::pooling::Pooling;
pub use self::profile::WordProfile;
use crate::error::check_sha256;
use crate::search::Support;
use crate::{Error, Hypothesis, Result, SearchOptions};

/// How much neighbours count. Chosen on Flickr8k's dev split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NeighbourSettings {
    /// The number of neighbours.
    pub neighbours: usize,
    /// A neighbour counts by exp(sharpness · (similarity − highest similarity)).
    pub sharpness: f32,
    /// The weight of the consensus against the score of the search.
    pub weight: f32,
    /// The weight of the agreement with the words that the image makes probable.
    #[serde(default)]
    pub word_weight: f32,
    /// The beam of the search: the captions to choose from.
    pub beam: usize,
}

impl NeighbourSettings {
    /// The widest beam.
    const MAX_BEAM: usize = 100;

    /// Whether captions can be chosen with them.
    fn are_usable(&self) -> bool {
        (1..=Self::MAX_BEAM).contains(&self.beam)
            && self.neighbours > 0
            && self.sharpness.is_finite()
            && self.weight.is_finite()
            && self.word_weight.is_finite()
    }
}

impl Default for NeighbourSettings {
    fn default() -> Self {
        Self { neighbours: 40, sharpness: 5.0, weight: 8.0, word_weight: 4.0, beam: 10 }
    }
}

/// The neighbour index of a captioner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NeighbourChoice {
    /// That of the model folder, if its manifest names one.
    #[default]
    OfModel,
    /// This file.
    File(PathBuf),
    /// None: captions are ranked by the network alone.
    Off,
}

/// The training images of a network: a vector of each, and its captions.
#[derive(Debug)]
pub struct NeighbourIndex {
    settings: NeighbourSettings,
    pooling: Pooling,
    /// `[N, D]`.
    vectors: Array2<f32>,
    names: Vec<String>,
    reward: CaptionReward,
    profile: Option<WordProfile>,
    sha256: String,
}

/// A training image, and its share among the neighbours.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Neighbour {
    image: usize,
    similarity: f32,
    share: f64,
}

impl NeighbourIndex {
    /// Reads the index at `path`, for grids of so many channels. Its captions must be in words of `vocabulary`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::OtherModel`] for another vocabulary, and [`Error::Neighbours`] if the file is damaged or of
    /// other grids.
    pub fn load(path: &Path, vocabulary: &Vocabulary, channels: usize) -> Result<Self> {
        let bytes = NeighbourData::read(path)?;
        let data = NeighbourData::from_bytes(&bytes, path, vocabulary.len())?;
        check_sha256(path, &data.vocabulary_sha256, &vocabulary.sha256())?;
        let found = data.pooling.mean.len();
        if found != channels {
            let reason = format!("it is of grids of {found} channels, not {channels}");
            return Err(Error::Neighbours { path: path.to_path_buf(), reason });
        }
        Ok(Self { sha256: digest::of_bytes(&bytes), ..data.into() })
    }

    /// The number of training images.
    #[must_use]
    pub fn images(&self) -> usize {
        self.names.len()
    }

    /// The SHA-256 of the file; empty for an index that was not read from one.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The search whose captions are ranked: with a beam that leaves a choice, all of which it returns.
    #[must_use]
    pub fn widen(&self, options: &SearchOptions) -> SearchOptions {
        let beam = options.beam.max(self.settings.beam);
        SearchOptions { beam, n_best: beam, ..*options }
    }

    /// Adds the weighted consensus of the neighbours of an image, with grids `[views, cells, C]`, and the weighted agreement
    /// with its probable words to the score of each caption, and sorts the captions by it, those that the network ended first. The training image `excluded` is not a neighbour: a caption of
    /// a training image is compared with those of the others.
    pub fn rerank(
        &self,
        grids: ArrayView3<f32>,
        captions: &mut [Hypothesis],
        excluded: Option<&str>,
    ) {
        let vector = self.pooling.apply(grids);
        let neighbours = self.nearest(vector.view(), excluded);
        let profile =
            self.profile.as_ref().map(|profile| (profile, profile.of_image(vector.view())));
        for caption in captions.iter_mut() {
            let words = profile.as_ref().map_or(0.0, |(profile, of_image)| {
                profile.agreement(of_image.view(), &caption.words)
            });
            let consensus = self.consensus(&neighbours, caption) as f32;
            caption.score += self.settings.weight * consensus + self.settings.word_weight * words;
            let similarity = neighbours.first().map_or(-1.0, |nearest| nearest.similarity);
            caption.support = Some(Support { consensus, words, similarity });
        }
        captions.sort_by(|one, other| {
            other.finished.cmp(&one.finished).then(descending(one.score, other.score))
        });
    }

    /// The images with the highest similarity to a vector `[D]`; their shares sum to one.
    fn nearest(&self, vector: ArrayView1<f32>, excluded: Option<&str>) -> Vec<Neighbour> {
        let similarities = self.vectors.dot(&vector);
        let is_other = |image: &usize| Some(self.names[*image].as_str()) != excluded;
        let mut images = (0..similarities.len()).filter(is_other).collect::<Vec<_>>();
        let by_similarity =
            |one: &usize, other: &usize| descending(similarities[*one], similarities[*other]);
        if let Some(last) = self.settings.neighbours.checked_sub(1)
            && last < images.len()
        {
            images.select_nth_unstable_by(last, by_similarity);
            images.truncate(last + 1);
        }
        images.sort_by(by_similarity);
        let Some(&first) = images.first() else { return Vec::new() };
        let weight = |image: usize| {
            f64::from(self.settings.sharpness * (similarities[image] - similarities[first])).exp()
        };
        let total = images.iter().map(|&image| weight(image)).sum::<f64>();
        let neighbour = |image| {
            let (similarity, share) = (similarities[image], weight(image) / total);
            Neighbour { image, similarity, share }
        };
        images.into_iter().map(neighbour).collect()
    }

    /// The mean CIDEr-D of a caption against the captions of neighbours, by their shares.
    fn consensus(&self, neighbours: &[Neighbour], caption: &Hypothesis) -> f64 {
        let mut words = caption.words.clone();
        words.extend(caption.finished.then_some(END));
        let images = neighbours.iter().map(|neighbour| (neighbour.image, neighbour.share));
        self.reward.weighted_score(images, &words)
    }
}

impl From<NeighbourData> for NeighbourIndex {
    fn from(data: NeighbourData) -> Self {
        let NeighbourData { settings, pooling, vectors, names, captions, profile, .. } = data;
        let references = captions
            .iter()
            .map(|of_image| of_image.iter().map(Vec::as_slice).collect::<Vec<&[WordId]>>());
        let reward = CaptionReward::new(references);
        Self { settings, pooling, vectors, names, reward, profile, sha256: String::new() }
    }
}

fn descending(one: f32, other: f32) -> Ordering {
    other.total_cmp(&one)
}

#[cfg(test)]
mod tests;
