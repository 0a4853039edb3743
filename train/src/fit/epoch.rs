//! The order in which an epoch shows its images, and the reading of their grids ahead of training.
//!
//! A data set that is larger than a window is not shuffled as a whole: a disk or a network file system would have to
//! seek for each image. Blocks of images that lie side by side in the store are shuffled, and then the images within
//! windows of many blocks, as data loaders for large sets do. While one window is trained on, the next one is read
//! from one end of the store to the other, which leaves it in the system's page cache: memory that is given back when others
//! need it. So a store need not fit into memory, and training takes no more of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;

use features::FeatureStore;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

use crate::dataset::{TrainingImage, Views};

/// Images that stay together when blocks are shuffled; about 13 MB of ResNet50's grids, read at one go.
const BLOCK: usize = 64;

/// The images of an epoch, a window after the other, each image in one of its views.
#[derive(Debug)]
pub(super) struct Windows<'a> {
    order: Vec<&'a TrainingImage>,
    /// How many of them were shown.
    shown: usize,
    window: usize,
    /// Whether there are several, in which images are still to be shuffled.
    several: bool,
    views: &'a Views,
    random: ChaCha8Rng,
}

impl<'a> Windows<'a> {
    /// Windows of so many images, in whole batches.
    pub(super) fn new(
        images: &'a [TrainingImage],
        views: &'a Views,
        [window, batch]: [usize; 2],
        mut random: ChaCha8Rng,
    ) -> Self {
        let mut order = images.iter().collect::<Vec<_>>();
        let several = order.len() > window;
        if several {
            order.sort_by_key(|image| image.row);
            let mut blocks = order.chunks(BLOCK).collect::<Vec<_>>();
            blocks.shuffle(&mut random);
            order = blocks.concat();
        } else {
            order.shuffle(&mut random);
        }
        let window = if several { window.max(batch) / batch * batch } else { order.len() };
        Self { order, shown: 0, window, several, views, random }
    }

    /// Sends window after window, each once it was read. Those that end among the first `done` images are only counted
    /// through. Ends early when nobody receives, or with `stop`.
    pub(super) fn read_ahead(
        mut self,
        store: &FeatureStore,
        done: usize,
        sender: &SyncSender<Vec<TrainingImage>>,
        stop: &AtomicBool,
    ) {
        while let Some(window) = self.next() {
            if self.several && self.shown > done {
                read(&window, store, stop);
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
        let show = |image: &&TrainingImage| self.views.show(image, &mut self.random);
        Some(window.iter().map(show).collect())
    }
}

/// Reads grids once, in the order in which they lie. What cannot be read is an error when training comes to it.
fn read(images: &[TrainingImage], store: &FeatureStore, stop: &AtomicBool) {
    let mut places = images.iter().map(|image| (image.view, image.row)).collect::<Vec<_>>();
    places.sort_unstable();
    let mut grid = vec![0; store.provenance().grid_bytes()];
    for (view, row) in places {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let _ = store.read_bytes(row, view, &mut grid);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng as _;

    use super::*;
    use crate::dataset::Caption;

    fn images(number: usize) -> Vec<TrainingImage> {
        let captions = vec![Caption::written(vec![5, 6])];
        // The order of names is not that of rows.
        let row = |at: usize| (at * 7919) % number;
        let image = |at| TrainingImage { row: row(at), view: 0, captions: captions.clone() };
        (0..number).map(image).collect()
    }

    /// The rows of an epoch, a window after the other.
    fn rows(images: &[TrainingImage], sizes: [usize; 2], seed: u64) -> Vec<Vec<usize>> {
        let views = Views::plain();
        let random = ChaCha8Rng::seed_from_u64(seed);
        let windows = Windows::new(images, &views, sizes, random);
        windows.map(|window| window.iter().map(|image| image.row).collect()).collect()
    }

    #[test]
    fn each_image_is_shown_once_in_windows_of_whole_blocks_and_batches() {
        let images = images(10_000);
        let windows = rows(&images, [1000, 16], 1);
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
        assert_eq!(windows, rows(&images, [1000, 16], 1));
        assert_ne!(windows, rows(&images, [1000, 16], 2));
        assert_eq!(rows(&images, [3, 16], 1)[0].len(), 16);
    }

    #[test]
    fn what_fits_a_window_is_shuffled_as_a_whole() {
        let images = images(500);
        let [one] = &rows(&images, [500, 16], 3)[..] else { panic!("more than one window") };
        let blocks = one[..BLOCK].iter().map(|row| row / BLOCK).collect::<HashSet<_>>();
        assert_eq!(blocks.len(), 500 / BLOCK + 1, "blocks stay together");
        assert!(rows(&[], [500, 16], 3).is_empty());
    }
}
