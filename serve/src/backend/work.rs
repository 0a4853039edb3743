//! Decoding of photos, on a blocking thread.
//!
//! The work owns its permits and its memory. They are released when it ends, not when the connection is closed or the
//! deadline passes.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use models::captioner::Prepared;
use models::{Captioner, SearchOptions};
use tokio::runtime::Handle;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::engine::{Job, Reply};
use crate::memory::{Memory, Reservation};
use crate::stages::Stages;
use crate::{Error, Size};

/// A photo to decode.
pub(super) struct Work {
    pub(super) bytes: Bytes,
    pub(super) search: SearchOptions,
    /// The memory of the bytes.
    pub(super) upload: Reservation,
    /// One of `--queue`.
    pub(super) permit: OwnedSemaphorePermit,
    /// One of `--decoders`.
    pub(super) decoder: OwnedSemaphorePermit,
    pub(super) reply: Reply,
    /// The start of waiting for a decoder.
    pub(super) since: Instant,
}

/// A decoded photo, with the memory of its tensor.
struct Decoded {
    photo: Prepared,
    memory: Reservation,
    stages: Stages,
}

/// Decodes photos and sends them to the model.
#[derive(Debug, Clone)]
pub(super) struct Decoders {
    pub(super) captioner: Arc<Captioner>,
    pub(super) memory: Arc<Memory>,
    pub(super) model: mpsc::Sender<Job>,
}

impl Decoders {
    /// Decodes the photo and sends it to the model, unless its connection is closed. Blocks until there is memory for it.
    pub(super) fn run(&self, mut work: Work) {
        if work.reply.is_closed() {
            return;
        }
        let decoded = self.decode(&mut work);
        let Work { bytes, search, upload, permit, decoder, reply, .. } = work;
        drop((bytes, upload, decoder));
        match decoded {
            Ok(Some(Decoded { photo, memory, stages })) => {
                let since = Instant::now();
                let job = Job { photo, search, permit, memory, reply, stages, since };
                // Each job has a permit, so the channel is not full. It is closed if the model's thread ended; then the
                // job is dropped.
                let _ = self.model.try_send(job);
            }
            Ok(None) => {}
            Err(error) => {
                drop(permit);
                let _ = reply.send(Err(error));
            }
        }
    }

    /// `None` if the connection was closed before there was memory.
    fn decode(&self, work: &mut Work) -> Result<Option<Decoded>, Error> {
        let bytes = &work.bytes;
        let tensor = self.captioner.tensor_memory();
        let need = self.captioner.decode_memory(bytes).map_err(Error::from_model)?.max(tensor);
        let share = &self.memory.decoding;
        if need > share.total().bytes() {
            let (need, share) = (Size::new(need), share.total());
            return Err(Error::ImageNeedsTooMuchMemory { need, share });
        }
        let reply = &mut work.reply;
        let reserved = async {
            select! { memory = share.reserve(need) => memory, () = reply.closed() => None }
        };
        let Some(mut memory) = Handle::current().block_on(reserved) else { return Ok(None) };
        let (queue, start) = (work.since.elapsed(), Instant::now());
        let photo = self.captioner.prepare(bytes).map_err(Error::from_model)?;
        memory.shrink_to(tensor);
        let stages = Stages { queue, decode: start.elapsed(), ..Stages::default() };
        Ok(Some(Decoded { photo, memory, stages }))
    }
}
