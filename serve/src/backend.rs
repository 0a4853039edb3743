//! The one thread that owns the model, and the bounded queue before it.

use std::collections::BTreeMap;

use axum::body::Bytes;
use models::captioner::Captioned;
use models::{Captioner, Error as ModelError, SearchOptions};
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::Error;

/// Photos that may wait for the model.
const QUEUE: usize = 64;

/// What the page and the API say about the model.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInfo {
    /// The model's name.
    pub name: String,
    /// The kind of decoder.
    pub network: String,
    /// The encoder's file name.
    pub encoder: String,
    /// Scores × 100 by name.
    pub scores: BTreeMap<String, f64>,
    /// The split they were measured on.
    pub scored_on: String,
}

#[derive(Debug)]
struct Job {
    image: Bytes,
    reply: oneshot::Sender<Result<Captioned, Error>>,
}

/// The way to the model.
#[derive(Debug)]
pub struct Backend {
    queue: mpsc::Sender<Job>,
    info: ModelInfo,
}

impl Backend {
    /// Moves the captioner into a thread of its own, which ends when the backend is dropped.
    #[must_use]
    pub fn start(name: &str, captioner: Captioner, options: SearchOptions) -> Self {
        let (queue, mut jobs) = mpsc::channel::<Job>(QUEUE);
        let manifest = captioner.manifest();
        let scores = manifest.scores.iter().map(|(name, score)| (name.clone(), 100.0 * score));
        let info = ModelInfo {
            name: name.to_owned(),
            network: manifest.network.clone(),
            encoder: captioner.encoder_name().to_owned(),
            scores: scores.collect(),
            scored_on: manifest.scored_on.clone(),
        };
        std::thread::spawn(move || {
            while let Some(job) = jobs.blocking_recv() {
                if !job.reply.is_closed() {
                    // The client may hang up in the meantime; then nobody wants the answer.
                    let _ = job.reply.send(caption(&captioner, &job.image, &options));
                }
            }
        });
        Self { queue, info }
    }

    /// What is known about the model.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Captions an image. Answers at once if the queue is full.
    pub async fn caption(&self, image: Bytes) -> Result<Captioned, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job { image, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::QueueFull,
            mpsc::error::TrySendError::Closed(_) => Error::Model,
        })?;
        answer.await.map_err(|_| Error::Model)?
    }
}

fn caption(
    captioner: &Captioner,
    image: &[u8],
    options: &SearchOptions,
) -> Result<Captioned, Error> {
    captioner.caption(image, options).map_err(|error| match error {
        ModelError::Image(error) => Error::Image(error),
        error => {
            tracing::error!("{error}");
            Error::Model
        }
    })
}
