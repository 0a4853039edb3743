//! Element-wise parts of a recurrence on the CPU, each in one pass over memory and without intermediate results. As
//! operations of libtorch they take a pass for each operation, and intermediate results that the caches cannot hold.
//!
//! Shapes: N images, B captions of each, A the width of the attention, R rows, H the width of the state.

mod additive;
mod lstm;
mod values;
mod vectors;

pub(super) use self::additive::{AdditiveAttention, AdditiveGradients};
pub(super) use self::lstm::{LstmGradients, LstmStep};
