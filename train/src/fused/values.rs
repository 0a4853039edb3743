//! The values of a tensor in host memory.

use tch::{Device, Kind, Tensor};

/// The values of a contiguous tensor of 32-bit floats in host memory.
///
/// # Panics
/// If it is another tensor, which is a fault of the caller.
pub(super) fn values(tensor: &Tensor) -> &[f32] {
    check(tensor);
    if tensor.numel() == 0 {
        return &[];
    }
    // SAFETY: the tensor is contiguous, so its memory begins at the pointer and holds that many floats, and it lives as long as
    // the tensor.
    #[expect(unsafe_code, reason = "libtorch gives a pointer to the values of a tensor")]
    unsafe {
        std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel())
    }
}

/// The same to write; no other tensor may share its memory meanwhile.
pub(super) fn values_mut(tensor: &mut Tensor) -> &mut [f32] {
    check(tensor);
    if tensor.numel() == 0 {
        return &mut [];
    }
    // SAFETY: as above; the callers own the memory of the tensors that they pass, or a part of it that nothing else uses during
    // the borrow.
    #[expect(unsafe_code, reason = "libtorch gives a pointer to the values of a tensor")]
    unsafe {
        std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel())
    }
}

fn check(tensor: &Tensor) {
    assert!(
        tensor.kind() == Kind::Float && tensor.device() == Device::Cpu && tensor.is_contiguous(),
        "a contiguous tensor of floats in host memory was expected, not {tensor:?}"
    );
}
