//! What the teachers say about captions, and the captions that they find.

use std::sync::Arc;

use data::vocabulary::{END, PAD, START, WordId};
use indicatif::ProgressBar;
use models::{Hypothesis, NeighbourIndex, SearchOptions, search};
use ndarray::{Array3, Axis};
use tch::{Device, Kind, Tensor, no_grad};

use super::{Lesson, Lessons, SoftTargets, TaughtCaption};
use crate::Result;
use crate::batch;
use crate::dataset::{Caption, TrainingImage};
use crate::grids::Grids;
use crate::recipes::Network;
use crate::settings::Distillation;
use crate::tensor::flat;
use crate::torch_decoder::TorchDecoder;

/// Number of images that are taught at once.
const BATCH: usize = 25;

/// How the teachers teach.
#[derive(Debug, Clone, Copy)]
pub struct TeachingSetup<'a> {
    /// The grids of the images.
    pub grids: &'a Grids,
    /// The settings.
    pub settings: &'a Distillation,
    /// How the teachers search captions.
    pub search: &'a SearchOptions,
    /// The neighbours that choose among these.
    pub neighbours: &'a NeighbourIndex,
    /// The device of the teachers.
    pub device: Device,
}

/// Asks the teachers for the caption of each image, and for the probabilities of its words and of those of the written
/// captions.
///
/// # Errors
/// [`Error::Features`](crate::Error::Features) if a grid cannot be read, [`Error::Torch`](crate::Error::Torch).
pub fn teach(
    teachers: &[&dyn Network],
    images: &[TrainingImage],
    setup: TeachingSetup,
) -> Result<Lessons> {
    let bar = ProgressBar::new(images.len() as u64).with_prefix("teaching");
    let mut decoder = TorchDecoder::new(teachers, setup.device);
    let mut lessons = Vec::with_capacity(images.len());
    for part in images.chunks(BATCH) {
        let part = part.iter().collect::<Vec<_>>();
        let grids = batch::read(&part, setup.grids, setup.device)?.to_kind(Kind::Float);
        let found = find(&mut decoder, &part, &grids, setup)?;
        let captions = part.iter().zip(found).map(|(image, found)| {
            let written = image.captions.iter().map(|caption| (caption.words.to_vec(), false));
            written.chain(found.map(|words| (words, true))).collect::<Vec<_>>()
        });
        let captions = captions.collect::<Vec<_>>();
        let soft = no_grad(|| soft_targets(teachers, &grids, &captions, setup.settings))?;
        for ((image, captions), soft) in part.iter().zip(captions).zip(soft) {
            let taught =
                captions.into_iter().zip(soft).map(|((words, found), soft)| TaughtCaption {
                    caption: Caption {
                        words: words.into(),
                        weight: None,
                        soft: Some(Arc::new(soft)),
                    },
                    found,
                });
            lessons.push(Lesson { set: image.set, row: image.row, captions: taught.collect() });
        }
        bar.inc(part.len() as u64);
    }
    bar.finish_and_clear();
    Ok(Lessons { lessons })
}

/// The caption of each image that the neighbours choose; none if the search finds no finished one.
fn find(
    decoder: &mut TorchDecoder,
    images: &[&TrainingImage],
    grids: &Tensor,
    setup: TeachingSetup,
) -> Result<Vec<Option<Vec<WordId>>>> {
    if setup.settings.found_weight == 0.0 {
        return Ok(vec![None; images.len()]);
    }
    let shape = setup.grids.shape();
    let values = flat(grids)?;
    let grids = Array3::from_shape_vec([images.len(), shape.cells(), shape.channels], values)
        .unwrap_or_default();
    let mut hypotheses = search(decoder, grids.view(), &setup.neighbours.widen(setup.search))?;
    let chosen = images.iter().zip(grids.axis_chunks_iter(Axis(0), 1)).zip(&mut hypotheses).map(
        |((image, grid), hypotheses)| {
            let file = setup.grids.store(image.set).name(image.row);
            setup.neighbours.rerank(grid, hypotheses, Some(file));
            hypotheses.first().filter(|best| best.finished).map(ended)
        },
    );
    Ok(chosen.collect())
}

/// The words of a finished caption, its end included.
fn ended(hypothesis: &Hypothesis) -> Vec<WordId> {
    hypothesis.words.iter().copied().chain([END]).collect()
}

