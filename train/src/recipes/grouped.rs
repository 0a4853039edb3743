//! Captions step by step, those of an image beside each other: for a recurrence that attends at every step, so that an
//! image's cells serve all its captions without a copy. Shapes: R rows, one per predicted word; W words of all steps, with
//! padding.

use std::cmp::Reverse;

use data::vocabulary::PAD;
use tch::{Device, Tensor};

use super::targets::{TargetRows, Targets};
use crate::batch::word_before;
use crate::dataset::{Caption, TrainingImage};
use crate::tensor::upload_lists;

/// Captions of images that are sorted by falling length of their longest caption. A column holds one caption of each
/// image, the first column the longest ones; a step has the images and columns in which some caption still has a word to
/// predict.
#[derive(Debug)]
pub(super) struct GroupedCaptions {
    /// Maximum number of captions of an image.
    pub(super) columns: i64,
    /// The extent of each step.
    pub(super) steps: Vec<StepExtent>,
    /// The word before each predicted one, for all images and columns of all steps, one step after the other: `[W]`;
    /// padding where a caption has ended.
    pub(super) words: Tensor,
    /// The positions of predicted words in `words`: `[R]`.
    pub(super) predicted: Tensor,
    /// The caption of each predicted word, image · `columns` + column: `[R]`.
    pub(super) caption: Tensor,
    /// The words to predict.
    pub(super) targets: Targets,
    /// Number of captions.
    pub(super) captions: i64,
}

/// The part of a batch that a step works on.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepExtent {
    pub(super) images: i64,
    pub(super) columns: i64,
}

impl StepExtent {
    /// Number of captions, padding included.
    pub(super) fn rows(self) -> i64 {
        self.images * self.columns
    }
}

impl GroupedCaptions {
    pub(super) fn new(images: &[&TrainingImage], device: Device) -> Self {
        let images = images.iter().map(|image| sorted_captions(image)).collect::<Vec<_>>();
        let longest = images.iter().flatten().map(|caption| caption.words.len()).max().unwrap_or(0);
        let columns = images.iter().map(Vec::len).max().unwrap_or(0);
        let targets = TargetRows::new(images.iter().flatten().copied());
        let mut rows = Rows { targets, ..Rows::default() };
        let steps = (0..longest).map(|step| rows.add_step(&images, step, columns)).collect();
        let lists = [&rows.words[..], &rows.predicted, &rows.caption];
        let [words, predicted, caption] = upload_lists(lists, device);
        Self {
            columns: columns as i64,
            steps,
            words,
            predicted,
            caption,
            targets: rows.targets.into_targets(device),
            captions: images.iter().map(|captions| captions.len() as i64).sum(),
        }
    }

    /// The rows of predicted words `[R, …]` of values `[images, columns, …]` of each step.
    pub(super) fn select_predicted(&self, steps: &[Tensor]) -> Tensor {
        let rows = steps.iter().map(|step| step.flatten(0, 1)).collect::<Vec<_>>();
        Tensor::cat(&rows, 0).index_select(0, &self.predicted)
    }
}

/// The values of [`GroupedCaptions`] while they are collected.
#[derive(Debug, Default)]
struct Rows {
    words: Vec<i64>,
    predicted: Vec<i64>,
    caption: Vec<i64>,
    targets: TargetRows,
}

impl Rows {
    /// Adds a step of the sorted captions of images, of which each has `columns` at most.
    fn add_step(&mut self, images: &[Vec<&Caption>], step: usize, columns: usize) -> StepExtent {
        let is_longer = |caption: &&&Caption| caption.words.len() > step;
        let unfinished =
            images.iter().map(|captions| captions.iter().take_while(is_longer).count());
        let unfinished = unfinished.take_while(|&captions| captions > 0).collect::<Vec<_>>();
        let width = unfinished.iter().copied().max().unwrap_or(0);
        for (image, captions) in images.iter().take(unfinished.len()).enumerate() {
            for column in 0..width {
                match captions.get(column).filter(is_longer) {
                    Some(caption) => self.predict(caption, step, image * columns + column),
                    None => self.words.push(i64::from(PAD)),
                }
            }
        }
        StepExtent { images: unfinished.len() as i64, columns: width as i64 }
    }

    /// Adds a word to predict.
    fn predict(&mut self, caption: &Caption, step: usize, number: usize) {
        self.predicted.push(self.words.len() as i64);
        self.words.push(i64::from(word_before(&caption.words, step)));
        self.targets.push(caption, step);
        self.caption.push(number as i64);
    }
}

/// The captions of an image, the longest first.
fn sorted_captions(image: &TrainingImage) -> Vec<&Caption> {
    let mut captions = image.captions.iter().collect::<Vec<_>>();
    captions.sort_by_key(|caption| Reverse(caption.words.len()));
    captions
}
