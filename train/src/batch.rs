//! Training batches: images with all their captions, so that a grid is read and projected once for all of them. Shapes:
//! N images, C channels.

use std::cmp::Reverse;

use data::vocabulary::{START, WordId};
use features::Dtype;
use tch::{Device, Kind, Tensor};

use crate::Result;
use crate::dataset::{Caption, TrainingImage};
use crate::grids::Grids;
use crate::tensor::{upload, upload_lists};

/// Images with their grids on the device, for a loss sorted by falling length of their longest caption.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The images, in the order of the grids.
    pub(crate) images: Vec<&'a TrainingImage>,
    /// `[N, cells, C]`, in the number format of the store.
    pub(crate) grids: Tensor,
}

impl<'a> Batch<'a> {
    /// Reads the grids of images, each in its view, onto `device`.
    ///
    /// # Errors
    /// [`Error::Features`](crate::Error::Features) if a grid cannot be read, [`Error::Torch`](crate::Error::Torch).
    pub fn new(images: &[&'a TrainingImage], grids: &Grids, device: Device) -> Result<Self> {
        let mut images = images.to_vec();
        images.sort_by_key(|image| Reverse(image.longest()));
        Self::in_order(images, grids, device)
    }

    /// Reads the grids of images, which stay in their order.
    pub(crate) fn in_order(
        images: Vec<&'a TrainingImage>,
        grids: &Grids,
        device: Device,
    ) -> Result<Self> {
        let grids = read(&images, grids, device)?;
        Ok(Self { images, grids })
    }

    /// The same grids, for images in the order of this batch with other captions, and sorted by these.
    pub(crate) fn with_captions<'b>(&self, images: &'b [TrainingImage]) -> Batch<'b> {
        let mut order = (0..images.len()).collect::<Vec<_>>();
        order.sort_by_key(|&at| Reverse(images[at].longest()));
        let rows = order.iter().map(|&at| at as i64).collect::<Vec<_>>();
        let [rows] = upload_lists([&rows], self.grids.device());
        Batch {
            images: order.into_iter().map(|at| &images[at]).collect(),
            grids: self.grids.index_select(0, &rows),
        }
    }

    /// That many parts, each in the order of this batch.
    pub(crate) fn parts(&self, parts: usize) -> Vec<Self> {
        if parts == 1 {
            return vec![Self { images: self.images.clone(), grids: self.grids.shallow_clone() }];
        }
        let part = |first: usize| {
            let rows = (first as i64..self.grids.size()[0]).step_by(parts).collect::<Vec<_>>();
            let [rows] = upload_lists([&rows], self.grids.device());
            Self {
                images: self.images.iter().skip(first).step_by(parts).copied().collect(),
                grids: self.grids.index_select(0, &rows),
            }
        };
        (0..parts).map(part).collect()
    }

    /// The number of captions.
    #[must_use]
    pub fn captions(&self) -> usize {
        self.images.iter().map(|image| image.captions.len()).sum()
    }

    /// The captions of each image.
    pub(crate) fn captions_by_image(&self) -> Vec<&[Caption]> {
        self.images.iter().map(|image| image.captions.as_slice()).collect()
    }

    /// The number of words in them, ends included.
    pub(crate) fn words(&self) -> usize {
        let captions = self.images.iter().flat_map(|image| &image.captions);
        captions.map(|caption| caption.words.len()).sum()
    }
}

/// The word before the one at `step`.
pub(crate) fn word_before(caption: &[WordId], step: usize) -> WordId {
    step.checked_sub(1).map_or(START, |before| caption[before])
}

/// Reads the grids of images: `[N, cells, C]`.
pub(crate) fn read(images: &[&TrainingImage], grids: &Grids, device: Device) -> Result<Tensor> {
    let shape = grids.shape();
    let of_grid = grids.grid_bytes();
    let mut bytes = vec![0; images.len() * of_grid];
    for (image, grid) in images.iter().zip(bytes.chunks_exact_mut(of_grid)) {
        grids.read_bytes(image, grid)?;
    }
    let size = [images.len() as i64, shape.cells() as i64, shape.channels as i64];
    let kind = match grids.dtype() {
        Dtype::F16 => Kind::Half,
        Dtype::F32 => Kind::Float,
    };
    let grids = Tensor::f_from_data_size(&bytes, &size, kind)?;
    Ok(upload(&grids, device))
}
