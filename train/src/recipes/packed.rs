//! Captions packed into one sequence without padding: for a recurrence that runs over whole captions
//! in one call, and attends afterwards.

use tch::{Device, Tensor};

use crate::batch::word_before;
use crate::dataset::TrainingImage;

/// The words of all captions, step after step, the longest caption first; a row is a predicted word.
#[derive(Debug)]
pub(super) struct Packed {
    /// The word before each predicted one.
    pub(super) words: Tensor,
    /// The words to predict.
    pub(super) targets: Tensor,
    /// How much each row counts.
    pub(super) weights: Tensor,
    /// For each step, how many captions still have a word to predict.
    pub(super) active: Vec<i64>,
    /// Which image each row belongs to.
    pub(super) image: Tensor,
    /// Images × the most rows of one image: the rows of each image; the first row where there is none.
    pub(super) by_image: Tensor,
    /// Where each row lies in `by_image`, flattened.
    pub(super) in_images: Tensor,
}

impl Packed {
    pub(super) fn new(images: &[&TrainingImage], device: Device) -> Self {
        let captions = images.iter().enumerate();
        let mut captions = captions
            .flat_map(|(image, of)| of.captions.iter().map(move |caption| (image, caption)))
            .collect::<Vec<_>>();
        captions.sort_by_key(|(_, caption)| std::cmp::Reverse(caption.words.len()));
        let steps = captions.first().map_or(0, |(_, caption)| caption.words.len());
        let (mut words, mut targets, mut weights) = (vec![], vec![], vec![]);
        let (mut active, mut image_of) = (vec![], vec![]);
        let mut rows = vec![Vec::new(); images.len()];
        for step in 0..steps {
            let spoken = captions.iter().take_while(|(_, caption)| caption.words.len() > step);
            let before = words.len();
            for (image, caption) in spoken {
                rows[*image].push(words.len() as i64);
                image_of.push(*image as i64);
                words.push(i64::from(word_before(&caption.words, step)));
                targets.push(i64::from(caption.words[step]));
                weights.push(caption.weight);
            }
            active.push((words.len() - before) as i64);
        }
        let most = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut by_image = vec![0; images.len() * most];
        let mut in_images = vec![0; words.len()];
        for (image, rows) in rows.iter().enumerate() {
            for (at, &row) in rows.iter().enumerate() {
                by_image[image * most + at] = row;
                in_images[row as usize] = (image * most + at) as i64;
            }
        }
        let tensor = |values: &[i64]| Tensor::from_slice(values).to_device(device);
        Self {
            words: tensor(&words),
            targets: tensor(&targets),
            weights: Tensor::from_slice(&weights).to_device(device),
            active,
            image: tensor(&image_of),
            by_image: tensor(&by_image).view([images.len() as i64, most as i64]),
            in_images: tensor(&in_images),
        }
    }
}
