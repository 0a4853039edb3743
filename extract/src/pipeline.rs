//! Decoding → batches → encoder → store, all stages concurrent. The queues between them are bounded, so memory does
//! not depend on the number of images. Images that are read and decoded stay within `--memory`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use common::interrupt;
use common::memory::Memory;
use common::program::explain;
use crossbeam_channel::{Receiver, Sender, bounded};
use features::{Dtype, Encoded, Source, Stamp, StoreWriter};
use indicatif::HumanBytes;
use models::{Encoder, Preprocess, view};
use ndarray::{Array4, ArrayView3, Axis, concatenate};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::images::{Image, Skipped, digest};
use crate::options::Job;
use crate::progress::Progress;

/// Queue slots for batches before the encoder, and before the disk.
const WAITING: usize = 2;

/// The result of a run.
pub(crate) struct Outcome {
    /// Number of images whose grids were written.
    pub(crate) written: usize,
    /// Whether a signal came before all images were read.
    pub(crate) interrupted: bool,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) elapsed: Duration,
    /// How long the encoder ran.
    pub(crate) busy: Duration,
}

/// An image to encode, and its row.
pub(crate) struct Pending {
    pub(crate) row: usize,
    pub(crate) image: Image,
}

/// A decoded image: SHA-256 and stamp of its file, and its tensors, one view after the other.
struct Decoded {
    source: Source,
    stamp: Stamp,
    /// `[views, 3, H, W]`.
    tensors: Array4<f32>,
}

/// The output of the decoding threads.
type Message<'a> = (&'a Pending, Result<Decoded, String>);

/// Images on their way through the encoder.
#[derive(Default)]
struct Batch<'a> {
    images: Vec<(&'a Pending, Source, Stamp)>,
    /// The views of each image, `[views, 3, H, W]`.
    tensors: Vec<Array4<f32>>,
}

/// Encoded images on their way to the store.
struct Finished<'a> {
    images: Vec<(&'a Pending, Source, Stamp)>,
    /// `[N, C, h, w]`, the views of an image one after the other.
    planes: Array4<f32>,
}

/// Encodes the images of `pending` and writes their grids, until a signal comes.
pub(crate) fn run(
    job: &Job,
    encoder: &mut Encoder,
    store: &mut StoreWriter,
    pending: &[Pending],
    progress: &mut Progress,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let batch = job.batch(encoder.device());
    let preprocess = encoder.preprocess().clone();
    let (to_encoder, decoded) = bounded(WAITING * batch);
    let (to_store, finished) = bounded(WAITING);
    progress.begin(pending.len());
    let (read, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_all(store, finished));
        scope.spawn(|| decode_all(job, &preprocess, pending, to_encoder));
        let read = encode_all(job, encoder, &decoded, &to_store, progress);
        // Close both queues, so that threads that wait on them end.
        drop((decoded, to_store));
        (read, writer.join())
    });
    progress.end();
    // When the store fails, the encoder fails, too, on a closed queue: the store's error is reported first.
    let (mut skipped, written) = written
        .map_err(|_| anyhow!("the writer thread panicked"))?
        .context("the images encoded so far are kept")?;
    let (unreadable, busy) = read.context("the images encoded so far are kept")?;
    skipped.extend(unreadable);
    skipped.sort_by(|a, b| a.image.cmp(&b.image));
    let interrupted = !progress.is_complete();
    Ok(Outcome { written, interrupted, skipped, elapsed: start.elapsed(), busy })
}

fn decode_all<'a>(
    job: &Job,
    preprocess: &Preprocess,
    pending: &'a [Pending],
    sender: Sender<Message<'a>>,
) {
    let memory = Memory::new(job.memory.bytes());
    // Sending fails after the encoder has failed and closed the queue; then no work is left.
    let _ = pending.par_iter().try_for_each_with(sender, |sender, pending| {
        let decoded = guarded(|| decode(&pending.image, preprocess, job, &memory));
        sender.send((pending, decoded.map_err(|error| explain(&error)))).map_err(drop)
    });
}

/// Runs `work`; a panic becomes an error of its image.
fn guarded<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(anyhow!("the program failed on it")))
}

