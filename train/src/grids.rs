//! The grids of several data sets: feature stores of one encoder.

use common::{GridShape, View};
use features::{Dtype, FeatureStore};
use models::view::original_first;
use ndarray::Array2;

use crate::dataset::TrainingImage;
use crate::run::EncoderRecord;
use crate::{Error, Result};

/// The feature stores of the data sets of a run, one for each, in their order.
#[derive(Debug)]
pub struct Grids {
    first: FeatureStore,
    others: Vec<FeatureStore>,
}

impl Grids {
    /// Joins the stores of data sets.
    ///
    /// # Errors
    /// [`Error::OtherEncoder`] if they are of several encoders, [`Error::OtherDtype`] if their values have several types.
    pub fn new(first: FeatureStore, others: Vec<FeatureStore>) -> Result<Self> {
        let encoder = EncoderRecord::from_store(&first);
        let dtype = first.provenance().dtype;
        for store in &others {
            encoder.check(store)?;
            let found = store.provenance().dtype;
            if found != dtype {
                let path = store.path().to_path_buf();
                return Err(Error::OtherDtype { path, found, first: dtype });
            }
        }
        Ok(Self { first, others })
    }

    /// The store of a data set.
    ///
    /// # Panics
    /// If there is no such set.
    #[must_use]
    pub fn store(&self, set: usize) -> &FeatureStore {
        set.checked_sub(1).map_or(&self.first, |other| &self.others[other])
    }

    /// All stores.
    pub fn stores(&self) -> impl Iterator<Item = &FeatureStore> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The shape of a grid.
    #[must_use]
    pub fn shape(&self) -> GridShape {
        self.first.grid_shape()
    }

    /// The type of the values.
    #[must_use]
    pub fn dtype(&self) -> Dtype {
        self.first.provenance().dtype
    }

    /// The bytes of a grid.
    #[must_use]
    pub fn grid_bytes(&self) -> usize {
        self.first.provenance().grid_bytes()
    }

    /// Those of `views` that all stores have; the original is always one of them.
    #[must_use]
    pub fn available(&self, views: &[View]) -> Vec<View> {
        let mut views = original_first(views);
        views.retain(|&view| self.stores().all(|store| store.view(view).is_ok()));
        views
    }

    /// Reads the bytes of the grid of an image in its view, `[cells, C]`.
    ///
    /// # Errors
    /// [`Error::Features`] if the grid cannot be read.
    pub fn read_bytes(&self, image: &TrainingImage, grid: &mut [u8]) -> Result<()> {
        let store = self.store(image.set);
        Ok(store.read_bytes(image.row, store.view(image.view)?, grid)?)
    }

    /// Reads the grid of an image in its view, `[cells, C]`.
    ///
    /// # Errors
    /// [`Error::Features`] if the grid cannot be read.
    pub fn read(&self, image: &TrainingImage) -> Result<Array2<f32>> {
        let store = self.store(image.set);
        Ok(store.read(image.row, store.view(image.view)?)?)
    }
}
