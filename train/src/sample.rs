//! Captions drawn word by word from what a network thinks likely.

use data::vocabulary::{END, UNSAID, WordId};
use rand::{Rng, RngExt as _};
use tch::{Tensor, no_grad};

use crate::Result;
use crate::batch::word_before;
use crate::recipes::Network;
use crate::torch_decoder::flat;

/// For each image of `grids` (images × cells × channels), `samples` captions of at most `longest`
/// words. Their end is among them, unless they were cut off.
pub(crate) fn sample(
    network: &dyn Network,
    grids: &Tensor,
    samples: usize,
    longest: usize,
    random: &mut impl Rng,
) -> Result<Vec<Vec<Vec<WordId>>>> {
    let images = grids.size()[0] as usize;
    let mut captions = vec![vec![Vec::new(); samples]; images];
    no_grad(|| {
        let mut held = network.start(grids);
        for state in &mut held.states {
            *state = state.repeat([1, samples as i64, 1]);
        }
        // The images that have an unfinished caption, in the order of `held`.
        let mut open = (0..images).collect::<Vec<_>>();
        for _ in 0..longest {
            let of_open = open.iter().flat_map(|&image| &captions[image]);
            let last = of_open.map(|caption| i64::from(word_before(caption, caption.len())));
            let words = Tensor::from_slice(&last.collect::<Vec<_>>()).to_device(grids.device());
            let stepped = network.step(&words.view([open.len() as i64, samples as i64]), &held);
            held.states = stepped.states;
            let likely = flat(&stepped.log_probabilities.exp())?;
            let mut rows = likely.chunks_exact(likely.len() / (open.len() * samples));
            for &image in &open {
                for (caption, row) in captions[image].iter_mut().zip(&mut rows) {
                    if caption.last() != Some(&END) {
                        caption.push(draw(row, random));
                    }
                }
            }
            let unfinished = (0..open.len()).filter(|&at| {
                captions[open[at]].iter().any(|caption| caption.last() != Some(&END))
            });
            let unfinished = unfinished.collect::<Vec<_>>();
            if unfinished.is_empty() {
                break;
            }
            if unfinished.len() < open.len() {
                held = held.of_images(&unfinished);
                open = unfinished.into_iter().map(|at| open[at]).collect();
            }
        }
        Ok(captions)
    })
}

/// A word by its probability, among those that can be said; if rounding leaves none, the end.
fn draw(probabilities: &[f32], random: &mut impl Rng) -> WordId {
    let said = || (0..).zip(probabilities).filter(|(word, _)| !UNSAID.contains(word));
    let mut left = random.random::<f32>() * said().map(|(_, probability)| probability).sum::<f32>();
    for (word, probability) in said() {
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