fn decode(
    image: &Image,
    preprocess: &Preprocess,
    job: &Job,
    memory: &Memory,
) -> anyhow::Result<Decoded> {
    let [channels, height, width] = preprocess.shape();
    let mut tensors = Array4::zeros([job.views.len(), channels, height, width]);
    let size = size_of_val(tensors.as_slice().unwrap_or_default()) as u64;
    let take = |bytes: u64| {
        let held = memory.take(bytes);
        held.with_context(|| {
            format!("it needs {} of memory, more than --memory", HumanBytes(bytes))
        })
    };
    // Before the bytes are read: a later change of the file changes the stamp.
    let (stamp, length) = (image.stamp(), image.length()?);
    let mut held = take(length)?;
    let mut bytes = image.read()?;
    let need = length + size + models::decode::memory(&bytes, &job.limits(), &job.views)?;
    if !held.grow(need) {
        // Waiting while holding memory could deadlock: release it first.
        drop((bytes, held));
        held = take(need)?;
        bytes = image.read()?;
    }
    let image = models::decode(&bytes, &job.limits())?;
    for (&view, tensor) in job.views.iter().zip(tensors.outer_iter_mut()) {
        view::apply(view, &image, preprocess, tensor)?;
    }
    drop(held);
    Ok(Decoded { source: digest(&bytes), stamp, tensors })
}

/// Encodes all images; returns the unreadable ones and the time in which the encoder ran.
fn encode_all<'a>(
    job: &Job,
    encoder: &mut Encoder,
    decoded: &Receiver<Message<'a>>,
    to_store: &Sender<Finished<'a>>,
    progress: &mut Progress,
) -> anyhow::Result<(Vec<Skipped>, Duration)> {
    let (size, views) = (job.batch(encoder.device()), job.views.len());
    let mut skipped = Vec::new();
    let mut busy = Duration::ZERO;
    let mut batch = Batch::default();
    let mut encode = |batch: &mut Batch<'a>| {
        let start = Instant::now();
        if batch.images.len() * views == 1 && size > 1 {
            // ONNX Runtime rounds a single image differently than several, so a last batch of one is doubled.
            batch.tensors.extend_from_within(..);
        }
        let tensors = batch.tensors.iter().map(|of_image| of_image.view()).collect::<Vec<_>>();
        let planes = encoder.encode(concatenate(Axis(0), &tensors)?.view())?;
        busy += start.elapsed();
        batch.tensors.clear();
        let images = std::mem::take(&mut batch.images);
        to_store.send(Finished { images, planes }).map_err(|_| anyhow!("the writer thread stopped"))
    };
    for (pending, image) in decoded {
        if interrupt::is_interrupted() {
            progress.note(
                "interrupted: what is encoded is being saved; a second signal ends this at once",
            );
            return Ok((skipped, busy));
        }
        progress.advance(image.is_err());
        match image {
            Ok(Decoded { source, stamp, tensors }) => {
                batch.images.push((pending, source, stamp));
                batch.tensors.push(tensors);
            }
            Err(reason) => skipped.push(Skipped { image: pending.image.name.clone(), reason }),
        }
        if batch.images.len() == size {
            encode(&mut batch)?;
        }
    }
    if !batch.images.is_empty() {
        encode(&mut batch)?;
    }
    Ok((skipped, busy))
}

/// Writes all grids; returns the images whose grids cannot be stored, and the number of those that were.
fn write_all(
    store: &mut StoreWriter,
    finished: Receiver<Finished>,
) -> features::Result<(Vec<Skipped>, usize)> {
    let (mut skipped, mut written) = (Vec::new(), 0);
    let (dtype, views) = (store.provenance().dtype, store.provenance().views.len());
    for Finished { images, planes } in finished {
        let mut batch = Vec::with_capacity(images.len());
        // A view in another order, without a copy. Planes after those of the images are padding.
        let (all, channels, height, width) = planes.dim();
        let planes = planes.into_shape_with_order((all / views, views, channels, height * width));
        let planes = planes.unwrap_or_default();
        let grids = planes.view().permuted_axes([0, 1, 3, 2]);
        for (number, (pending, source, stamp)) in images.into_iter().enumerate() {
            let grids = grids.index_axis_move(Axis(0), number);
            match out_of_range(&grids, dtype) {
                Some(reason) => skipped.push(Skipped { image: pending.image.name.clone(), reason }),
                None => batch.push(Encoded { row: pending.row, source, stamp, grids }),
            }
        }
        store.write(&batch)?;
        written += batch.len();
    }
    Ok((skipped, written))
}

/// The reason why grids cannot be stored; `None` if they can.
fn out_of_range(grids: &ArrayView3<f32>, dtype: Dtype) -> Option<String> {
    let is_too_large = |value: &&f32| value.is_nan() || value.abs() > dtype.max();
    let values = grids.as_slice_memory_order().unwrap_or_default();
    let value = values.iter().find(is_too_large)?;
    Some(format!("the encoder gave {value}, which {dtype} cannot hold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_of_one_image() {
        let images = [1_u8, 0, 2];
        let halves =
            images.map(|image| guarded(|| Ok(8 / image)).map_err(|error| error.to_string()));
        assert_eq!(halves, [Ok(8), Err("the program failed on it".to_owned()), Ok(4)]);
    }
}
