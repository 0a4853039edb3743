//! Several views of an image, searched together: the probabilities of words are averaged over the views.

use data::vocabulary::WordId;
use ndarray::{Array2, ArrayView3, ArrayView4, ArrayViewMut1, Axis, s};

use super::{Decoder, Expansion, Hypothesis, SearchOptions, Step, run, search};

/// The natural logarithm of the share of the most probable word's probability below which a word's mean is not computed.
const NEGLIGIBLE: f32 = -10.0;

/// Searches the captions of grids `[images, views, cells, channels]`, as [`search`] does, with the mean over the views of
/// the words' probabilities. The attention is that on the first view.
///
/// # Errors
/// Those of the decoder.
pub fn search_views<D: Decoder>(
    decoder: &mut D,
    grids: ArrayView4<f32>,
    options: &SearchOptions,
) -> Result<Vec<Vec<Hypothesis>>, D::Error> {
    let (images, views, cells, channels) = grids.dim();
    if views == 1 {
        return search(decoder, grids.index_axis(Axis(1), 0), options);
    }
    let mut of_views = OfViews { decoder, views, width: 1, parents: Vec::new(), words: Vec::new() };
    run(&mut of_views, images, options, |of_views| {
        let flat = grids.to_shape([images * views, cells, channels]).unwrap_or_default();
        of_views.decoder.start(flat.view())
    })
}

/// A decoder whose rows are the means of those of several views. To the decoder itself each view is an image.
struct OfViews<'a, D> {
    decoder: &'a mut D,
    views: usize,
    /// Rows of an image in the step before.
    width: usize,
    parents: Vec<usize>,
    words: Vec<WordId>,
}

impl<D: Decoder> Decoder for OfViews<'_, D> {
    type Error = D::Error;

    fn start(&mut self, grids: ArrayView3<f32>) -> Result<(), D::Error> {
        self.decoder.start(grids)
    }

    fn step(&mut self, expansion: Expansion) -> Result<Step, D::Error> {
        let views = self.views;
        let width = expansion.words.len() / expansion.images.len().max(1);
        let of_views = |&image: &usize| (0..views).map(move |view| image * views + view);
        let images = expansion.images.iter().flat_map(of_views).collect::<Vec<_>>();
        self.parents.clear();
        self.words.clear();
        let rows = expansion.parents.chunks(width.max(1)).zip(expansion.words.chunks(width.max(1)));
        for (parents, words) in rows {
            for view in 0..views {
                let of_view = |&row: &usize| {
                    let (image, beam) = (row / self.width, row % self.width);
                    (image * views + view) * self.width + beam
                };
                self.parents.extend(parents.iter().map(of_view));
                self.words.extend_from_slice(words);
            }
        }
        self.width = width;
        let expansion = Expansion { images: &images, parents: &self.parents, words: &self.words };
        Ok(mean(&self.decoder.step(expansion)?, views, width))
    }
}

/// The mean of rows `[images, views, width]` over the views, and the attention of the first view.
fn mean(step: &Step, views: usize, width: usize) -> Step {
    let of_image = (views * width).max(1);
    let images = step.log_probabilities.nrows() / of_image;
    let mut log_probabilities = Array2::zeros([images * width, step.log_probabilities.ncols()]);
    let mut attention = Array2::zeros([images * width, step.attention.ncols()]);
    for image in 0..images {
        let (from, to) = (image * of_image, image * width);
        let rows = step.log_probabilities.slice(s![from..from + of_image, ..]);
        for beam in 0..width {
            let rows = (0..views).map(|view| rows.row(view * width + beam));
            let rows = rows.map(|row| row.to_slice().unwrap_or_default()).collect::<Vec<_>>();
            mean_row(&rows, log_probabilities.row_mut(to + beam));
        }
        let first = step.attention.slice(s![from..from + width, ..]);
        attention.slice_mut(s![to..to + width, ..]).assign(&first);
    }
    Step { log_probabilities, attention }
}

