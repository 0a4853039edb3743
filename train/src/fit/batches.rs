//! The reading of batches.

use std::sync::mpsc::sync_channel;
use std::thread::Scope;

use super::learner::TrainingKind;
use crate::Result;
use crate::batch::Batch;
use crate::dataset::TrainingImage;
use crate::device::{Backend, Compute};
use crate::grids::Grids;

/// Reads the batches of a training.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchReader<'a> {
    pub(super) grids: &'a Grids,
    pub(super) compute: Compute,
    pub(super) kind: TrainingKind,
}

impl<'a> BatchReader<'a> {
    /// Reads a batch of images. With rewards they stay in their order, in which captions are sampled for them.
    pub(super) fn read<'b>(&self, images: &'b [TrainingImage]) -> Result<Batch<'b>> {
        let images = images.iter().collect::<Vec<_>>();
        match self.kind {
            TrainingKind::TeacherForcing => Batch::new(&images, self.grids, self.compute.device),
            TrainingKind::SelfCritical => Batch::in_order(images, self.grids, self.compute.device),
        }
    }

    /// Reads batches one after the other. For a GPU another thread of `scope` does so, and is one batch ahead.
    pub(super) fn read_all<'scope, 'b: 'scope>(
        self,
        batches: impl Iterator<Item = &'b [TrainingImage]> + Send + 'scope,
        scope: &'scope Scope<'scope, '_>,
    ) -> Box<dyn Iterator<Item = Result<Batch<'b>>> + 'scope>
    where
        'a: 'scope,
    {
        let batches = batches.map(move |images| self.read(images));
        if self.compute.backend == Backend::Host {
            return Box::new(batches);
        }
        // The thread holds one batch until it is taken, and ends when the receiver is dropped.
        let (sender, receiver) = sync_channel(0);
        scope.spawn(move || {
            for batch in batches {
                if sender.send(batch).is_err() {
                    return;
                }
            }
        });
        Box::new(receiver.into_iter())
    }
}
