//! Vectors of grids, whose dot products say how similar images are.

use ndarray::{Array1, Array2, ArrayView1, ArrayView3, Axis};

/// From the grids of an image to a vector: the mean over the cells of all views, standardised channel by channel, scaled to length 1, projected.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooling {
    /// Mean of each channel over the training images, `[C]`.
    pub mean: Array1<f32>,
    /// Standard deviation of each channel, `[C]`; above zero.
    pub deviation: Array1<f32>,
    /// Rows of length 1 at right angles, `[D, C]`, such as the first principal components; none if vectors are not reduced,
    /// so that D = C.
    pub projection: Option<Array2<f32>>,
}

impl Pooling {
    /// The vector `[D]` of an image with grids `[views, cells, C]`.
    #[must_use]
    pub fn apply(&self, grids: ArrayView3<f32>) -> Array1<f32> {
        let mean = grids.mean_axis(Axis(0)).and_then(|grid| grid.mean_axis(Axis(0)));
        let mean = mean.unwrap_or_else(|| self.mean.clone());
        let standard = self.standardise(mean.view());
        match &self.projection {
            Some(projection) => projection.dot(&standard),
            None => standard,
        }
    }

    /// The mean of the cells of an image, standardised and of length 1, `[C]`.
    #[must_use]
    pub fn standardise(&self, mean: ArrayView1<f32>) -> Array1<f32> {
        let standard = (&mean - &self.mean) / &self.deviation;
        let length = standard.dot(&standard).sqrt();
        if length > 0.0 { standard / length } else { standard }
    }
}
