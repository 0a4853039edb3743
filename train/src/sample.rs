//! Captions drawn word by word from what a network thinks likely.

use data::vocabulary::{END, PAD, START, UNK, WordId};
use rand::{Rng, RngExt as _};
use tch::{Tensor, no_grad};

use crate::Result;
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
    let mut captions = vec![Vec::new(); images * samples];
    no_grad(|| {
        let mut held = network.start(grids);
        for state in &mut held.states {
            *state = state.repeat([1, samples as i64, 1]);
        }
        let mut last = vec![i64::from(START); captions.len()];
        for _ in 0..longest {
            let words = Tensor::from_slice(&last).view([images as i64, samples as i64]);
            let stepped = network.step(&words.to_device(grids.device()), &held);
            held.states = stepped.states;
            let likely = flat(&stepped.log_probabilities.exp())?;
            let rows = likely.chunks_exact(likely.len() / captions.len());
            for ((caption, row), last) in captions.iter_mut().zip(rows).zip(&mut last) {
                if caption.last() != Some(&END) {
                    let word = draw(row, random);
                    caption.push(word);
                    *last = i64::from(word);
                }
            }
            if captions.iter().all(|caption| caption.last() == Some(&END)) {
                break;
            }
        }
        Ok(captions.chunks(samples).map(<[_]>::to_vec).collect())
    })
}

/// A word by its probability, among those that can be said; if rounding leaves none, the end.
fn draw(probabilities: &[f32], random: &mut impl Rng) -> WordId {
    let said = || (0..).zip(probabilities).filter(|(word, _)| ![PAD, START, UNK].contains(word));
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
