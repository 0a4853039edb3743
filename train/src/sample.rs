//! Captions sampled word by word from the probabilities of a network. Shapes: N images, B captions of each, V words.

use data::vocabulary::{END, START, UNSAID, WordId};
use rand::{Rng, RngExt as _};
use tch::{Device, Kind, Tensor, no_grad};

use crate::batch::word_before;
use crate::device::Backend;
use crate::recipes::{DecoderState, Network};
use crate::tensor::{flat, unsaid};
use crate::{Result, random};

/// Number of words after which a GPU is asked whether all captions are finished.
const WORDS_BETWEEN_CHECKS: usize = 4;

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
    backend: Backend,
    random: &mut impl Rng,
) -> Result<Vec<Vec<Words>>> {
    no_grad(|| {
        let mut state = network.start(grids);
        for tensor in &mut state.states {
            *tensor = tensor.repeat([1, size.captions as i64, 1]);
        }
        match backend {
            Backend::Host => sample_on_host(network, state, size, random),
            Backend::Accelerator => sample_on_device(network, state, size, random),
        }
    })
}

/// Draws words by their probabilities, which are copied from the device for each word.
fn sample_on_host(
    network: &dyn Network,
    mut state: DecoderState,
    size: SampleSize,
    random: &mut impl Rng,
) -> Result<Vec<Vec<Words>>> {
    let (images, device) = extent(&state);
    let mut samples = vec![vec![Words::new(); size.captions]; images as usize];
    // The images with an unfinished caption, in the order of `state`.
    let mut open = (0..samples.len()).collect::<Vec<_>>();
    for _ in 0..size.max_length {
        let words = last_words(&samples, &open).view([open.len() as i64, -1]);
        let output = network.step(&words.to_device(device), &state);
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
}

/// Draws words on the device. They are copied once, at the end; a caption that ends earlier is cut off there.
fn sample_on_device(
    network: &dyn Network,
    mut state: DecoderState,
    size: SampleSize,
    random: &mut impl Rng,
) -> Result<Vec<Vec<Words>>> {
    let (images, device) = extent(&state);
    let unsaid = unsaid(device);
    let captions = [images, size.captions as i64];
    let mut words = Tensor::full(captions, i64::from(START), (Kind::Int64, device));
    let mut finished = words.eq(i64::from(END));
    let mut steps = Vec::with_capacity(size.max_length);
    for step in 1..=size.max_length {
        let output = network.step(&words, &state);
        state.states = output.states;
        words = draw_on_device(&output.log_probabilities, &unsaid, random.next_u64());
        finished = finished.logical_or(&words.eq(i64::from(END)));
        steps.push(words.shallow_clone());
        if step % WORDS_BETWEEN_CHECKS == 0 && finished.all().int64_value(&[]) != 0 {
            break;
        }
    }
    let drawn = Tensor::stack(&steps, -1).to_device(Device::Cpu).view(-1);
    let drawn = Vec::<i64>::try_from(drawn)?;
    let captions = drawn.chunks_exact(steps.len()).map(cut_at_end).collect::<Vec<_>>();
    Ok(captions.chunks_exact(size.captions).map(<[Words]>::to_vec).collect())
}

/// Number of images of a state, and its device.
fn extent(state: &DecoderState) -> (i64, Device) {
    let state = &state.states[0];
    (state.size()[0], state.device())
}

/// Draws a word `[N, B]` by each row of log-probabilities `[N, B, V]`, of those that can be sampled: the one with the
/// largest sum of log-probability and Gumbel noise. So does `multinomial`, which waits for the device to check the rows.
fn draw_on_device(log_probabilities: &Tensor, unsaid: &Tensor, seed: u64) -> Tensor {
    let mut noise = log_probabilities.empty_like();
    let _ = random::draw(seed, || noise.exponential_(1.0));
    let mut scores = log_probabilities - noise.log();
    scores.index_fill_(-1, unsaid, f64::NEG_INFINITY).argmax(-1, false)
}

/// The words of a caption up to its end.
fn cut_at_end(words: &[i64]) -> Words {
    let words = words.iter().map(|&word| word as WordId);
    let mut is_finished = false;
    let until_end = words.take_while(|&word| !std::mem::replace(&mut is_finished, word == END));
    until_end.collect()
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
    use crate::recipes;
    use crate::settings::{NetworkConfig, Recipe};

    #[test]
    fn words_come_as_often_as_they_are_likely() {
        let mut probabilities = [0.0f32; 8];
        probabilities[UNK as usize] = 0.5;
        probabilities[END as usize] = 0.1;
        probabilities[6] = 0.3;
        probabilities[7] = 0.1;
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let on_host = (0..5000).map(|_| draw(&probabilities, &mut random)).collect::<Vec<_>>();
        let rows = Tensor::from_slice(&probabilities).log().view([1, 1, 8]).repeat([50, 100, 1]);
        let on_device = |seed| {
            let drawn = draw_on_device(&rows, &unsaid(Device::Cpu), seed);
            assert_eq!(drawn.size(), [50, 100]);
            let words = Vec::<i64>::try_from(drawn.view(-1)).unwrap();
            words.into_iter().map(|word| word as WordId).collect::<Vec<_>>()
        };
        for drawn in [&on_host, &on_device(1)] {
            let count = |word: WordId| drawn.iter().filter(|&&drawn| drawn == word).count();
            assert!((900..1100).contains(&count(END)), "{}", count(END));
            assert!((2850..3150).contains(&count(6)), "{}", count(6));
            assert_eq!(count(END) + count(6) + count(7), 5000);
        }
        assert_eq!(on_device(1), on_device(1));
        assert_ne!(on_device(1), on_device(2));
    }

    /// A network with probabilities close to one draws the same captions in both ways.
    #[test]
    fn likely_captions_are_sampled_on_host_and_device() {
        let sizes = NetworkConfig {
            hidden: 16,
            attention: 8,
            ..NetworkConfig::new(Recipe::Adaptive, 5, 12)
        };
        let (weights, network) = recipes::build(Recipe::Adaptive, sizes, 3, Device::Cpu);
        no_grad(|| {
            let _ = weights.variables()["embedding"].shallow_clone().g_mul_scalar_(1e5);
            let mut bias = weights.variables()["output_bias"].shallow_clone();
            let _ = bias.index_fill_(0, &unsaid(Device::Cpu), -1e9);
        });
        let grids = Tensor::arange(6 * 4 * 5, (Kind::Float, Device::Cpu)).sin().view([6, 4, 5]);
        let size = SampleSize { captions: 2, max_length: 10 };
        let [host, device] = [Backend::Host, Backend::Accelerator].map(|backend| {
            let mut random = ChaCha8Rng::seed_from_u64(4);
            sample(&*network, &grids, size, backend, &mut random).unwrap()
        });
        assert_eq!(host, device);
        assert!(host.iter().flatten().all(|words| (1..=10).contains(&words.len())));
        assert_ne!(host[0], host[1]);
    }

    #[test]
    fn a_caption_is_cut_after_its_end() {
        assert_eq!(cut_at_end(&[5, 6, 2, 7, 2]), [5, 6, END]);
        assert_eq!(cut_at_end(&[2, 2]), [END]);
        assert_eq!(cut_at_end(&[5, 6]), [5, 6]);
    }
}
