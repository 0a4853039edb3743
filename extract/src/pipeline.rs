//! Decoding → batches → encoders → store, all stages concurrent. The queues between them are bounded, so memory does
//! not depend on the number of images. Images that are read and decoded stay within `--memory`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
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

/// Queue slots for batches before they are collected, and before the disk.
const WAITING: usize = 2;

/// The result of a run.
pub(crate) struct Outcome {
    /// Number of images whose grids were written.
    pub(crate) written: usize,
    /// Whether a signal came before all images were read.
    pub(crate) interrupted: bool,
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) elapsed: Duration,
    /// How long encoders ran, in the mean.
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

/// Images on their way through an encoder.
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

/// Encodes the images of `pending` and writes their grids, until a signal comes. Each encoder has a thread.
pub(crate) fn run(
    job: &Job,
    encoders: &mut [Encoder],
    store: &mut StoreWriter,
    pending: &[Pending],
    progress: &mut Progress,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let Some(first) = encoders.first() else { bail!("no encoder was opened") };
    let (size, preprocess) = (job.batch(first.device()), first.preprocess().clone());
    let count = encoders.len() as u32;
    let (to_batches, decoded) = bounded(WAITING * size);
    let (to_encoders, batches) = bounded(1);
    let (to_store, finished) = bounded(WAITING);
    let failed = AtomicBool::new(false);
    progress.begin(pending.len());
    let (unreadable, busy, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_all(store, finished));
        scope.spawn(|| decode_all(job, &preprocess, pending, to_batches));
        let encoders = encoders.iter_mut().map(|encoder| {
            let (batches, to_store, failed) = (batches.clone(), to_store.clone(), &failed);
            scope.spawn(move || encode_all(encoder, batches, to_store, failed))
        });
        let encoders = encoders.collect::<Vec<_>>();
        // What is left of these queues is in the threads: when one end is gone, those at the other end.
        drop((batches, to_store));
        let unreadable = collect(size, decoded, to_encoders, &failed, progress);
        let busy = encoders.into_iter().map(|encoder| encoder.join().unwrap_or_default());
        (unreadable, busy.sum::<Duration>() / count, writer.join())
    });
    progress.end();
    let (mut skipped, written) = written
        .map_err(|_| anyhow!("the writer thread panicked"))?
        .context("the images encoded so far are kept")?;
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
    // Sending fails once no more batches are collected; then no work is left.
    let _ = pending.par_iter().try_for_each_with(sender, |sender, pending| {
        let decoded = guarded(|| decode(&pending.image, preprocess, job, &memory));
        sender.send((pending, decoded.map_err(|error| explain(&error)))).map_err(drop)
    });
}

/// Runs `work`; a panic becomes an error, of its image or of its batch.
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

/// Collects batches of `size` images; returns the unreadable ones. It ends early on a signal, and when an encoder or the
/// store has failed.
fn collect<'a>(
    size: usize,
    decoded: Receiver<Message<'a>>,
    to_encoders: Sender<Batch<'a>>,
    failed: &AtomicBool,
    progress: &mut Progress,
) -> Vec<Skipped> {
    let mut skipped = Vec::new();
    let mut batch = Batch::default();
    for (pending, image) in decoded {
        if interrupt::is_interrupted() {
            progress.note(
                "interrupted: what is encoded is being saved; a second signal ends this at once",
            );
            return skipped;
        }
        if failed.load(Ordering::Relaxed) {
            return skipped;
        }
        progress.advance(image.is_err());
        match image {
            Ok(Decoded { source, stamp, tensors }) => {
                batch.images.push((pending, source, stamp));
                batch.tensors.push(tensors);
            }
            Err(reason) => skipped.push(Skipped { image: pending.image.name.clone(), reason }),
        }
        if batch.images.len() == size && to_encoders.send(std::mem::take(&mut batch)).is_err() {
            return skipped;
        }
    }
    if !batch.images.is_empty() {
        if batch.images.len() < size {
            batch.double_one();
        }
        // Sending fails only if an encoder or the store failed, which is reported.
        let _ = to_encoders.send(batch);
    }
    skipped
}

impl Batch<'_> {
    /// ONNX Runtime rounds a single tensor differently than several, so one that is left over is doubled.
    fn double_one(&mut self) {
        if let [one] = &self.tensors[..]
            && one.len_of(Axis(0)) == 1
        {
            self.tensors.extend_from_within(..);
        }
    }
}

/// Encodes batches until there are no more, or one fails; returns the time in which the encoder ran.
fn encode_all<'a>(
    encoder: &mut Encoder,
    batches: Receiver<Batch<'a>>,
    to_store: Sender<anyhow::Result<Finished<'a>>>,
    failed: &AtomicBool,
) -> Duration {
    let mut busy = Duration::ZERO;
    for Batch { images, tensors } in batches {
        let start = Instant::now();
        let planes = guarded(|| encode(encoder, tensors));
        busy += start.elapsed();
        if planes.is_err() {
            failed.store(true, Ordering::Relaxed);
        }
        let finished = planes.map(|planes| Finished { images, planes });
        if to_store.send(finished).is_err() || failed.load(Ordering::Relaxed) {
            break;
        }
    }
    busy
}

/// The planes of tensors `[views, 3, H, W]`, one after the other: `[N, C, h, w]`.
fn encode(encoder: &mut Encoder, tensors: Vec<Array4<f32>>) -> anyhow::Result<Array4<f32>> {
    let of_images = tensors.iter().map(|of_image| of_image.view()).collect::<Vec<_>>();
    let joined = concatenate(Axis(0), &of_images)?;
    drop(of_images);
    drop(tensors);
    Ok(encoder.encode(joined.view())?)
}

/// Writes all grids; returns the images whose grids cannot be stored, and the number of those that were. If an encoder fails,
/// the grids of others are written before its error is returned.
fn write_all(
    store: &mut StoreWriter,
    finished: Receiver<anyhow::Result<Finished>>,
) -> anyhow::Result<(Vec<Skipped>, usize)> {
    let (mut skipped, mut written) = (Vec::new(), 0);
    let (dtype, views) = (store.provenance().dtype, store.provenance().views.len());
    let mut failure = None;
    for finished in finished {
        let Finished { images, planes } = match finished {
            Ok(finished) => finished,
            Err(error) => {
                failure = failure.or(Some(error));
                continue;
            }
        };
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
    failure.map_or(Ok((skipped, written)), Err)
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
