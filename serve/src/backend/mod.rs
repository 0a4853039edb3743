//! From the bytes of a photo to its captions.
//!
//! A photo that was captioned before is answered from the [cache](cache::Cache). Any other photo takes a permit of the
//! queue, or is refused at once; it is [decoded](work) on one of a few threads and sent to the [thread that owns the
//! model](engine). Permits and memory are owned by the work on a photo: when its connection is closed or the deadline
//! passes, queued work is dropped, and running work holds them until it ends.

mod cache;
mod captions;
mod engine;
#[cfg(test)]
mod tests;
mod work;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use futures_util::{StreamExt as _, stream};
use models::captioner::Prepared;
use models::{Captioner, SearchOptions};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use self::cache::{Cache, Key};
pub(crate) use self::captions::PhotoCaptions;
use self::engine::Caption;
use self::work::{Decoders, Work};
use crate::memory::{self, Memory, Reservation};
use crate::metrics::Metrics;
use crate::reader::Photo;
use crate::stages::Stages;
use crate::{Error, Options};

/// Photos up to this number of bytes are hashed on the async thread, which takes less time than another thread.
const SMALL: usize = 64 * 1024;

/// The description of the model on the page and in the API.
#[derive(Debug, Clone, Serialize)]
pub struct ModelInfo {
    /// The model's name.
    pub name: String,
    /// The model as it is recorded with captions in files.
    pub record_name: String,
    /// The kind of decoder.
    pub network: String,
    /// The encoder's file name.
    pub encoder: String,
    /// Scores × 100 by name.
    pub scores: BTreeMap<String, f64>,
    /// The split of the scores.
    pub scored_on: String,
    /// The licence of the training data.
    pub data_licence: Option<String>,
}

/// The captions of a photo, and how they were made.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) captions: Arc<PhotoCaptions>,
    pub(crate) stages: Stages,
    /// Whether the captions come from the cache.
    pub(crate) is_cached: bool,
    /// Memory for the text of the response.
    pub(crate) memory: Reservation,
}

/// What to do with a photo when all permits are taken.
#[derive(Debug, Clone, Copy)]
enum WhenFull {
    /// The photo is refused.
    Refuse,
    /// The photo waits for a permit, up to the deadline.
    Wait,
}

/// The model with its queue, its cache and its limits.
#[derive(Debug)]
pub struct Backend {
    info: ModelInfo,
    /// The search of requests that do not ask for another beam.
    search: SearchOptions,
    decoders: Decoders,
    decoder_permits: Arc<Semaphore>,
    queue_permits: Arc<Semaphore>,
    /// Maximum number of permits that one request takes at once.
    permits_per_request: usize,
    cache: Cache,
    deadline: Duration,
    pub(crate) memory: Arc<Memory>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Backend {
    /// Warms the captioner up and starts its thread, which ends when the backend is dropped. The warm-up captions the
    /// largest batch of black images, so that the model's memory is allocated and the first photo is as fast as others.
    ///
    /// # Errors
    /// If the model cannot caption.
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
        let caption =
            move |photos: &[Prepared], search: &SearchOptions| model.caption_all(photos, search);
        Ok(Self::with_captioner(name, captioner, search, caption, options))
    }

    /// Creates a backend whose thread calls `caption`.
    fn with_captioner(
        name: &str,
        captioner: Arc<Captioner>,
        search: SearchOptions,
        caption: impl Caption + Send + 'static,
        options: &Options,
    ) -> Self {
        let (metrics, memory) = (Arc::new(Metrics::new()), Arc::new(Memory::new(options.memory)));
        let info = ModelInfo::new(name, &captioner);
        let model = engine::start(caption, options, &metrics);
        Self {
            info,
            search,
            decoders: Decoders { captioner, memory: Arc::clone(&memory), model },
            decoder_permits: Arc::new(Semaphore::new(options.decoders())),
            queue_permits: Arc::new(Semaphore::new(options.queue)),
            permits_per_request: (options.queue / 2).max(1),
            cache: Cache::new(options.cache, memory::of_captions(options.memory)),
            deadline: options.deadline.into(),
            memory,
            metrics,
        }
    }

    /// The description of the model.
    #[must_use]
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// Whether the model's thread is alive.
    pub(crate) fn is_alive(&self) -> bool {
        !self.decoders.model.is_closed()
    }

    /// Waits until the model's thread has ended, which it does only if it panics.
    pub fn model_ended(&self) -> impl Future<Output = ()> + use<> {
        let model = self.decoders.model.clone();
        async move { model.closed().await }
    }

    /// The number of free permits of the queue.
    pub(crate) fn free_permits(&self) -> usize {
        self.queue_permits.available_permits()
    }

    /// The search with another beam, which keeps all its captions; without one that of the server.
    pub(crate) fn search(&self, beam: Option<usize>) -> SearchOptions {
        beam.map_or(self.search, |beam| SearchOptions { beam, n_best: beam, ..self.search })
    }

