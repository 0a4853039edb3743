//! What is done on a photo before the model sees it, on a thread where it may take its time.
//!
//! The work owns what it takes: its place in the queue, its place at the decoders, its memory. They go back when it
//! ends, not when the client hangs up or the deadline passes.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use models::Captioner;
use models::captioner::Prepared;
use tokio::runtime::Handle;
use tokio::select;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::engine::{Job, Reply};
use crate::memory::{Memory, Room};
use crate::stages::Stages;
use crate::{Error, Size};

/// A photo to be decoded.
pub(super) struct Work {
    pub(super) bytes: Bytes,
    /// The memory of the bytes.
    pub(super) upload: Room,
    /// One of `--queue`.
    pub(super) place: OwnedSemaphorePermit,
    /// One of `--decoders`.
    pub(super) decoder: OwnedSemaphorePermit,
    pub(super) reply: Reply,
    /// When it began to wait for the decoder.
    pub(super) since: Instant,
}

/// A photo that is decoded, with the memory of its tensor.
struct Decoded {
    photo: Prepared,
    room: Room,
    stages: Stages,
}

/// The way from bytes to the model.
#[derive(Debug, Clone)]
pub(super) struct Decoders {
    pub(super) captioner: Arc<Captioner>,
    pub(super) memory: Arc<Memory>,
    pub(super) model: mpsc::Sender<Job>,
}

impl Decoders {
    /// Decodes the photo and hands it to the model, unless nobody waits for that. Blocks while there is no memory
    /// for it.
    pub(super) fn run(&self, mut work: Work) {
        if work.reply.is_closed() {
            return;
        }
        let decoded = self.decode(&mut work);
        let Work { bytes, upload, place, decoder, reply, .. } = work;
        drop((bytes, upload, decoder));
        match decoded {
            Ok(Some(Decoded { photo, room, stages })) => {
                let job = Job { photo, place, room, reply, stages, since: Instant::now() };
                // There is a place for each job, so the channel is not full; it is closed if the model's thread
                // ended, and the job is dropped.
                let _ = self.model.try_send(job);
            }
            Ok(None) => {}
            Err(error) => {
                drop(place);
                let _ = reply.send(Err(error));
            }
        }
    }

    /// `None` if the client hung up before there was memory.
    fn decode(&self, work: &mut Work) -> Result<Option<Decoded>, Error> {
        let bytes = &work.bytes;
        let tensor = size_of::<f32>() as u64 * self.captioner.manifest().preprocess.values() as u64;
        let need = self.captioner.decode_memory(bytes).map_err(Error::of_model)?.max(tensor);
        let share = &self.memory.decoding;
        if need > share.all().bytes() {
            let (need, share) = (Size::new(need), share.all());
            return Err(Error::ImageNeedsTooMuchMemory { need, share });
        }
        let reply = &mut work.reply;
        let room = async {
            select! { room = share.take(need) => room, () = reply.closed() => None }
        };
        let Some(mut room) = Handle::current().block_on(room) else { return Ok(None) };
        let (queue, start) = (work.since.elapsed(), Instant::now());
        let photo = self.captioner.prepare(bytes).map_err(Error::of_model)?;
        room.shrink_to(tensor);
        let stages = Stages { queue, decode: start.elapsed(), ..Stages::default() };
        Ok(Some(Decoded { photo, room, stages }))
    }
}
