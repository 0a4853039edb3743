//! The one thread that owns the model. It takes all photos that wait, up to a limit, at once: alone a
//! photo waits for nobody, and many are captioned in less time than one after the other.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use models::captioner::{Batch, Photo};
use models::{Caption, Captioner, SearchOptions};
use tokio::sync::{mpsc, oneshot};

use crate::metrics::Metrics;
use crate::stages::Stages;
use crate::{Error, Options};

/// A photo for the model.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) photo: Photo,
    pub(super) reply: oneshot::Sender<Result<(Vec<Caption>, Stages), Error>>,
    /// When it began to wait.
    pub(super) since: Instant,
}

/// Starts the thread. It ends when all senders are dropped.
pub(super) fn start(
    captioner: &Arc<Captioner>,
    search: SearchOptions,
    options: &Options,
    metrics: &Arc<Metrics>,
) -> mpsc::Sender<Job> {
    let (sender, mut jobs) = mpsc::channel::<Job>(options.queue);
    let most = options.max_batch;
    let (captioner, metrics) = (Arc::clone(captioner), Arc::clone(metrics));
    thread::spawn(move || {
        let mut batch = Vec::new();
        while jobs.blocking_recv_many(&mut batch, most) > 0 {
            // Nobody waits for the photos of those who hung up.
            batch.retain(|job| !job.reply.is_closed());
            if !batch.is_empty() {
                metrics.batch(batch.len());
                answer(&captioner, &search, std::mem::take(&mut batch));
            }
        }
    });
    sender
}

fn answer(captioner: &Captioner, search: &SearchOptions, jobs: Vec<Job>) {
    let start = Instant::now();
    let mut photos = Vec::with_capacity(jobs.len());
    let mut waiting = Vec::with_capacity(jobs.len());
    for Job { photo, reply, since } in jobs {
        photos.push(photo);
        waiting.push((reply, start.duration_since(since)));
    }
    match captioner.caption_all(&photos, search) {
        Ok(Batch { captions, encode, search }) => {
            for ((reply, queue), captions) in waiting.into_iter().zip(captions) {
                let stages = Stages { queue, decode: Duration::ZERO, encode, search };
                // He may have hung up in the meantime.
                let _ = reply.send(Ok((captions, stages)));
            }
        }
        Err(error) => {
            tracing::error!("the model failed: {error}");
            for (reply, _) in waiting {
                let _ = reply.send(Err(Error::Model));
            }
        }
    }
}
