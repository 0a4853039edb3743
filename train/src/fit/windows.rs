//! The order in which an epoch shows its images, and the reading of their grids ahead of training.
//!
//! A data set that is larger than a window is not shuffled as a whole: a disk or a network file system would have to seek
//! for each image. Blocks of neighbouring rows are shuffled, and then the images within windows of many blocks, as data
//! loaders for large sets do. While one window is trained on, the next one is read in the order of rows into the system's
//! page cache, which the system frees under memory pressure. So a store need not fit into memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::consensus::ConsensusWeights;
use crate::dataset::{TrainingImage, Views};
use crate::grids::Grids;

/// Number of images of a block; with ResNet50's grids a sequential read of 13 MB.
const BLOCK: usize = 64;

/// Number of images of a window, and of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowSize {
    pub(super) images: usize,
    pub(super) batch: usize,
}

/// The images of an epoch, window by window, each image in one of its views.
#[derive(Debug)]
pub(super) struct Windows<'a> {
    order: Vec<&'a TrainingImage>,
    /// Number of images that were shown.
    shown: usize,
    window: usize,
    /// Whether there are several windows, whose images are to be shuffled.
    several: bool,
    looks: Looks<'a>,
    random: ChaCha8Rng,
}

/// How images are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looks<'a> {
    pub(super) views: &'a Views,
    pub(super) consensus: Option<&'a ConsensusWeights>,
}

impl Looks<'_> {
    /// The image with weights for its captions.
    fn weigh(&self, image: &TrainingImage) -> TrainingImage {
        self.consensus.map_or_else(|| image.clone(), |consensus| consensus.weigh(image))
    }
}

impl<'a> Windows<'a> {
    /// Windows of at most the given size, in whole batches, over the images of an epoch.
    pub(super) fn new(
        mut order: Vec<&'a TrainingImage>,
        looks: Looks<'a>,
        size: WindowSize,
        mut random: ChaCha8Rng,
    ) -> Self {
        let several = order.len() > size.images;
        if several {
            order.sort_by_key(|image| (image.set, image.row));
            let mut blocks = order.chunks(BLOCK).collect::<Vec<_>>();
            blocks.shuffle(&mut random);
            order = blocks.concat();
        } else {
            order.shuffle(&mut random);
        }
        let batch = size.batch;
        let window = if several { size.images.max(batch) / batch * batch } else { order.len() };
        Self { order, shown: 0, window, several, looks, random }
    }

    /// Sends each window after reading it. Windows within the first `done` images are sent unread. Ends early if the
    /// receiver is dropped, or with `stop`.
    pub(super) fn read_ahead(
        mut self,
        grids: &Grids,
        done: usize,
        sender: &SyncSender<Vec<TrainingImage>>,
        stop: &AtomicBool,
    ) {
        while let Some(window) = self.next() {
            if self.several && self.shown > done {
                read(&window, grids, stop);
            }
            if sender.send(window).is_err() {
                return;
            }
        }
    }
}

impl Iterator for Windows<'_> {
    type Item = Vec<TrainingImage>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.order.len().min(self.shown + self.window);
        let window = &mut self.order[self.shown..end];
        self.shown = end;
        if window.is_empty() {
            return None;
        }
        if self.several {
            window.shuffle(&mut self.random);
        }
        let weighed = window.par_iter().map(|image| self.looks.weigh(image)).collect::<Vec<_>>();
        let show = |image| self.looks.views.show(image, &mut self.random);
        Some(weighed.iter().map(show).collect())
    }
}

/// Reads grids in the order of rows. A grid that cannot be read is an error when it is trained on.
fn read(images: &[TrainingImage], grids: &Grids, stop: &AtomicBool) {
    let mut ordered = images.iter().collect::<Vec<_>>();
    ordered.sort_by_key(|image| (image.set, image.view, image.row));
    let mut grid = vec![0; grids.grid_bytes()];
    for image in ordered {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let _ = grids.read_bytes(image, &mut grid);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use common::View;
    use rand::SeedableRng as _;

    use super::*;
    use crate::dataset::Caption;

    fn images(number: usize) -> Vec<TrainingImage> {
        let captions = vec![Caption::written(vec![5, 6])];
        // The order of images is not that of rows.
        let row = |at: usize| (at * 7919) % number;
        let image = |at| TrainingImage {
            set: 0,
            row: row(at),
            view: View::Original,
            captions: captions.clone(),
        };
        (0..number).map(image).collect()
    }

    fn size(images: usize) -> WindowSize {
        WindowSize { images, batch: 16 }
    }

    /// The rows of an epoch, by window.
    fn rows(images: &[TrainingImage], size: WindowSize, seed: u64) -> Vec<Vec<usize>> {
        let views = Views::plain();
        let random = ChaCha8Rng::seed_from_u64(seed);
        let looks = Looks { views: &views, consensus: None };
        let windows = Windows::new(images.iter().collect(), looks, size, random);
        windows.map(|window| window.iter().map(|image| image.row).collect()).collect()
    }

    #[test]
    fn each_image_is_shown_once_in_windows_of_whole_blocks_and_batches() {
        let images = images(10_000);
        let windows = rows(&images, size(1000), 1);
        assert_eq!(windows.len(), 11);
        assert!(windows[..10].iter().all(|window| window.len() == 992));
        assert_eq!(windows.concat().into_iter().collect::<HashSet<_>>().len(), 10_000);
        for window in &windows {
            let blocks = window.iter().map(|row| row / BLOCK).collect::<HashSet<_>>();
            assert!(blocks.len() <= window.len() / BLOCK + 3, "{} blocks", blocks.len());
            let neighbours =
                window.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) == 1).count();
            assert!(neighbours < window.len() / 10, "images are not shuffled in a window");
        }
        assert_eq!(windows, rows(&images, size(1000), 1));
        assert_ne!(windows, rows(&images, size(1000), 2));
        assert_eq!(rows(&images, size(3), 1)[0].len(), 16);
    }

    #[test]
    fn a_set_within_a_window_is_shuffled_as_a_whole() {
        let images = images(500);
        let [one] = &rows(&images, size(500), 3)[..] else { panic!("more than one window") };
        let blocks = one[..BLOCK].iter().map(|row| row / BLOCK).collect::<HashSet<_>>();
        assert_eq!(blocks.len(), 500 / BLOCK + 1, "blocks stay together");
        assert!(rows(&[], size(500), 3).is_empty());
    }
}
