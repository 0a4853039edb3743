//! The way from the bytes of a photo to its captions.
//!
//! A photo that was captioned before is answered from the [cache](cache::Cache). Any other takes one of
//! a fixed number of places, or is refused at once; it is [decoded](work) on one of a few threads and handed to
//! the one [thread that owns the model](engine). What a photo takes is owned by the work on it: if a client hangs up
//! or the deadline passes, work that has begun keeps it until it ends, and work that has not is dropped.

mod cache;
mod engine;
mod found;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use futures_util::{StreamExt as _, stream};
use models::captioner::{CaptionedBatch, Prepared};
use models::{Captioner, SearchOptions};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::cache::{Cache, Key};
pub(crate) use self::found::Found;
use self::work::{Decoders, Work};
use crate::memory::{self, Memory, Room};
use crate::metrics::Metrics;
use crate::stages::Stages;
use crate::upload::Photo;
use crate::{Error, Options};

/// Photos of so many bytes are hashed where they arrive: that takes less time than handing them to another thread.
const SMALL: usize = 64 * 1024;

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

/// What is answered about a photo.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) found: Arc<Found>,
    pub(crate) stages: Stages,
    /// Whether it was known before.
    pub(crate) cached: bool,
    /// Memory for the text of the answer.
    pub(crate) room: Room,
}

/// What a photo does when all places are taken.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// It is refused.
    Now,
    /// It waits until one is free, or the deadline passes.
    Wait,
}

/// The way to the model.
#[derive(Debug)]
pub struct Backend {
    info: ModelInfo,
    decoders: Decoders,
    free_decoders: Arc<Semaphore>,
    places: Arc<Semaphore>,
    /// The most places that one request takes at once.
    together: usize,
    cache: Cache,
    deadline: Duration,
    pub(crate) memory: Arc<Memory>,
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
        captioner.warm_up(options.max_batch.min(options.queue), &search)?;
        captioner.warm_up(1, &search)?;
        let captioner = Arc::new(captioner);
        let model = Arc::clone(&captioner);
        let caption = move |photos: &[Prepared]| model.caption_all(photos, &search);
        Ok(Self::with(name, captioner, caption, options))
    }

    /// A backend whose thread captions photos by `caption`.
    fn with(
        name: &str,
        captioner: Arc<Captioner>,
        caption: impl FnMut(&[Prepared]) -> models::Result<CaptionedBatch> + Send + 'static,
        options: &Options,
    ) -> Self {
        let (metrics, memory) = (Arc::new(Metrics::new()), Arc::new(Memory::new(options.memory)));
        let info = ModelInfo::of(name, &captioner);
        let model = engine::start(caption, options, &metrics);
        Self {
            info,
            decoders: Decoders { captioner, memory: Arc::clone(&memory), model },
            free_decoders: Arc::new(Semaphore::new(options.decoders())),
            places: Arc::new(Semaphore::new(options.queue)),
            together: (options.queue / 2).max(1),
            cache: Cache::new(options.cache, memory::of_captions(options.memory)),
            deadline: options.deadline.into(),
            memory,
            metrics,
        }
    }

    /// What is known about the model.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Whether the model's thread is alive.
    pub(crate) fn is_alive(&self) -> bool {
        !self.decoders.model.is_closed()
    }

    /// Done when the model's thread has ended, which it does by itself only if it panics. Nothing is captioned after
    /// that.
    pub fn model_ended(&self) -> impl Future<Output = ()> + use<> {
        let model = self.decoders.model.clone();
        async move { model.closed().await }
    }

    /// How many more photos could be taken in.
    pub(crate) fn free_places(&self) -> usize {
        self.places.available_permits()
    }

    /// Captions a photo. Answers at once if it is known or all places are taken.
    pub(crate) async fn caption(&self, photo: Photo) -> Result<Answer, Error> {
        self.caption_in_turn(photo, Turn::Now).await
    }

    /// Captions the photos of one request, in their order, as many at once as half of the places, so that their
    /// number is not bounded by that of the places. Where all places are taken when they come, they are refused.
    pub(crate) async fn caption_all(
        &self,
        photos: Vec<Result<Photo, Error>>,
    ) -> Vec<Result<Answer, Error>> {
        let turn = if self.free_places() > 0 { Turn::Wait } else { Turn::Now };
        let captions =
            photos.into_iter().map(async |photo| self.caption_in_turn(photo?, turn).await);
        stream::iter(captions).buffered(self.together).collect().await
    }

    async fn caption_in_turn(&self, photo: Photo, turn: Turn) -> Result<Answer, Error> {
        if !self.is_alive() {
            return Err(Error::NotReady);
        }
        let (key, photo) = hashed(photo).await?;
        let Photo { bytes, room: upload, answer: room } = photo;
        if let Some(found) = self.cache.get(&key) {
            return Ok(self.known(found, room));
        }
        let mut stages = None;
        let work = async {
            let place = self.place(turn).await?;
            let work = async {
                let (found, took) = self.work(bytes, upload, place).await?;
                stages = Some(took);
                Ok(Arc::new(found))
            };
            self.cache.get_or_find(&key, work).await
        };
        let found = timeout(self.deadline, work).await.map_err(|_| Error::Deadline)??;
        Ok(match stages {
            Some(stages) => {
                self.metrics.worked(&stages);
                Answer { found, stages, cached: false, room }
            }
            // The same photo was in work for someone else.
            None => self.known(found, room),
        })
    }

    fn known(&self, found: Arc<Found>, room: Room) -> Answer {
        self.metrics.known();
        Answer { found, stages: Stages::default(), cached: true, room }
    }

    async fn place(&self, turn: Turn) -> Result<OwnedSemaphorePermit, Error> {
        let places = Arc::clone(&self.places);
        match turn {
            Turn::Now => places.try_acquire_owned().map_err(|_: TryAcquireError| Error::QueueFull),
            Turn::Wait => places.acquire_owned().await.map_err(|_| Error::Server),
        }
    }

    /// Decodes, encodes and searches.
    async fn work(
        &self,
        bytes: Bytes,
        upload: Room,
        place: OwnedSemaphorePermit,
    ) -> Result<(Found, Stages), Error> {
        let since = Instant::now();
        let decoder = Arc::clone(&self.free_decoders).acquire_owned().await;
        let decoder = decoder.map_err(|_| Error::Server)?;
        let (reply, answer) = oneshot::channel();
        let work = Work { bytes, upload, place, decoder, reply, since };
        let decoders = self.decoders.clone();
        spawn_blocking(move || decoders.run(work));
        // Without an answer the model's thread has ended, or decoding has panicked.
        let lost = |_| if self.is_alive() { Error::Server } else { Error::NotReady };
        answer.await.map_err(lost)?
    }
}

/// The memory for the texts of answers.
pub(crate) fn rooms_of(answers: Vec<Result<Answer, Error>>) -> Vec<Room> {
    answers.into_iter().filter_map(|answer| Some(answer.ok()?.room)).collect()
}

/// The photo with its key in the cache.
async fn hashed(photo: Photo) -> Result<(Key, Photo), Error> {
    if photo.bytes.len() <= SMALL {
        return Ok((cache::key(&photo.bytes), photo));
    }
    let hashed = spawn_blocking(move || (cache::key(&photo.bytes), photo));
    hashed.await.map_err(|_| Error::Server)
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
