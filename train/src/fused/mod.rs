//! Kernels for the CPU, each with one pass over memory and without intermediate results. As operations of libtorch their work
//! takes a pass for each operation, and intermediate results that the caches cannot hold.
//!
//! Shapes: N images, A the width of the attention, D that of cells, R rows of a step, H the width of the state.

mod adam;
mod additive;
mod lstm;
mod mixture;
mod rows;
mod threads;
mod transpose;
mod values;
mod vectors;
mod word_loss;

pub(crate) use self::adam::{AdamFactors, adam_step, move_towards, sum_gradients};
pub(crate) use self::additive::{AdditiveAttention, AdditiveGradients, Exponentials};
pub(crate) use self::lstm::{GateOrder, LstmGradients, LstmStep};
pub(crate) use self::mixture::Mixture;
pub(crate) use self::transpose::transpose;
pub(crate) use self::word_loss::WordLoss;
