//! Captions packed into one sequence without padding: for a recurrence that runs over whole captions
//! in one call, and attends afterwards. Shapes: N images, R rows, one per predicted word.

use std::cmp::Reverse;

use tch::{Device, Tensor};

use super::targets::{TargetRows, Targets};
use crate::batch::word_before;
use crate::dataset::Caption;
use crate::tensor::upload_lists;

/// The words of all captions, step after step, the longest caption first.
#[derive(Debug)]
pub(super) struct PackedCaptions {
    /// The word before each predicted one: `[R]`.
    pub(super) words: Tensor,
    /// The words to predict.
    pub(super) targets: Targets,
    /// For each step, the number of captions that still have a word to predict.
    pub(super) active: Vec<i64>,
    /// The image of each caption, the longest caption first.
    pub(super) images: Vec<usize>,
    /// The caption of each row: `[R]`.
    pub(super) caption: Tensor,
    /// The image of each row: `[R]`.
    pub(super) image: Tensor,
    /// The rows of each image: `[N, most rows of an image]`, filled up with the first row.
    pub(super) by_image: Tensor,
    /// The position of each row in `by_image`, flattened: `[R]`.
    pub(super) in_images: Tensor,
}

impl PackedCaptions {
    /// Packs the captions of images.
    pub(super) fn new(images: &[&[Caption]], device: Device) -> Self {
        let captions = sorted_captions(images);
        let steps = captions.first().map_or(0, |(_, caption)| caption.words.len());
        let (mut words, mut active, mut caption_of, mut image_of) =
            (vec![], vec![], vec![], vec![]);
        let mut targets = TargetRows::new(captions.iter().map(|(_, caption)| *caption));
        for step in 0..steps {
            let before = words.len();
            let longer = captions.iter().take_while(|(_, caption)| caption.words.len() > step);
            for (number, (image, caption)) in (0..).zip(longer) {
                caption_of.push(number);
                image_of.push(*image as i64);
                words.push(i64::from(word_before(&caption.words, step)));
                targets.push(caption, step);
            }
            active.push((words.len() - before) as i64);
        }
        let Grouping { by_image, in_images, width } = Grouping::new(&image_of, images.len());
        let lists = [&words[..], &caption_of, &image_of, &by_image, &in_images];
        let [words, caption, image, by_image, in_images] = upload_lists(lists, device);
        Self {
            words,
            targets: targets.into_targets(device),
            active,
            images: captions.iter().map(|(image, _)| *image).collect(),
            caption,
            image,
            by_image: by_image.view([images.len() as i64, width]),
            in_images,
        }
    }
}

/// The captions of images with the numbers of these, the longest caption first.
fn sorted_captions<'a>(images: &[&'a [Caption]]) -> Vec<(usize, &'a Caption)> {
    let numbered = images.iter().enumerate();
    let mut captions = numbered
        .flat_map(|(number, image)| image.iter().map(move |caption| (number, caption)))
        .collect::<Vec<_>>();
    captions.sort_by_key(|(_, caption)| Reverse(caption.words.len()));
    captions
}

/// Rows by image, as in [`PackedCaptions`].
struct Grouping {
    by_image: Vec<i64>,
    in_images: Vec<i64>,
    /// Maximum number of rows of an image.
    width: i64,
}

impl Grouping {
    /// Groups rows, of which each belongs to the image of that number.
    fn new(image_of: &[i64], images: usize) -> Self {
        let mut rows = vec![Vec::new(); images];
        for (row, &image) in image_of.iter().enumerate() {
            rows[image as usize].push(row);
        }
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut by_image = vec![0; images * width];
        let mut in_images = vec![0; image_of.len()];
        for (image, rows) in rows.iter().enumerate() {
            for (at, &row) in rows.iter().enumerate() {
                by_image[image * width + at] = row as i64;
                in_images[row] = (image * width + at) as i64;
            }
        }
        Self { by_image, in_images, width: width as i64 }
    }
}
