//! The way from the bytes of a photo to its captions.
//!
//! A photo that was captioned before is answered from the [cache](cache::Cache). Any other takes one of
//! a fixed number of places, or is refused at once; it is decoded on one of a few threads and handed to
//! the one [thread that owns the model](engine). Whoever hangs up gives the place back, and work for
//! him that has not begun is left out.

mod cache;
mod engine;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use models::captioner::Photo;
use models::{Caption, Captioner, SearchOptions};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::cache::Cache;
use self::engine::Job;
use crate::metrics::Metrics;
use crate::stages::Stages;
use crate::{Error, MAX_BYTES, Options};

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
    /// Licence of the photos and captions that it was trained on.
    pub data_licence: Option<String>,
}

/// What was found out about a photo.
#[derive(Debug)]
pub(crate) struct Found {
    /// The best first; never empty.
    pub(crate) captions: Vec<Caption>,
    /// The part of the photo that the encoder sees and attention is about: left, top, width and height,
    /// as shares of its sides.
    pub(crate) seen: [f64; 4],
}

/// What is answered about a photo.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) found: Arc<Found>,
    pub(crate) stages: Stages,
    /// Whether it was known before.
    pub(crate) cached: bool,
}

/// The way to the model.
#[derive(Debug)]
pub struct Backend {
    info: ModelInfo,
    captioner: Arc<Captioner>,
    model: mpsc::Sender<Job>,
    places: Semaphore,
    decoders: Semaphore,
    cache: Cache,
    deadline: Duration,
    pub(crate) metrics: Arc<Metrics>,
}

impl Backend {
    /// Gives the captioner a thread of its own, which ends when the backend is dropped. Before that it has
    /// captioned black images, as many at once as it ever will: what the model needs of memory is taken
    /// then, and the first photo is as quick as the others.
    pub fn start(
        name: &str,
        captioner: Captioner,
        search: SearchOptions,
        options: &Options,
    ) -> models::Result<Self> {
        let info = ModelInfo::of(name, &captioner);
        let captioner = Arc::new(captioner);
        captioner.warm_up(options.max_batch.min(options.queue), &search)?;
        captioner.warm_up(1, &search)?;
        let metrics = Arc::new(Metrics::new());
        let model = engine::start(&captioner, search, options, &metrics);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            info,
            captioner,
            model,
            places: Semaphore::new(options.queue),
            decoders: Semaphore::new(cores),
            cache: Cache::new(options.cache),
            deadline: options.deadline.into(),
            metrics,
        })
    }

    /// What is known about the model.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Whether the model's thread is alive.
    pub(crate) fn is_alive(&self) -> bool {
        !self.model.is_closed()
    }

    /// How many more photos could be taken in.
    pub(crate) fn free_places(&self) -> usize {
        self.places.available_permits()
    }

    /// Captions an image. Answers at once if it is known or all places are taken.
    pub(crate) async fn caption(&self, image: Bytes) -> Result<Answer, Error> {
        if image.len() > MAX_BYTES {
            return Err(Error::BodyTooLarge);
        }
        let key = cache::key(&image);
        if let Some(found) = self.cache.get(&key) {
            return Ok(self.known(found));
        }
        let _place = self.places.try_acquire().map_err(|_| Error::QueueFull)?;
        let mut stages = None;
        let work = async {
            let (found, took) = self.work(image).await?;
            stages = Some(took);
            Ok(found)
        };
        let found = timeout(self.deadline, self.cache.get_or_find(&key, work)).await;
        let found = found.map_err(|_| Error::Deadline)??;
        Ok(match stages {
            Some(stages) => {
                self.metrics.worked(&stages);
                Answer { found, stages, cached: false }
            }
            // The same photo was in work for someone else.
            None => self.known(found),
        })
    }

    fn known(&self, found: Arc<Found>) -> Answer {
        self.metrics.known();
        Answer { found, stages: Stages::default(), cached: true }
    }

    /// Decodes, encodes and searches.
    async fn work(&self, image: Bytes) -> Result<(Arc<Found>, Stages), Error> {
        let start = Instant::now();
        let decoding = self.decoders.acquire().await.map_err(|_| Error::Model)?;
        let waited = start.elapsed();
        let (photo, decode) = self.decode(image).await?;
        drop(decoding);
        let seen = photo.seen();
        let (reply, answer) = oneshot::channel();
        let job = Job { photo, reply, since: Instant::now() };
        self.model.send(job).await.map_err(|_| Error::Model)?;
        let (captions, mut stages) = answer.await.map_err(|_| Error::Model)??;
        stages.queue += waited;
        stages.decode = decode;
        Ok((Arc::new(Found { captions, seen }), stages))
    }

    async fn decode(&self, image: Bytes) -> Result<(Photo, Duration), Error> {
        let captioner = Arc::clone(&self.captioner);
        let decoded = spawn_blocking(move || {
            let start = Instant::now();
            captioner.prepare(&image).map(|photo| (photo, start.elapsed()))
        });
        decoded.await.map_err(|_| Error::Model)?.map_err(Error::of_model)
    }
}

impl ModelInfo {
    fn of(name: &str, captioner: &Captioner) -> Self {
        let manifest = captioner.manifest();
        let scores = manifest.scores.iter().map(|(name, score)| (name.clone(), 100.0 * score));
        Self {
            name: name.to_owned(),
            network: manifest.network.clone(),
            encoder: captioner.encoder_name().to_owned(),
            scores: scores.collect(),
            scored_on: manifest.scored_on.clone(),
            data_licence: manifest.data_licence.clone(),
        }
    }
}
