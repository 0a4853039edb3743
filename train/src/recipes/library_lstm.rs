//! libtorch's LSTM over packed captions; on a GPU it is cuDNN's, one call for all steps. Its products are of 32-bit floats
//! in each precision; cuDNN rounds their factors to TF32. Shapes: R rows, one per predicted word; E the width of the input,
//! H that of the state.

use tch::{Kind, Tensor};

/// The states `[R, H]` of inputs `[R, E]`, of which each step has the number `active`. The weights are those on the input
/// `[4 H, E]` and on the state `[4 H, H]`, and the biases `[4 H]` of both; gates come in the order input, forget,
/// candidate, output.
pub(super) fn library_lstm(weights: [&Tensor; 4], input: &Tensor, active: &[i64]) -> Tensor {
    let captions = active.first().copied().unwrap_or(0);
    let start = input.new_zeros([1, captions, weights[1].size()[1]], (Kind::Float, input.device()));
    // The sizes of steps stay on the processor.
    let (states, _, _) = Tensor::lstm_data(
        input,
        &Tensor::from_slice(active),
        &[start.shallow_clone(), start],
        &in_one_piece(weights),
        true,
        1,
        0.0,
        true,
        false,
    );
    states
}

/// Weights one after the other in one piece of memory, as cuDNN takes them: others it would copy, with a warning at each
/// call.
fn in_one_piece(weights: [&Tensor; 4]) -> [Tensor; 4] {
    let joined = Tensor::cat(&weights.map(|weight| weight.flatten(0, -1)), 0);
    let mut end = 0;
    weights.map(|weight| {
        let (from, count) = (end, weight.numel() as i64);
        end += count;
        joined.narrow(0, from, count).view_as(weight)
    })
}
