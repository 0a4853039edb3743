//! Tensors in memory of the CPU that ONNX Runtime allocates: pageable, or pinned, which a GPU copies directly.

use std::slice;

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::Session;
use ort::value::Tensor;

/// A tensor of floats that the CPU reads and writes.
///
/// The accessors of `ort` refuse pinned memory: since ONNX Runtime 1.23 its device is the GPU, and only feature
/// `api-23` of `ort`, which excludes older runtimes, asks whether the CPU reaches it nevertheless.
#[derive(Debug)]
pub(crate) struct HostTensor {
    tensor: Tensor<f32>,
    shape: Vec<usize>,
}

impl HostTensor {
    /// Allocates a tensor of zeros. `device` is [`AllocationDevice::CPU`] or [`AllocationDevice::CUDA_PINNED`].
    ///
    /// # Errors
    /// If the session has no such memory, or the shape no values.
    pub(crate) fn zeros(
        session: &Session,
        device: &AllocationDevice<'static>,
        memory: MemoryType,
        shape: &[usize],
    ) -> ort::Result<Self> {
        let info = MemoryInfo::new(device.clone(), 0, AllocatorType::Device, memory)?;
        let mut tensor = Tensor::<f32>::new(&Allocator::new(session, info)?, shape)?;
        let found = tensor.memory_info().allocation_device();
        let is_host = [AllocationDevice::CPU, AllocationDevice::CUDA_PINNED].contains(&found);
        if !is_host || shape.contains(&0) || tensor.data_ptr_mut().is_null() {
            let device = device.as_str();
            return Err(ort::Error::new(format!("a tensor {shape:?} in memory of {device}")));
        }
        let mut zeros = Self { tensor, shape: shape.to_vec() };
        zeros.clear();
        Ok(zeros)
    }

    /// The tensor for a binding.
    pub(crate) fn tensor(&mut self) -> &mut Tensor<f32> {
        &mut self.tensor
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Initializes the values, which the allocator of pinned memory does not.
    #[expect(unsafe_code, reason = "`ort` has no access to pinned memory")]
    fn clear(&mut self) {
        let start = self.tensor.data_ptr_mut().cast::<f32>();
        // SAFETY: as in `values_mut`; nothing is read, and zero bytes are valid floats.
        unsafe { start.write_bytes(0, self.len()) };
    }

    /// The values, in the order of the shape.
    #[expect(unsafe_code, reason = "`ort` has no access to pinned memory")]
    pub(crate) fn values_mut(&mut self) -> &mut [f32] {
        let start = self.tensor.data_ptr_mut().cast::<f32>();
        // SAFETY: `zeros` checked that the memory is the CPU's: pageable, or pinned, which `cudaHostAlloc` maps at this
        // address for the CPU. It belongs to the tensor, is aligned for its values, as many as `len`, and initialized by
        // `clear`. The tensor is borrowed as long as the slice, so that no run is bound to it meanwhile; `Bound` waits for
        // the copies of a GPU before a run returns, and is dropped where a run fails.
        unsafe { slice::from_raw_parts_mut(start, self.len()) }
    }
}
