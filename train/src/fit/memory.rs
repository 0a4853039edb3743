//! How much memory training takes.

use crate::run::RunConfig;

/// What libtorch holds before anything is trained.
const LIBRARY: u64 = 128 << 20;
/// Copies of the weights: themselves, gradients, two means of Adam, the running mean, one in passing.
const COPIES: u64 = 6;
/// Values of 32 bits that are held for a cell and a word until the way back, in multiples of widths.
const OF_CELL: u64 = 8;
const OF_WORD: u64 = 30;
const OF_SCORE: u64 = 4;
/// A large batch has more words than the mean one.
const MARGIN: f64 = 1.3;

/// Bytes for a network of so many `weights`, and images with so many words each. An estimate: within
/// a third of what runs on Flickr8k were seen to hold.
pub(super) fn needed(config: &RunConfig, weights: usize, words_of_image: usize) -> u64 {
    let side = |side: i64| side.unsigned_abs();
    let network = &config.network;
    let [height, width, channels] = config.encoder.grid.map(|side| side as u64);
    let images = config.training.batch as u64;
    let cells = images * height * width;
    let words = (images as f64 * words_of_image as f64 * MARGIN) as u64;
    let of_cells = cells * (2 * channels + OF_CELL * side(network.annotation));
    let of_words = words * (OF_WORD * side(network.hidden) + OF_SCORE * side(network.vocabulary));
    LIBRARY + 4 * (COPIES * weights as u64 + of_cells + of_words)
}
