//! The images of a new run: counted, and reported where they are few, have other names or are trained on.

use anyhow::ensure;
use common::names::note_on_folders;
use common::program::warn;
use data::Split;
use train::dataset::DataSet;
use train::provenance::TrainedOn;

/// With fewer images than these a warning is printed.
const FEW_TRAINING_IMAGES: usize = 500;
const FEW_DEV_IMAGES: usize = 100;

/// Numbers of images.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ImageCounts {
    pub(super) training: usize,
    pub(super) dev: usize,
    pub(super) test: usize,
    /// Captioned training and dev images without a grid.
    pub(super) without_grid: usize,
}

/// Reports the images of one of `sets` data sets.
pub(super) fn report(set: &DataSet, counts: ImageCounts, sets: usize) {
    let ImageCounts { training, dev, test, without_grid } = counts;
    let number = if sets > 1 { format!("set {}: ", set.number + 1) } else { String::new() };
    if without_grid > 0 {
        warn(format_args!(
            "{number}{without_grid} captioned images have no grid in the store and are skipped"
        ));
    }
    let kept = if test > 0 {
        format!("; {test} test images are kept for `train evaluate --split test`")
    } else {
        String::new()
    };
    let method = &set.splits;
    warn(format_args!(
        "{number}{training} training and {dev} dev images (split by {method}){kept}"
    ));
    explain_names(set);
}

impl ImageCounts {
    pub(super) fn add(&mut self, other: Self) {
        self.training += other.training;
        self.dev += other.dev;
        self.test += other.test;
        self.without_grid += other.without_grid;
    }

    pub(super) fn check(self) -> anyhow::Result<()> {
        let Self { training, dev, .. } = self;
        if training < FEW_TRAINING_IMAGES {
            warn(format_args!(
                "warning: {training} training images are few: captions of other photos will be poor"
            ));
        }
        if dev < FEW_DEV_IMAGES {
            warn(format_args!(
                "warning: {dev} dev images are few: the choice of the best epoch is partly chance"
            ));
        }
        ensure!(training > 0, "no training image has both captions and a grid");
        ensure!(dev > 0, "no dev image has both captions and a grid");
        Ok(())
    }
}

/// Explains names of captions that differ from those of the store in their folders.
fn explain_names(data: &DataSet) {
    let absent = data.corpus.names().filter(|image| data.store.find(image).is_none());
    let stored = data.store.images().into_iter().map(|(name, _)| name);
    if let Some(note) = note_on_folders(absent, stored) {
        warn(note);
    }
}

/// Warns of dev and test images that are trained on.
pub(super) fn warn_of_seen(set: &DataSet, trained_on: &TrainedOn) -> anyhow::Result<()> {
    let trained_on = trained_on.index(Some(set.number));
    for split in [Split::Dev, Split::Test] {
        let seen = trained_on.seen(set, split)?;
        if let Some(first) = seen.first() {
            warn(format_args!(
                "warning: {} {split} images are trained on as well, such as {first}\n  \
                 Their scores say nothing about new photos, and `train evaluate` refuses them. Remove the copies.",
                seen.len()
            ));
        }
    }
    Ok(())
}
