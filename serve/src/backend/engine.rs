//! The one thread that owns the model. It takes all photos that wait, up to a limit, at once: alone a
//! photo waits for nobody, and many are captioned in less time than one after the other.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use models::captioner::{CaptionedBatch, Prepared};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::found::Found;
use crate::memory::Room;
use crate::metrics::Metrics;
use crate::stages::Stages;
use crate::{Error, Options};

/// Where it is awaited what was found out about a photo.
pub(super) type Reply = oneshot::Sender<Result<(Found, Stages), Error>>;

/// A photo for the model.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) photo: Prepared,
    /// One of `--queue`.
    pub(super) place: OwnedSemaphorePermit,
    /// The memory of the photo.
    pub(super) room: Room,
    pub(super) reply: Reply,
    /// How long it took until here.
    pub(super) stages: Stages,
    /// When it began to wait for the model.
    pub(super) since: Instant,
}

/// Starts the thread, on which `caption` captions photos. It ends when all senders are dropped, or if `caption`
/// panics: then the channel is closed, and all who wait for an answer get none.
pub(super) fn start(
    mut caption: impl FnMut(&[Prepared]) -> models::Result<CaptionedBatch> + Send + 'static,
    options: &Options,
    metrics: &Arc<Metrics>,
) -> mpsc::Sender<Job> {
    let (sender, mut jobs) = mpsc::channel::<Job>(options.queue);
    let (most, metrics) = (options.max_batch, Arc::clone(metrics));
    thread::spawn(move || {
        let mut batch = Vec::new();
        while jobs.blocking_recv_many(&mut batch, most) > 0 {
            // Nobody waits for the photos of those who hung up.
            batch.retain(|job| !job.reply.is_closed());
            if !batch.is_empty() {
                metrics.batch(batch.len());
                answer(&mut caption, std::mem::take(&mut batch), || jobs.close());
            }
        }
    });
    sender
}

/// Captions and answers jobs. If `caption` panics, the channel is closed by `close` before the jobs are dropped: who
/// waits for them then sees that the model is gone.
fn answer(
    caption: &mut impl FnMut(&[Prepared]) -> models::Result<CaptionedBatch>,
    jobs: Vec<Job>,
    close: impl FnOnce(),
) {
    let start = Instant::now();
    let (mut photos, mut taken, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for Job { photo, place, room, reply, stages, since } in jobs {
        let queue = stages.queue + start.duration_since(since);
        waiting.push((reply, photo.visible_region(), Stages { queue, ..stages }));
        photos.push(photo);
        taken.push((place, room));
    }
    let found = catch_unwind(AssertUnwindSafe(|| caption(&photos))).unwrap_or_else(|panic| {
        close();
        resume_unwind(panic)
    });
    // Those who are answered find their places free.
    drop((photos, taken));
    match found {
        Ok(CaptionedBatch { captions, encode, search }) => {
            for ((reply, seen, stages), captions) in waiting.into_iter().zip(captions) {
                let stages = Stages { encode, search, ..stages };
                // The client may have hung up in the meantime.
                let _ = reply.send(Ok((Found::new(captions, seen), stages)));
            }
        }
        Err(error) => {
            tracing::error!("the model failed: {error}");
            for (reply, ..) in waiting {
                let _ = reply.send(Err(Error::Model));
            }
        }
    }
}
