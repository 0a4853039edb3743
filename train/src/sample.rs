//! Captions sampled word by word from the probabilities of a network.

use data::vocabulary::{END, UNSAID, WordId};
use rand::{Rng, RngExt as _};
use tch::{Tensor, no_grad};

use crate::Result;
use crate::batch::word_before;
use crate::recipes::Network;
use crate::tensor::flat;

/// The number and length of sampled captions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SampleSize {
    /// Captions per image.
    pub(crate) captions: usize,
    /// Maximum number of words of a caption.
    pub(crate) max_length: usize,
}

/// The words of a caption; the last one is its end, unless it was truncated.
type Words = Vec<WordId>;

/// Samples captions for each image of `grids` `[N, cells, C]`.
pub(crate) fn sample(
    network: &dyn Network,
    grids: &Tensor,
    size: SampleSize,
    random: &mut impl Rng,
) -> Result<Vec<Vec<Words>>> {
    no_grad(|| {
        let mut state = network.start(grids);
        for tensor in &mut state.states {
            *tensor = tensor.repeat([1, size.captions as i64, 1]);
        }
        let images = grids.size()[0] as usize;
        let mut samples = vec![vec![Words::new(); size.captions]; images];
        // The images with an unfinished caption, in the order of `state`.
        let mut open = (0..images).collect::<Vec<_>>();
        for _ in 0..size.max_length {
            let words = last_words(&samples, &open).view([open.len() as i64, -1]);
            let output = network.step(&words.to_device(grids.device()), &state);
            state.states = output.states;
            let probabilities = flat(&output.log_probabilities.exp())?;
            append_words(&mut samples, &open, &probabilities, random);
            let still_open = unfinished(&samples, &open);
            if still_open.is_empty() {
                break;
            }
            if still_open.len() < open.len() {
                state = state.select_images(&still_open);
                open = still_open.into_iter().map(|at| open[at]).collect();
            }
        }
        Ok(samples)
    })
}

/// The positions in `open` of images that still have an unfinished caption.
fn unfinished(samples: &[Vec<Words>], open: &[usize]) -> Vec<usize> {
    let is_open = |at: &usize| !samples[open[*at]].iter().all(is_finished);
    (0..open.len()).filter(is_open).collect()
}

fn is_finished(words: &Words) -> bool {
    words.last() == Some(&END)
}

/// The last words of the captions of the open images, an image after the other.
fn last_words(samples: &[Vec<Words>], open: &[usize]) -> Tensor {
    let captions = open.iter().flat_map(|&image| &samples[image]);
    let last = captions.map(|words| i64::from(word_before(words, words.len())));
    Tensor::from_slice(&last.collect::<Vec<_>>())
}

/// Draws the next word of each unfinished caption. `probabilities` has a row for each caption of the open images.
fn append_words(
    samples: &mut [Vec<Words>],
    open: &[usize],
    probabilities: &[f32],
    random: &mut impl Rng,
) {
    let rows = open.iter().map(|&image| samples[image].len()).sum::<usize>();
    let mut rows = probabilities.chunks_exact((probabilities.len() / rows.max(1)).max(1));
    for &image in open {
        for (words, row) in samples[image].iter_mut().zip(&mut rows) {
            if !is_finished(words) {
                words.push(draw(row, random));
            }
        }
    }
}

/// Draws a word by its probability, of those that can be sampled; the end if rounding leaves none.
fn draw(probabilities: &[f32], random: &mut impl Rng) -> WordId {
    let candidates = || (0..).zip(probabilities).filter(|(word, _)| !UNSAID.contains(word));
    let mut left =
        random.random::<f32>() * candidates().map(|(_, probability)| probability).sum::<f32>();
    for (word, probability) in candidates() {
        left -= probability;
        if left < 0.0 {
            return word;
        }
    }
    END
}

#[cfg(test)]
mod tests {
    use data::vocabulary::UNK;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn words_come_as_often_as_they_are_likely() {
        let mut probabilities = [0.0; 8];
        probabilities[UNK as usize] = 0.5;
        probabilities[END as usize] = 0.1;
        probabilities[6] = 0.3;
        probabilities[7] = 0.1;
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let mut drawn = [0; 8];
        for _ in 0..5000 {
            drawn[draw(&probabilities, &mut random) as usize] += 1;
        }
        assert!((900..1100).contains(&drawn[END as usize]), "{drawn:?}");
        assert!((2850..3150).contains(&drawn[6]), "{drawn:?}");
        assert_eq!(drawn[END as usize] + drawn[6] + drawn[7], 5000);
    }
}
