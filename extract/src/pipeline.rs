//! Decoding → batches → encoder → store. Decoding runs beside the encoder; the queue between them
//! is bounded, so memory does not depend on the number of images.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use crossbeam_channel::{Receiver, Sender, bounded};
use features::{StoreWriter, f16};
use indicatif::{ProgressBar, ProgressStyle};
use models::{Encoder, Preprocess, decode};
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::images::Skipped;
use crate::options::Run;

/// What the decoding threads hand on: a row and its tensor, or why there is none.
type Decoded<'a> = (&'a (usize, String), Result<Vec<f32>, String>);

/// Encodes the images of `pending` rows and writes their grids; gives those that were skipped.
pub(crate) fn run(
    run: &Run,
    mut encoder: Encoder,
    store: &mut StoreWriter,
    pending: &[(usize, String)],
) -> anyhow::Result<Vec<Skipped>> {
    let batch = usize::from(run.batch);
    let preprocess = encoder.preprocess().clone();
    let bar = progress_bar(pending.len());
    let (sender, receiver) = bounded(2 * batch);
    let skipped = std::thread::scope(|scope| {
        scope.spawn(|| decode_all(&run.images, &preprocess, pending, sender));
        encode_all(&mut encoder, store, &receiver, batch, &bar)
    });
    bar.finish_and_clear();
    skipped
}

fn decode_all<'a>(
    folder: &Path,
    preprocess: &Preprocess,
    pending: &'a [(usize, String)],
    sender: Sender<Decoded<'a>>,
) {
    // Sending fails when the encoder has failed and hung up; then there is nothing left to do.
    let _ = pending.into_par_iter().try_for_each_with(sender, |sender, row| {
        sender.send((row, tensor(&folder.join(&row.1), preprocess)))
    });
}

fn tensor(path: &Path, preprocess: &Preprocess) -> Result<Vec<f32>, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    let image = decode(&bytes).map_err(|error| error.to_string())?;
    let mut tensor = vec![0.0; preprocess.values()];
    preprocess.apply(&image, &mut tensor).map_err(|error| error.to_string())?;
    Ok(tensor)
}

fn encode_all(
    encoder: &mut Encoder,
    store: &mut StoreWriter,
    receiver: &Receiver<Decoded>,
    batch: usize,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Skipped>> {
    let mut skipped = Vec::new();
    let mut rows = Vec::with_capacity(batch);
    let mut tensors = Vec::with_capacity(batch * encoder.preprocess().values());
    for ((row, name), tensor) in receiver {
        match tensor {
            Ok(tensor) => {
                rows.push(*row);
                tensors.extend(tensor);
            }
            Err(reason) => skipped.push(Skipped { name: name.clone(), reason }),
        }
        if rows.len() == batch {
            write_batch(encoder, store, &mut rows, &mut tensors)?;
        }
        bar.inc(1);
    }
    write_batch(encoder, store, &mut rows, &mut tensors)?;
    skipped.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(skipped)
}

fn write_batch(
    encoder: &mut Encoder,
    store: &mut StoreWriter,
    rows: &mut Vec<usize>,
    tensors: &mut Vec<f32>,
) -> anyhow::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let grids = encoder.encode(tensors, rows.len())?;
    for (row, grid) in rows.drain(..).zip(grids.chunks_exact(store.grid().values())) {
        let grid = grid.iter().map(|&value| f16::from_f32(value)).collect::<Vec<_>>();
        store.write(row, &grid).context("the images encoded so far are kept")?;
    }
    tensors.clear();
    Ok(())
}

fn progress_bar(images: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} images  {per_sec}  {eta} left");
    let bar = ProgressBar::new(images as u64);
    style.map_or(bar.clone(), |style| bar.with_style(style))
}
