//! Values of tensors.

use tch::{Device, Kind, TchError, Tensor};

/// The values of a tensor as 32-bit floats, in row-major order.
pub(crate) fn flat(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    tensor.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1).try_into()
}
