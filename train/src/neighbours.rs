//! The neighbour index of a network: vectors of its training images, and their captions.
//!
//! `N` is the number of images, `C` the number of channels of a grid and `D` that of a vector.

use std::collections::HashSet;

use common::View;
use data::Vocabulary;
use data::vocabulary::{END, UNSAID, WordId};
use models::NeighbourData;
use models::neighbours::{NeighbourSettings, Pooling, WordProfile};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::dataset::TrainingImage;
use crate::grids::Grids;
use crate::tensor::flat;

/// The penalty of the ridge regression, in units of the mean sum of squares of a channel.
const RIDGE: f64 = 0.5;

/// Options of a neighbour index.
#[derive(Debug, Clone)]
pub struct NeighbourOptions {
    /// How much neighbours count.
    pub settings: NeighbourSettings,
    /// D, below C; `None` for C, without a reduction.
    pub dimensions: Option<usize>,
    /// The views of an image whose mean is taken.
    pub views: Vec<View>,
    /// The data sets whose images are neighbours; `None` for all. The others only shape vectors and words.
    pub sets: Option<Vec<usize>>,
    /// The licence of the captions.
    pub licence: Option<String>,
}

/// Makes the index of images, whose captions are words of the vocabulary.
///
/// # Errors
/// [`Error::Features`](crate::Error::Features) if a grid cannot be read, [`Error::Torch`](crate::Error::Torch) if the
/// principal components cannot be computed.
pub fn index(
    images: &[TrainingImage],
    grids: &Grids,
    vocabulary: &Vocabulary,
    options: &NeighbourOptions,
) -> Result<NeighbourData> {
    let (words, vocabulary_sha256) = (vocabulary.len(), vocabulary.sha256());
    let means = means(images, grids, &options.views)?;
    let mean = means.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(means.ncols()));
    // A channel that is the same everywhere says nothing: any deviation does.
    let deviation = means.std_axis(Axis(0), 0.0).mapv(|of| if of > 0.0 { of } else { 1.0 });
    let mut pooling = Pooling { mean, deviation, projection: None };
    let mut vectors = means;
    for mut vector in vectors.outer_iter_mut() {
        let standard = pooling.standardise(vector.view());
        vector.assign(&standard);
    }
    if let Some(dimensions) = options.dimensions.filter(|&of| of < vectors.ncols()) {
        let projection = principal_components(vectors.view(), dimensions)?;
        vectors = vectors.dot(&projection.t());
        pooling.projection = Some(projection);
    }
    let profile = word_profile(images, vectors.view(), words, pooling.mean.len())?;
    let is_kept = |set: &usize| options.sets.as_ref().is_none_or(|sets| sets.contains(set));
    let kept = (0..images.len()).filter(|&image| is_kept(&images[image].set)).collect::<Vec<_>>();
    let images = kept.iter().map(|&image| &images[image]);
    let captions = |image: &TrainingImage| {
        image.captions.iter().map(|caption| caption.words.to_vec()).collect()
    };
    Ok(NeighbourData {
        settings: options.settings,
        vocabulary_sha256,
        licence: options.licence.clone(),
        vectors: vectors.select(Axis(0), &kept),
        pooling,
        names: images.clone().map(|of| grids.store(of.set).name(of.row).to_owned()).collect(),
        captions: images.map(captions).collect(),
        profile: Some(profile),
    })
}

