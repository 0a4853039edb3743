//! The thread that owns the model. It captions all queued photos, up to a limit, as one batch: a single photo does not
//! wait for others, and many photos take less time than one by one.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use models::captioner::Prepared;
use models::{CaptionedBatch, SearchOptions};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::captions::PhotoCaptions;
use crate::memory::Reservation;
use crate::metrics::Metrics;
use crate::stages::Stages;
use crate::{Error, Options};

/// The work of the model on a batch.
pub(super) trait Caption:
    FnMut(&[Prepared], &SearchOptions) -> models::Result<CaptionedBatch>
{
}

impl<F: FnMut(&[Prepared], &SearchOptions) -> models::Result<CaptionedBatch>> Caption for F {}

/// The sender of the result for a photo.
pub(super) type Reply = oneshot::Sender<Result<(PhotoCaptions, Stages), Error>>;

/// A photo for the model.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) photo: Prepared,
    pub(super) search: SearchOptions,
    /// One of `--queue`.
    pub(super) permit: OwnedSemaphorePermit,
    /// The memory of the photo.
    pub(super) memory: Reservation,
    pub(super) reply: Reply,
    /// The durations so far.
    pub(super) stages: Stages,
    /// The start of waiting for the model.
    pub(super) since: Instant,
}

/// Starts the thread, which calls `caption` with batches of photos for the same search. It ends when all senders are
/// dropped, or if `caption` panics: then the channel is closed, and the senders of all jobs are dropped.
pub(super) fn start(
    mut caption: impl Caption + Send + 'static,
    options: &Options,
    metrics: &Arc<Metrics>,
) -> mpsc::Sender<Job> {
    let (sender, mut jobs) = mpsc::channel::<Job>(options.queue);
    let (max_batch, metrics) = (options.max_batch, Arc::clone(metrics));
    thread::spawn(move || {
        let mut batch = Vec::new();
        while jobs.blocking_recv_many(&mut batch, max_batch) > 0 {
            // Jobs of closed connections are dropped.
            batch.retain(|job| !job.reply.is_closed());
            while let Some(search) = batch.first().map(|job| job.search) {
                let (same, others) =
                    batch.drain(..).partition::<Vec<_>, _>(|job| job.search == search);
                batch = others;
                metrics.record_batch(same.len());
                caption_batch(&mut caption, &search, same, || jobs.close());
            }
        }
    });
    sender
}

/// Captions a batch and sends the results. If `caption` panics, `close` closes the channel before the jobs are dropped, so
/// that their requests see that the model is gone.
fn caption_batch(
    caption: &mut impl Caption,
    search: &SearchOptions,
    jobs: Vec<Job>,
    close: impl FnOnce(),
) {
    let start = Instant::now();
    let (mut photos, mut held, mut replies) = (Vec::new(), Vec::new(), Vec::new());
    for Job { photo, permit, memory, reply, stages, since, .. } in jobs {
        let queue = stages.queue + start.duration_since(since);
        replies.push((reply, photo.visible_region(), Stages { queue, ..stages }));
        photos.push(photo);
        held.push((permit, memory));
    }
    let result =
        catch_unwind(AssertUnwindSafe(|| caption(&photos, search))).unwrap_or_else(|panic| {
            close();
            resume_unwind(panic)
        });
    // Permits are free before the replies are sent.
    drop((photos, held));
    match result {
        Ok(CaptionedBatch { photos, encode, search }) => {
            for ((reply, seen, stages), description) in replies.into_iter().zip(photos) {
                let stages = Stages { encode, search, ..stages };
                // The connection may have been closed meanwhile.
                let _ = reply.send(Ok((PhotoCaptions::new(description, seen), stages)));
            }
        }
        Err(error) => {
            tracing::error!("the model failed: {error}");
            for (reply, ..) in replies {
                let _ = reply.send(Err(Error::Model));
            }
        }
    }
}