/// The soft targets of the captions of each image, for grids `[N, cells, C]`.
fn soft_targets(
    teachers: &[&dyn Network],
    grids: &Tensor,
    captions: &[Vec<(Vec<WordId>, bool)>],
    settings: &Distillation,
) -> Result<Vec<Vec<SoftTargets>>> {
    let width = settings.soft_words;
    let forced = Forced::new(captions, grids.device());
    let mut rows = vec![(Vec::new(), Vec::new()); captions.len() * forced.columns];
    let mut states = teachers.iter().map(|each| each.start(grids)).collect::<Vec<_>>();
    for state in states.iter_mut().flat_map(|state| &mut state.states) {
        // One state for each caption of an image.
        *state = state.repeat([1, forced.columns as i64, 1]);
    }
    for step in 0..forced.steps {
        let before = step.checked_sub(1).map_or_else(|| forced.start(), |step| forced.words(step));
        let probabilities = teachers.iter().zip(&mut states).map(|(network, state)| {
            let output = network.step(&before, state);
            state.states = output.states;
            output.log_probabilities.exp()
        });
        let mean = Tensor::stack(&probabilities.collect::<Vec<_>>(), 0).mean_dim(0, false, None);
        let target = forced.words(step);
        let (words, values) = mix(&mean, &target, width as i64, settings.soft_share);
        let words = Vec::<i64>::try_from(words.to_device(Device::Cpu).contiguous().view(-1))?;
        let values = flat(&values)?;
        for (row, (words, values)) in
            rows.iter_mut().zip(words.chunks_exact(width).zip(values.chunks_exact(width)))
        {
            row.0.extend(words.iter().map(|&word| word as WordId));
            row.1.extend_from_slice(values);
        }
    }
    let mut rows = rows.into_iter();
    let of_image = |captions: &Vec<(Vec<WordId>, bool)>| {
        let rows = rows.by_ref().take(forced.columns).collect::<Vec<_>>();
        let of_caption =
            |((words, _), (mut soft_words, mut values)): (&(Vec<_>, _), (Vec<_>, Vec<_>))| {
                // The steps beyond the end of the caption are padding.
                soft_words.truncate(words.len() * width);
                values.truncate(words.len() * width);
                SoftTargets::new(width, soft_words, values)
            };
        captions.iter().zip(rows).filter_map(of_caption).collect()
    };
    Ok(captions.iter().map(of_image).collect())
}

/// The captions of images beside each other, with padding.
struct Forced<'a> {
    captions: &'a [Vec<(Vec<WordId>, bool)>],
    /// B.
    columns: usize,
    /// Number of words of the longest caption.
    steps: usize,
    device: Device,
}

impl<'a> Forced<'a> {
    fn new(captions: &'a [Vec<(Vec<WordId>, bool)>], device: Device) -> Self {
        let columns = captions.iter().map(Vec::len).max().unwrap_or(0);
        let steps = captions.iter().flatten().map(|(words, _)| words.len()).max().unwrap_or(0);
        Self { captions, columns, steps, device }
    }

    /// The words of all captions at a step, `[N, B]`.
    fn words(&self, step: usize) -> Tensor {
        let word = |caption: Option<&(Vec<WordId>, bool)>| {
            caption.and_then(|(words, _)| words.get(step)).copied().unwrap_or(PAD)
        };
        let of_image =
            |of_image: &'a Vec<_>| (0..self.columns).map(move |at| word(of_image.get(at)));
        self.tensor(self.captions.iter().flat_map(of_image))
    }

    /// The start of all captions, `[N, B]`.
    fn start(&self) -> Tensor {
        self.tensor(std::iter::repeat_n(START, self.captions.len() * self.columns))
    }

    fn tensor(&self, words: impl Iterator<Item = WordId>) -> Tensor {
        let words = Tensor::from_slice(&words.map(i64::from).collect::<Vec<_>>());
        words.view([self.captions.len() as i64, self.columns as i64]).to_device(self.device)
    }
}

/// The target `[N, B]` and the most probable other words of `probabilities` `[N, B, V]`, and a mixture of both with the
/// given share of the probabilities, each `[N, B, K]`.
fn mix(probabilities: &Tensor, target: &Tensor, width: i64, share: f64) -> (Tensor, Tensor) {
    let target = target.unsqueeze(-1);
    let of_target = probabilities.gather(-1, &target, false);
    let others = probabilities.scatter_value(-1, &target, 0.0);
    let (values, words) = others.topk(width - 1, -1, true, true);
    let words = Tensor::cat(&[target, words], -1);
    let values = Tensor::cat(&[of_target, values], -1);
    let values = &values / values.sum_dim_intlist(-1, true, Kind::Float).clamp_min(1e-9);
    let values = values * share;
    let mut of_target = values.narrow(-1, 0, 1);
    let _ = of_target.g_add_scalar_(1.0 - share);
    (words, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_mixed_with_the_most_probable_other_words() {
        let probabilities = Tensor::from_slice(&[0.1f32, 0.5, 0.05, 0.35]).view([1, 1, 4]);
        let target = Tensor::from_slice(&[0i64]).view([1, 1]);
        let (words, values) = mix(&probabilities, &target, 3, 0.5);
        assert_eq!(Vec::<i64>::try_from(words.view(-1)).unwrap(), [0, 1, 3]);
        let expected = [0.5 + 0.5 * 0.1 / 0.95, 0.5 * 0.5 / 0.95, 0.5 * 0.35 / 0.95];
        let found = flat(&values).unwrap();
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