/// The logarithm of the mean of probabilities, from their logarithms in each view. A word that is negligible beside the
/// most probable one in every view keeps its highest probability, which is at most as many times too large as there are
/// views.
fn mean_row(views: &[&[f32]], mut mean: ArrayViewMut1<f32>) {
    let Some(mean) = mean.as_slice_mut() else { return };
    mean.fill(f32::NEG_INFINITY);
    for view in views {
        mean.iter_mut().zip(*view).for_each(|(most, value)| *most = most.max(*value));
    }
    let highest = mean.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for (word, most) in
        mean.iter_mut().enumerate().filter(|(_, most)| **most > highest + NEGLIGIBLE)
    {
        let sum = views.iter().map(|view| (view[word] - *most).exp()).sum::<f32>();
        *most += (sum / views.len() as f32).ln();
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, array};

    use super::*;

    #[test]
    fn probabilities_are_averaged_and_negligible_ones_bounded() {
        let views = [[0.5f32, 0.25, 0.249_99, 1e-5], [0.1, 0.899_98, 1e-5, 1e-5]];
        let logs = views.map(|view| view.map(f32::ln));
        let mut mean = ndarray::Array1::zeros(4);
        mean_row(&[&logs[0], &logs[1]], mean.view_mut());
        let found = mean.mapv(f32::exp);
        for (word, expected) in [(0, 0.3), (1, 0.574_99), (2, 0.125)] {
            assert!((found[word] - expected).abs() < 1e-6, "{found}");
        }
        assert!(found[3] <= 1.1e-5 && found[3] >= 0.9e-5, "{found}");
    }

    /// Words follow their probabilities in the first cell of the grid, whatever was said before.
    #[derive(Default)]
    struct FirstCell(Vec<Vec<f32>>);

    impl Decoder for FirstCell {
        type Error = std::convert::Infallible;

        fn start(&mut self, grids: ArrayView3<f32>) -> Result<(), Self::Error> {
            self.0 = grids.outer_iter().map(|grid| grid.row(0).to_vec()).collect();
            Ok(())
        }

        fn step(&mut self, expansion: Expansion) -> Result<Step, Self::Error> {
            self.0 = expansion.images.iter().map(|&image| self.0[image].clone()).collect();
            let width = expansion.words.len() / self.0.len();
            let rows = self.0.iter().flat_map(|row| std::iter::repeat_n(row, width)).flatten();
            let values = rows.map(|value| value.ln()).collect::<Vec<_>>();
            let shape = [expansion.words.len(), values.len() / expansion.words.len()];
            let log_probabilities = Array2::from_shape_vec(shape, values).unwrap();
            Ok(Step { log_probabilities, attention: Array2::ones([shape[0], 1]) })
        }
    }

    #[test]
    fn a_search_of_views_is_that_of_their_mean() {
        let views = [[0.0, 0.0, 0.3, 0.0, 0.5, 0.2], [0.0, 0.0, 0.1, 0.0, 0.1, 0.8]];
        let other = [[0.0, 0.0, 0.6, 0.0, 0.2, 0.2], [0.0, 0.0, 0.2, 0.0, 0.5, 0.3]];
        let grids = Array4::from_shape_fn([2, 2, 1, 6], |(image, view, _, word)| {
            [views, other][image][view][word]
        });
        let mean = grids.mean_axis(Axis(1)).unwrap();
        let options =
            SearchOptions { beam: 3, n_best: 3, max_length: 4, ..SearchOptions::default() };
        let expected = search(&mut FirstCell::default(), mean.view(), &options).unwrap();
        let found = search_views(&mut FirstCell::default(), grids.view(), &options).unwrap();
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert_eq!(found.words, expected.words);
            assert!((found.log_probability - expected.log_probability).abs() < 1e-5);
        }
        let one =
            search_views(&mut FirstCell::default(), mean.insert_axis(Axis(1)).view(), &options);
        assert_eq!(one.unwrap(), expected);
    }

    /// The rows of two images with two views and a beam of two.
    #[test]
    fn the_rows_of_a_beam_are_averaged_over_the_views_of_their_image() {
        let rows = [[0.2f32, 0.8], [0.4, 0.6], [0.6, 0.4], [0.8, 0.2]];
        let log = |row: [f32; 2]| row.map(f32::ln);
        let all = [rows[0], rows[1], rows[2], rows[3], rows[3], rows[2], rows[3], rows[2]];
        let log_probabilities = Array2::from(all.map(log).to_vec());
        let attention = Array2::from_shape_fn([8, 1], |(row, _)| row as f32);
        let found = mean(&Step { log_probabilities, attention }, 2, 2);
        let expected = array![[0.4f32, 0.6], [0.6, 0.4], [0.8, 0.2], [0.6, 0.4]];
        assert!(
            (found.log_probabilities.mapv(f32::exp) - expected).iter().all(|off| off.abs() < 1e-6)
        );
        assert_eq!(found.attention, array![[0.0], [1.0], [4.0], [5.0]]);
    }
}