/// Learns the words that an image makes probable: ridge regression from vectors `[N, D]` to the mean profiles of the
/// captions, in a vocabulary of so many words.
fn word_profile(
    images: &[TrainingImage],
    vectors: ArrayView2<f32>,
    words: usize,
    channels: usize,
) -> Result<WordProfile> {
    let dimensions = vectors.ncols();
    let (mean, weights) = (Array1::zeros(words), Array2::zeros([words, dimensions]));
    let mut profile = WordProfile { rareness: rareness(images, words), mean, weights };
    for (image, vector) in images.iter().zip(vectors.outer_iter()) {
        let share = 1.0 / image.captions.len().max(1) as f32;
        for caption in &image.captions {
            for (word, value) in profile.of_caption(&caption.words) {
                profile.mean[word as usize] += share * value / images.len() as f32;
                profile.weights.row_mut(word as usize).scaled_add(share * value, &vector);
            }
        }
    }
    // The sums of products with the deviation from the mean profile.
    let sum = vectors.sum_axis(Axis(0));
    for (mut row, &mean) in profile.weights.outer_iter_mut().zip(&profile.mean) {
        row.scaled_add(-mean, &sum);
    }
    let tensor = |matrix: ArrayView2<f32>| {
        let size = [matrix.nrows() as i64, matrix.ncols() as i64];
        let values = matrix.iter().copied().collect::<Vec<_>>();
        Tensor::from_slice(&values).f_view(size)?.f_to_kind(Kind::Double)
    };
    let penalty = RIDGE * images.len() as f64 / channels as f64;
    let products = tensor(vectors)?.f_tr()?.f_matmul(&tensor(vectors)?)?;
    let products = products + Tensor::eye(dimensions as i64, (Kind::Double, Device::Cpu)) * penalty;
    let sums = tensor(profile.weights.view())?.f_tr()?;
    let solved = Tensor::f_linalg_solve(&products, &sums, true)?.f_tr()?;
    let solved = Array2::from_shape_vec([words, dimensions], flat(&solved)?);
    profile.weights = solved.unwrap_or_default();
    Ok(profile)
}

/// The rareness of each word: ln(images / images whose captions have it); 0 for words that are never said.
fn rareness(images: &[TrainingImage], words: usize) -> Array1<f32> {
    let mut counts = vec![0_usize; words];
    for image in images {
        let spoken = image.captions.iter().flat_map(|caption| &*caption.words).copied();
        for word in spoken.collect::<HashSet<_>>() {
            counts[word as usize] += 1;
        }
    }
    let of_word = |(word, count): (usize, usize)| {
        let counts = count > 0 && !UNSAID.contains(&(word as WordId)) && word != END as usize;
        if counts { (images.len() as f32 / count as f32).ln() } else { 0.0 }
    };
    counts.into_iter().enumerate().map(of_word).collect()
}

/// The mean cell of each image over the views, `[N, C]`.
fn means(images: &[TrainingImage], grids: &Grids, views: &[View]) -> Result<Array2<f32>> {
    let mut means = Array2::zeros([images.len(), grids.shape().channels]);
    for (image, mut mean) in images.iter().zip(means.outer_iter_mut()) {
        for &view in views {
            let grid = grids.read(&TrainingImage { view, captions: Vec::new(), ..*image })?;
            mean += &(grid.sum_axis(Axis(0)) / (grid.nrows() * views.len()) as f32);
        }
    }
    Ok(means)
}

/// The directions `[D, C]` in which vectors `[N, C]` of length 1 are longest: of all projections on `dimensions` axes this
/// one keeps most of their dot products.
fn principal_components(vectors: ArrayView2<f32>, dimensions: usize) -> Result<Array2<f32>> {
    let (images, channels) = vectors.dim();
    let size = [images as i64, channels as i64];
    let tensor = Tensor::from_slice(vectors.as_slice().unwrap_or_default()).f_view(size)?;
    let tensor = tensor.f_to_kind(Kind::Double)?;
    let (_, components) = tensor.f_tr()?.f_matmul(&tensor)?.f_linalg_eigh("L")?;
    // Eigenvalues are in ascending order, and components are columns.
    let first = (channels - dimensions) as i64;
    let kept = components.f_narrow(1, first, dimensions as i64)?.f_tr()?;
    let values = flat(&kept)?;
    Ok(Array2::from_shape_vec([dimensions, channels], values).unwrap_or_default())
}
