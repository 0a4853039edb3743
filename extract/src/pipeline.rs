//! Decoding → batches → encoder → store, each at the same time as the others. The queues between
//! them are bounded, so memory does not depend on the number of images.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use crossbeam_channel::{Receiver, Sender, bounded};
use features::{Dtype, Encoded, Source, StoreWriter};
use models::{Encoder, Limits, Planes, Preprocess, View, decode};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};

use crate::images::{Image, Skipped, digest};
use crate::options::Job;
use crate::progress::Progress;

/// Batches that may wait for the encoder, and for the disk.
const WAITING: usize = 2;

/// What became of the images.
pub(crate) struct Outcome {
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) elapsed: Duration,
    /// How long the encoder ran.
    pub(crate) busy: Duration,
}

/// An image that is to be encoded into a row.
pub(crate) struct Pending {
    pub(crate) row: usize,
    pub(crate) image: Image,
}

/// A decoded image: the SHA-256 of its file and its tensors, one view after the other.
struct Decoded {
    source: Source,
    tensors: Vec<f32>,
}

/// What the decoding threads hand on.
type Message<'a> = (&'a Pending, Result<Decoded, String>);

/// Images on their way through the encoder.
#[derive(Default)]
struct Batch<'a> {
    images: Vec<(&'a Pending, Source)>,
    tensors: Vec<f32>,
}

/// Encoded images on their way to the store.
struct Finished<'a> {
    images: Vec<(&'a Pending, Source)>,
    planes: Planes,
}

/// Encodes the images of `pending` and writes their grids.
pub(crate) fn run(
    job: &Job,
    encoder: &mut Encoder,
    store: &mut StoreWriter,
    pending: &[Pending],
    progress: &mut Progress,
) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let batch = usize::from(job.batch);
    let preprocess = encoder.preprocess().clone();
    let (to_encoder, decoded) = bounded(WAITING * batch);
    let (to_store, finished) = bounded(WAITING);
    progress.begin(pending.len());
    let (read, written) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_all(store, finished));
        scope.spawn(|| decode_all(job, &preprocess, pending, to_encoder));
        let read = encode_all(encoder, &decoded, &to_store, batch, job.views.len(), progress);
        // Whoever still waits for this thread must hear that nothing more comes of it.
        drop((decoded, to_store));
        (read, writer.join())
    });
    progress.end();
    // Where the store fails the encoder is told only that nobody listens.
    let mut skipped = written
        .map_err(|_| anyhow!("the thread that writes the store ended early"))?
        .context("the images encoded so far are kept")?;
    let (unreadable, busy) = read.context("the images encoded so far are kept")?;
    skipped.extend(unreadable);
    skipped.sort_by(|a, b| a.image.cmp(&b.image));
    Ok(Outcome { skipped, elapsed: start.elapsed(), busy })
}

fn decode_all<'a>(
    job: &Job,
    preprocess: &Preprocess,
    pending: &'a [Pending],
    sender: Sender<Message<'a>>,
) {
    // Sending fails when the encoder has failed and hung up; then there is nothing left to do.
    let _ = pending.par_iter().try_for_each_with(sender, |sender, pending| {
        let read = read(&pending.image, preprocess, &job.views);
        sender.send((pending, read.map_err(|error| error.to_string())))
    });
}

fn read(image: &Image, preprocess: &Preprocess, views: &[View]) -> anyhow::Result<Decoded> {
    let bytes = image.read()?;
    let image = decode(&bytes, &Limits::default())?;
    let values = preprocess.values();
    let mut tensors = vec![0.0; views.len() * values];
    for (view, tensor) in views.iter().zip(tensors.chunks_exact_mut(values)) {
        view.apply(&image, preprocess, tensor)?;
    }
    Ok(Decoded { source: digest(&bytes), tensors })
}

/// Gives the images that could not be read and how long the encoder ran.
fn encode_all<'a>(
    encoder: &mut Encoder,
    decoded: &Receiver<Message<'a>>,
    to_store: &Sender<Finished<'a>>,
    size: usize,
    views: usize,
    progress: &mut Progress,
) -> anyhow::Result<(Vec<Skipped>, Duration)> {
    let mut skipped = Vec::new();
    let mut busy = Duration::ZERO;
    let mut batch = Batch::default();
    let mut encode = |batch: &mut Batch<'a>| {
        let start = Instant::now();
        let mut tensors = batch.images.len() * views;
        if tensors == 1 && size > 1 {
            // ONNX Runtime rounds a single image in another way than several. A rest of one must not show.
            batch.tensors.extend_from_within(..);
            tensors = 2;
        }
        let planes = encoder.encode_planes(&batch.tensors, tensors)?;
        busy += start.elapsed();
        batch.tensors.clear();
        let images = std::mem::take(&mut batch.images);
        to_store.send(Finished { images, planes }).map_err(|_| anyhow!("the store was closed"))
    };
    for (pending, image) in decoded {
        progress.advance(image.is_err());
        match image {
            Ok(Decoded { source, tensors }) => {
                batch.images.push((pending, source));
                batch.tensors.extend(tensors);
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

/// Gives the images whose grids cannot be stored.
fn write_all(
    store: &mut StoreWriter,
    finished: Receiver<Finished>,
) -> features::Result<Vec<Skipped>> {
    let mut skipped = Vec::new();
    let provenance = store.provenance();
    let values = provenance.views.len() * provenance.grid.values();
    let dtype = provenance.dtype;
    for Finished { images, planes } in finished {
        // Grids behind those of the images are of none.
        let grids = planes.to_grids();
        let mut batch = Vec::with_capacity(images.len());
        for ((pending, source), grids) in images.into_iter().zip(grids.chunks_exact(values)) {
            match out_of_range(grids, dtype) {
                Some(reason) => skipped.push(Skipped { image: pending.image.name.clone(), reason }),
                None => batch.push(Encoded { row: pending.row, source, grids: grids.to_vec() }),
            }
        }
        store.write(&batch)?;
    }
    Ok(skipped)
}

/// Why grids cannot be stored, if they cannot.
fn out_of_range(grids: &[f32], dtype: Dtype) -> Option<String> {
    let too_large = |value: &&f32| value.is_nan() || value.abs() > dtype.max();
    let value = grids.iter().find(too_large)?;
    Some(format!("the encoder gave {value}, which {dtype} cannot hold"))
}
