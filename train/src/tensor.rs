//! Values of tensors, and their way to a device and back.

use data::vocabulary::UNSAID;
use tch::kind::Element;
use tch::{Device, Kind, TchError, Tensor, no_grad};

use crate::device::Backend;

/// Number of values to a multiple of which the parts of a joined tensor are aligned: 256 bytes.
const ALIGNMENT: usize = 64;

/// The values of a tensor as 32-bit floats, in row-major order.
pub(crate) fn flat(tensor: &Tensor) -> Result<Vec<f32>, TchError> {
    tensor.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view(-1).try_into()
}

/// The values of scalars on one device, which are copied at once.
pub(crate) fn read_scalars<const N: usize>(scalars: [&Tensor; N]) -> [f64; N] {
    let values = Tensor::stack(&scalars, 0).to_device(Device::Cpu);
    std::array::from_fn(|at| values.double_value(&[at as i64]))
}

/// A tensor on a device. To a GPU it is copied from pinned memory, and neither side waits for the copy.
pub(crate) fn upload(tensor: &Tensor, device: Device) -> Tensor {
    if !device.is_cuda() {
        return tensor.to_device(device);
    }
    // libtorch's `pin_memory` would warn at each call that it is given a device.
    tensor.internal_pin_memory(device).to_device_(device, tensor.kind(), true, false)
}

/// Lists on a device, copied at once.
pub(crate) fn upload_lists<T: Element, const N: usize>(
    lists: [&[T]; N],
    device: Device,
) -> [Tensor; N] {
    let joined = upload(&Tensor::from_slice(&lists.concat()), device);
    let mut end = 0;
    lists.map(|list| {
        let (from, count) = (end, list.len() as i64);
        end += count;
        joined.narrow(0, from, count)
    })
}

/// The words that cannot be sampled, on a device.
pub(crate) fn unsaid(device: Device) -> Tensor {
    let [unsaid] = upload_lists([&UNSAID.map(i64::from)], device);
    unsaid
}

/// The tensors that operations on all of `tensors` run over: for a processor themselves; for a GPU two, of which they
/// become parts: the matrices are joined to one, `[1, any]`, and the others to one, `[any]`.
pub(crate) fn groups(tensors: &[Tensor], backend: Backend) -> Vec<Tensor> {
    if backend == Backend::Host {
        return tensors.iter().map(Tensor::shallow_clone).collect();
    }
    let (matrices, others) = tensors.iter().partition::<Vec<_>, _>(|tensor| tensor.dim() > 1);
    let mut groups = Vec::new();
    groups.extend((!matrices.is_empty()).then(|| join(&matrices).unsqueeze(0)));
    groups.extend((!others.is_empty()).then(|| join(&others)));
    groups
}

/// A tensor of which 32-bit floats become parts. They keep their values and gradients; between them are zeros.
fn join(tensors: &[&Tensor]) -> Tensor {
    let sizes = tensors.iter().map(|tensor| tensor.numel().next_multiple_of(ALIGNMENT) as i64);
    let sizes = sizes.collect::<Vec<_>>();
    let options = (Kind::Float, tensors[0].device());
    let joined = Tensor::zeros([sizes.iter().sum::<i64>()], options);
    let mut end = 0;
    for (tensor, size) in tensors.iter().zip(sizes) {
        let part = joined.narrow(0, end, tensor.numel() as i64).view(&tensor.size()[..]);
        no_grad(|| part.shallow_clone().copy_(tensor));
        tensor.shallow_clone().set_data(&part);
        end += size;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_uploaded_at_once() {
        let lists: [&[i64]; 3] = [&[1, 2], &[], &[3]];
        let uploaded = upload_lists(lists, Device::Cpu);
        assert_eq!(uploaded.map(|list| Vec::<i64>::try_from(list).unwrap()), lists);
    }

    #[test]
    fn joined_tensors_are_parts_of_their_groups() {
        let normal = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu));
        let tensors = [normal(&[3]), normal(&[2, 5]), normal(&[70]), normal(&[9, 8])];
        let tensors = tensors.map(|tensor| tensor.set_requires_grad(true));
        let before = tensors.each_ref().map(|tensor| flat(tensor).unwrap());
        let mut groups = groups(&tensors, Backend::Accelerator);
        let sizes = groups.iter().map(Tensor::size).collect::<Vec<_>>();
        assert_eq!(sizes, [vec![1, 64 + 128], vec![64 + 128]]);
        assert_eq!(tensors.each_ref().map(|tensor| flat(tensor).unwrap()), before);
        for group in &mut groups {
            let _ = group.g_add_scalar_(1.0);
        }
        for (tensor, before) in tensors.iter().zip(before) {
            let found = flat(tensor).unwrap();
            assert!(
                found.iter().zip(before).all(|(found, before)| (found - before - 1.0).abs() < 1e-6)
            );
            (tensor * tensor).sum(Kind::Float).backward();
            assert_eq!(tensor.grad(), tensor * 2.0);
        }
    }
}
