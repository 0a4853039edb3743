//! The neighbour index of a network: vectors of its training images, and their captions.
//!
//! `N` is the number of images, `C` the number of channels of a grid and `D` that of a vector.

use common::View;
use models::NeighbourData;
use models::neighbours::{NeighbourSettings, Pooling};
use ndarray::{Array1, Array2, ArrayView2, Axis};
use tch::{Kind, Tensor};

use crate::Result;
use crate::dataset::TrainingImage;
use crate::grids::Grids;
use crate::tensor::flat;

/// Options of a neighbour index.
#[derive(Debug, Clone)]
pub struct NeighbourOptions {
    /// How much neighbours count.
    pub settings: NeighbourSettings,
    /// D; at most C.
    pub dimensions: usize,
    /// The views of an image whose mean is taken.
    pub views: Vec<View>,
    /// The licence of the captions.
    pub licence: Option<String>,
}

/// Makes the index of images, whose captions are words of the vocabulary with that SHA-256.
///
/// # Errors
/// [`Error::Features`](crate::Error::Features) if a grid cannot be read, [`Error::Torch`](crate::Error::Torch) if the
/// principal components cannot be computed.
pub fn index(
    images: &[TrainingImage],
    grids: &Grids,
    vocabulary_sha256: String,
    options: &NeighbourOptions,
) -> Result<NeighbourData> {
    let means = means(images, grids, &options.views)?;
    let mean = means.mean_axis(Axis(0)).unwrap_or_else(|| Array1::zeros(means.ncols()));
    // A channel that is the same everywhere says nothing: any deviation does.
    let deviation = means.std_axis(Axis(0), 0.0).mapv(|of| if of > 0.0 { of } else { 1.0 });
    let projection = Array2::zeros([0, means.ncols()]);
    let mut pooling = Pooling { mean, deviation, projection };
    let mut vectors = means;
    for mut vector in vectors.outer_iter_mut() {
        let standard = pooling.standardise(vector.view());
        vector.assign(&standard);
    }
    pooling.projection = principal_components(vectors.view(), options.dimensions)?;
    let words = |image: &TrainingImage| {
        image.captions.iter().map(|caption| caption.words.clone()).collect()
    };
    Ok(NeighbourData {
        settings: options.settings,
        vocabulary_sha256,
        licence: options.licence.clone(),
        vectors: vectors.dot(&pooling.projection.t()),
        pooling,
        names: images
            .iter()
            .map(|image| grids.store(image.set).name(image.row).to_owned())
            .collect(),
        captions: images.iter().map(words).collect(),
    })
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
    let dimensions = dimensions.min(channels);
    // Eigenvalues are in ascending order, and components are columns.
    let first = (channels - dimensions) as i64;
    let kept = components.f_narrow(1, first, dimensions as i64)?.f_tr()?;
    let values = flat(&kept)?;
    Ok(Array2::from_shape_vec([dimensions, channels], values).unwrap_or_default())
}