    /// Captions a photo. Returns at once if the captions are cached or the queue is full.
    pub(crate) async fn caption(
        &self,
        photo: Photo,
        search: SearchOptions,
    ) -> Result<Answer, Error> {
        self.caption_photo(photo, search, WhenFull::Refuse).await
    }

    /// Captions the photos of one request, in their order. At most half of the permits are taken at once, so a request may
    /// have more photos than there are permits. If the queue is full when the request arrives, all are refused.
    pub(crate) async fn caption_all(
        &self,
        photos: Vec<Result<Photo, Error>>,
        search: SearchOptions,
    ) -> Vec<Result<Answer, Error>> {
        let when_full = if self.free_permits() > 0 { WhenFull::Wait } else { WhenFull::Refuse };
        let caption =
            async |photo: Result<_, _>| self.caption_photo(photo?, search, when_full).await;
        let captions = photos.into_iter().map(caption);
        stream::iter(captions).buffered(self.permits_per_request).collect().await
    }

    async fn caption_photo(
        &self,
        photo: Photo,
        search: SearchOptions,
        when_full: WhenFull,
    ) -> Result<Answer, Error> {
        if !self.is_alive() {
            return Err(Error::NotReady);
        }
        let (key, photo) = hash(photo, search.beam).await?;
        let Photo { bytes, upload, response: memory } = photo;
        if let Some(captions) = self.cache.get(&key) {
            return Ok(self.cached_answer(captions, memory));
        }
        let mut stages = None;
        let work = async {
            let permit = self.queue_permit(when_full).await?;
            let work = async {
                let (captions, durations) = self.work(bytes, search, upload, permit).await?;
                stages = Some(durations);
                Ok(Arc::new(captions))
            };
            self.cache.get_or_insert(&key, work).await
        };
        let captions = timeout(self.deadline, work).await.map_err(|_| Error::Deadline)??;
        Ok(match stages {
            Some(stages) => {
                self.metrics.count_captioned(&stages);
                Answer { captions, stages, is_cached: false, memory }
            }
            // Another request had the same photo in work.
            None => self.cached_answer(captions, memory),
        })
    }

    fn cached_answer(&self, captions: Arc<PhotoCaptions>, memory: Reservation) -> Answer {
        self.metrics.count_cached();
        Answer { captions, stages: Stages::default(), is_cached: true, memory }
    }

    async fn queue_permit(&self, when_full: WhenFull) -> Result<OwnedSemaphorePermit, Error> {
        let permits = Arc::clone(&self.queue_permits);
        match when_full {
            WhenFull::Refuse => {
                permits.try_acquire_owned().map_err(|_: TryAcquireError| Error::QueueFull)
            }
            WhenFull::Wait => permits.acquire_owned().await.map_err(|_| Error::Server),
        }
    }

    /// Decodes and captions a photo.
    async fn work(
        &self,
        bytes: Bytes,
        search: SearchOptions,
        upload: Reservation,
        permit: OwnedSemaphorePermit,
    ) -> Result<(PhotoCaptions, Stages), Error> {
        let since = Instant::now();
        let decoder = Arc::clone(&self.decoder_permits).acquire_owned().await;
        let decoder = decoder.map_err(|_| Error::Server)?;
        let (reply, result) = oneshot::channel();
        let work = Work { bytes, search, upload, permit, decoder, reply, since };
        let decoders = self.decoders.clone();
        spawn_blocking(move || decoders.run(work));
        // Without a result the model's thread has ended, or decoding has panicked.
        let lost = |_| if self.is_alive() { Error::Server } else { Error::NotReady };
        result.await.map_err(lost)?
    }
}

/// Takes the memory for the texts of responses.
pub(crate) fn into_memory(answers: Vec<Result<Answer, Error>>) -> Vec<Reservation> {
    answers.into_iter().filter_map(|answer| Some(answer.ok()?.memory)).collect()
}

/// Computes the photo's key in the cache.
async fn hash(photo: Photo, beam: usize) -> Result<(Key, Photo), Error> {
    if photo.bytes.len() <= SMALL {
        return Ok((cache::key(&photo.bytes, beam), photo));
    }
    let hashed = spawn_blocking(move || (cache::key(&photo.bytes, beam), photo));
    hashed.await.map_err(|_| Error::Server)
}

impl ModelInfo {
    fn new(name: &str, captioner: &Captioner) -> Self {
        let manifest = captioner.manifest();
        let scores = manifest.scores.iter().map(|(name, score)| (name.clone(), 100.0 * score));
        Self {
            name: name.to_owned(),
            record_name: manifest.record_name(),
            network: manifest.network.clone(),
            encoder: captioner.encoder_name().to_owned(),
            scores: scores.collect(),
            scored_on: manifest.scored_on.clone(),
            data_licence: manifest.data_licence.clone(),
        }
    }
}
