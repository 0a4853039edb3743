//! Numbers that quantization of weights shares.

use crate::messages::Tensor;

/// The largest quantized weight, of 7 bits: processors without instructions for int8 networks add two products in 16
/// bits, which hold 2 · 255 · 63 but not 2 · 255 · 127.
pub const MAX_WEIGHT: f32 = 63.0;
/// The smallest scale: that of a channel without weights.
pub const MIN_SCALE: f32 = 1e-12;

/// Quantizes a weight.
#[must_use]
pub fn quantize(value: f32, scale: f32) -> i8 {
    (value / scale).round() as i8
}

/// The scale at which the largest of some weights is [`MAX_WEIGHT`].
#[must_use]
pub fn scale<'a>(weights: impl IntoIterator<Item = &'a f32>) -> f32 {
    scale_to(MAX_WEIGHT, weights)
}

/// The scale at which the largest of some weights is `most`.
pub(crate) fn scale_to<'a>(most: f32, weights: impl IntoIterator<Item = &'a f32>) -> f32 {
    let largest = weights.into_iter().fold(0.0_f32, |largest, weight| weight.abs().max(largest));
    (largest / most).max(MIN_SCALE)
}

/// The values of a float tensor.
#[must_use]
pub fn floats(tensor: &Tensor) -> Vec<f32> {
    if tensor.raw_data.is_empty() {
        return tensor.float_data.clone();
    }
    tensor.raw_data.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
}
