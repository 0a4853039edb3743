//! The words that an image makes probable, learned from the training captions by ridge regression.
//!
//! `V` is the number of words of the vocabulary and `D` that of the values of a vector.

use data::vocabulary::{END, WordId};
use ndarray::{Array1, Array2, ArrayView1};

/// The profile of words that follows from the vector of an image. A caption agrees with it by the cosine of both, where a
/// word of a caption counts by its number and its rareness.
#[derive(Debug, Clone, PartialEq)]
pub struct WordProfile {
    /// The rareness of each word, `[V]`: ln(images / images whose captions have it); 0 for words that do not count.
    pub rareness: Array1<f32>,
    /// The mean profile of the training images, `[V]`.
    pub mean: Array1<f32>,
    /// The change of the profile with the vector of an image, `[V, D]`.
    pub weights: Array2<f32>,
}

impl WordProfile {
    /// The profile of an image with that vector `[D]`, of length 1.
    #[must_use]
    pub fn of_image(&self, vector: ArrayView1<f32>) -> Array1<f32> {
        let profile = self.weights.dot(&vector) + &self.mean;
        let length = profile.dot(&profile).sqrt();
        if length > 0.0 { profile / length } else { profile }
    }

    /// The profile of a caption: its words with their values, of length 1. Words outside the vocabulary do not count.
    #[must_use]
    pub fn of_caption(&self, words: &[WordId]) -> Vec<(WordId, f32)> {
        let mut sorted = words.iter().copied().filter(|&word| word != END).collect::<Vec<_>>();
        sorted.sort_unstable();
        let counted = sorted.chunk_by(|one, other| one == other).filter_map(|of_word| {
            let rareness = self.rareness.get(of_word[0] as usize)?;
            Some((of_word[0], of_word.len() as f32 * rareness))
        });
        let mut profile = counted.collect::<Vec<_>>();
        let length = profile.iter().map(|(_, value)| value * value).sum::<f32>().sqrt();
        if length > 0.0 {
            for (_, value) in &mut profile {
                *value /= length;
            }
        }
        profile
    }

    /// The cosine of the profile of an image, from [`of_image`](Self::of_image), and that of a caption.
    #[must_use]
    pub fn agreement(&self, of_image: ArrayView1<f32>, words: &[WordId]) -> f32 {
        let value = |(word, value): (WordId, f32)| {
            of_image.get(word as usize).copied().unwrap_or(0.0) * value
        };
        self.of_caption(words).into_iter().map(value).sum()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_caption_agrees_with_an_image_whose_words_it_has() {
        let profile = WordProfile {
            rareness: array![0.0, 0.0, 0.0, 0.0, 1.0, 2.0],
            mean: array![0.0, 0.0, 0.0, 0.0, 0.5, 0.0],
            weights: array![[0.0], [0.0], [0.0], [0.0], [-0.5], [1.0]],
        };
        assert_eq!(
            profile.of_caption(&[5, 4, 5, END, 99]),
            [(4, 1.0 / 17.0_f32.sqrt()), (5, 4.0 / 17.0_f32.sqrt())]
        );
        assert!(profile.of_caption(&[END]).is_empty());
        let (plain, strong) =
            (profile.of_image(array![0.0].view()), profile.of_image(array![1.0].view()));
        assert!((profile.agreement(plain.view(), &[4]) - 1.0).abs() < 1e-6);
        assert!((profile.agreement(strong.view(), &[5, END]) - 1.0).abs() < 1e-6);
        assert!(profile.agreement(strong.view(), &[4]).abs() < 1e-6);
    }
}
