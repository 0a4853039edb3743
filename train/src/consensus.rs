//! Weights of captions by consensus.

use data::metrics::Consensus;

use crate::dataset::{Caption, TrainingImage};
use crate::words::Words;

/// Maximum number of images whose captions are counted.
const DOCUMENTS: usize = 1 << 16;
/// A caption without any agreement keeps a small weight.
const SMOOTHING: f64 = 1e-3;

/// Weighs the captions of an image: a `share` of the weight is proportional to their CIDEr-D against the others (Phan et al.,
/// arXiv 1712.09532, section 3.2), the rest is uniform. Images are weighed when they are shown, as those of a large set take
/// seconds.
#[derive(Debug)]
pub struct ConsensusWeights {
    consensus: Consensus,
    share: f64,
}

impl ConsensusWeights {
    /// Counts the captions of images; in a large set those of some of them. None without a share.
    #[must_use]
    pub fn new(images: &[TrainingImage], share: f64) -> Option<Self> {
        let documents = images.iter().step_by(images.len().div_ceil(DOCUMENTS).max(1));
        let words = |image: &TrainingImage| {
            image.captions.iter().map(|caption| caption.words.clone()).collect::<Vec<_>>()
        };
        (share > 0.0).then(|| Self { consensus: Consensus::new(documents.map(words)), share })
    }

    /// The image with weights for those of its captions that have none.
    pub(crate) fn weigh(&self, image: &TrainingImage) -> TrainingImage {
        let mut image = image.clone();
        let is_open = |caption: &&mut Caption| caption.weight.is_none();
        let open = image.captions.iter_mut().filter(is_open).collect::<Vec<_>>();
        let words = open.iter().map(|caption| caption.words.clone()).collect::<Vec<Words>>();
        let agreed = self.consensus.of_captions(&words);
        let mean = agreed.iter().sum::<f64>() / agreed.len().max(1) as f64;
        for (caption, agreed) in open.into_iter().zip(agreed) {
            let relative = (agreed + SMOOTHING) / (mean + SMOOTHING);
            caption.weight = Some((1.0 - self.share + self.share * relative) as f32);
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use common::View;
    use data::vocabulary::WordId;

    use super::*;

    fn image(captions: &[&[WordId]]) -> TrainingImage {
        let captions = captions.iter().map(|words| Caption::written(words.to_vec())).collect();
        TrainingImage { set: 0, row: 3, view: View::Original, captions }
    }

    fn weights(image: &TrainingImage) -> Vec<f32> {
        image.captions.iter().map(|caption| caption.weight.unwrap()).collect()
    }

    #[test]
    fn captions_that_agree_with_others_weigh_more() {
        let captions: [&[WordId]; 3] = [&[5, 6, 7, 8], &[5, 6, 7, 9], &[10, 11, 12, 13]];
        let images = [image(&captions), image(&[&[5, 14]])];
        assert!(ConsensusWeights::new(&images, 0.0).is_none());
        let consensus = ConsensusWeights::new(&images, 0.5).unwrap();
        let found = weights(&consensus.weigh(&images[0]));
        assert!((found.iter().sum::<f32>() - 3.0).abs() < 1e-5, "{found:?}");
        assert!(found[0] > 1.0 && (found[2] - 0.5).abs() < 0.01, "{found:?}");
        assert!((weights(&consensus.weigh(&images[1]))[0] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn captions_with_a_weight_keep_it_and_do_not_count() {
        let captions: [&[WordId]; 2] = [&[5, 6, 7, 8], &[5, 6, 9]];
        let plain = image(&captions);
        let consensus = ConsensusWeights::new(std::slice::from_ref(&plain), 0.5).unwrap();
        let mut taught = plain.clone();
        let found = Caption { weight: Some(0.3), ..Caption::written(vec![5, 6, 7, 8]) };
        taught.captions.push(found);
        let expected = [weights(&consensus.weigh(&plain)), vec![0.3]].concat();
        assert_eq!(weights(&consensus.weigh(&taught)), expected);
    }
}
