//! The parts of a batch, which are learned one by one and whose gradients add up to those of the batch.

use tch::Tensor;

use crate::batch::Batch;
use crate::dataset::{Caption, TrainingImage};
use crate::device::Backend;
use crate::recipes::{BatchShare, ForwardPass};

/// Maximum number of images of a part on a processor.
const IMAGES: usize = 16;
/// The bit of the parts of captions without photos in the number of a part.
const TEXT: u64 = 1 << 16;

/// A part of a batch, which a thread can own.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) images: Vec<TrainingImage>,
    /// `[N, cells, C]`.
    pub(super) grids: Tensor,
    pub(super) pass: ForwardPass,
    pub(super) text: Option<TextPart>,
}

/// Captions without photos.
#[derive(Debug)]
pub(super) struct TextPart {
    pub(super) captions: Vec<Caption>,
    pub(super) pass: ForwardPass,
}

/// The number of parts of a batch: one on a GPU, and on a processor at least two, which cores can share. It does not depend on the
/// number of cores, as each part has its own noise.
pub(super) fn part_count(images: usize, backend: Backend) -> usize {
    match backend {
        Backend::Host => images.div_ceil(IMAGES).max(2).next_power_of_two().min(images),
        Backend::Accelerator => 1,
    }
}

/// Divides a batch, and captions without photos, into that many parts; `pass` makes the pass of a part, by its number.
pub(super) fn divide(
    batch: &Batch,
    text: &[Caption],
    count: usize,
    pass: impl Fn(u64) -> ForwardPass,
) -> Vec<Part> {
    let mut texts = text.chunks(text.len().div_ceil(count).max(1));
    let part = |(number, of_batch): (u64, Batch)| {
        let share =
            share([of_batch.words(), batch.words()], [of_batch.captions(), batch.captions()]);
        let text = texts.next().map(|captions| text_part(captions, text, pass(number | TEXT)));
        Part {
            images: of_batch.images.into_iter().cloned().collect(),
            grids: of_batch.grids,
            pass: pass(number).over_share(share),
            text,
        }
    };
    (0..).zip(batch.parts(count)).map(part).collect()
}

/// Some of all captions without photos.
fn text_part(captions: &[Caption], all: &[Caption], pass: ForwardPass) -> TextPart {
    let words = |captions: &[Caption]| captions.iter().map(|of| of.words.len()).sum::<usize>();
    let share = share([words(captions), words(all)], [captions.len(), all.len()]);
    TextPart { captions: captions.to_vec(), pass: pass.over_share(share) }
}

/// The share of a part with these words and captions, of all words and captions.
fn share(words: [usize; 2], captions: [usize; 2]) -> BatchShare {
    let of_all = |[part, all]: [usize; 2]| part as f64 / all.max(1) as f64;
    BatchShare { words: of_all(words), captions: of_all(captions) }
}
