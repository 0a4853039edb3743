//! The values of a tensor in host memory.

use tch::{Device, Kind, Tensor};

/// The values of a contiguous tensor of 32-bit floats in host memory.
///
/// # Panics
/// If it is another tensor, which is a fault of the caller.
pub(super) fn values(tensor: &Tensor) -> &[f32] {
    check(tensor, Kind::Float);
    slice(tensor)
}

/// The values of a contiguous tensor of 64-bit integers in host memory.
///
/// # Panics
/// As [`values`].
pub(super) fn integers(tensor: &Tensor) -> &[i64] {
    check(tensor, Kind::Int64);
    slice(tensor)
}

/// The values of a contiguous tensor in host memory, which are of this type.
fn slice<T>(tensor: &Tensor) -> &[T] {
    if tensor.numel() == 0 {
        return &[];
    }
    // SAFETY: the tensor is contiguous, so its memory begins at the pointer and holds that many values, and it lives as long as
    // the tensor.
    #[expect(unsafe_code, reason = "libtorch gives a pointer to the values of a tensor")]
    unsafe {
        std::slice::from_raw_parts(tensor.data_ptr().cast(), tensor.numel())
    }
}

/// The same to write; nothing else may read or write its memory meanwhile.
pub(super) fn values_mut(tensor: &mut Tensor) -> &mut [f32] {
    check(tensor, Kind::Float);
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

fn check(tensor: &Tensor, kind: Kind) {
    assert!(
        tensor.kind() == kind && tensor.device() == Device::Cpu && tensor.is_contiguous(),
        "a contiguous tensor of {kind:?} in host memory was expected, not {tensor:?}"
    );
}
