//! The parts of a batch, which are learned one by one and whose gradients add up to those of the batch.

use crate::batch::Batch;
use crate::dataset::Caption;
use crate::device::Backend;
use crate::recipes::{ForwardPass, Share};

/// Maximum number of images of a part on a processor.
const IMAGES: usize = 16;
/// The bit of the parts of captions without photos in the number of a part.
const TEXT: u64 = 1 << 16;

/// A part of a batch.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) images: Batch<'a>,
    pub(super) pass: ForwardPass,
    pub(super) text: Option<TextPart>,
}

/// Captions without photos.
#[derive(Debug)]
pub(super) struct TextPart {
    pub(super) captions: Vec<Caption>,
    pub(super) pass: ForwardPass,
}

/// The number of parts of a batch: one on a GPU, and at least two on a processor. It does not depend on the number of cores, as
/// each part has its own noise.
pub(super) fn part_count(images: usize, backend: Backend) -> usize {
    match backend {
        Backend::Host => images.div_ceil(IMAGES).max(2).min(images),
        Backend::Accelerator => 1,
    }
}

/// Divides a batch, and captions without photos, into that many parts; `pass` makes the pass of a part, by its number.
pub(super) fn divide<'a>(
    batch: &Batch<'a>,
    text: &[Caption],
    count: usize,
    pass: impl Fn(u64) -> ForwardPass,
) -> Vec<Part<'a>> {
    let mut texts = text.chunks(text.len().div_ceil(count).max(1));
    let part = |(number, images): (u64, Batch<'a>)| {
        let of_images = pass(number).over_share(share(
            [images.words(), batch.words()],
            [images.captions(), batch.captions()],
        ));
        let text = texts.next().map(|part| TextPart {
            captions: part.to_vec(),
            pass: pass(number | TEXT)
                .over_share(share([words(part), words(text)], [part.len(), text.len()])),
        });
        Part { images, pass: of_images, text }
    };
    (0..).zip(batch.parts(count)).map(part).collect()
}

/// The share of a part with these words and captions, of all words and captions.
fn share(words: [usize; 2], captions: [usize; 2]) -> Share {
    let [words, captions] = [words, captions].map(|[part, all]| part as f64 / all.max(1) as f64);
    Share { words, captions }
}

/// The number of words of captions.
fn words(captions: &[Caption]) -> usize {
    captions.iter().map(|caption| caption.words.len()).sum()
}
