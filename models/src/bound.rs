//! A network on a device whose input and output tensors are in memory that the device reaches directly (pinned), bound
//! once and used for every run.

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, Session, SessionOutputs};
use ort::value::{Tensor, ValueRef};

/// The bound tensors of a network with one input, for one shape of the input.
#[derive(Debug)]
pub(crate) struct Bound {
    binding: IoBinding,
    input: Tensor<f32>,
    input_name: String,
    shape: [usize; 4],
}

impl Bound {
    /// Binds the input and the outputs of `session` to memory of `device` that the CPU reaches as well.
    pub(crate) fn new(
        session: &Session,
        device: &AllocationDevice<'static>,
        shape: [usize; 4],
    ) -> ort::Result<Self> {
        let memory = |r#type| MemoryInfo::new(device.clone(), 0, AllocatorType::Device, r#type);
        let allocator = Allocator::new(session, memory(MemoryType::CPUInput)?)?;
        let mut binding = session.create_binding()?;
        for output in session.outputs() {
            binding.bind_output_to_device(output.name(), &memory(MemoryType::CPUOutput)?)?;
        }
        let input_name = session.inputs().iter().map(|input| input.name().to_owned()).collect();
        Ok(Self { binding, input: Tensor::new(&allocator, shape)?, input_name, shape })
    }

    /// The shape of the input.
    pub(crate) fn shape(&self) -> [usize; 4] {
        self.shape
    }

    /// Runs the network; returns the shape and the values of each output.
    pub(crate) fn run(
        &mut self,
        session: &mut Session,
        values: &[f32],
    ) -> ort::Result<Vec<(Vec<i64>, Vec<f32>)>> {
        self.input.extract_tensor_mut().1.copy_from_slice(values);
        // Each binding copies the values to the device; without it the device would use the old ones.
        self.binding.bind_input(&self.input_name, &self.input)?;
        self.binding.synchronize_inputs()?;
        let outputs = session.run_binding(&self.binding)?;
        self.binding.synchronize_outputs()?;
        copies(&outputs)
    }
}

/// The shape and the values of each output.
pub(crate) fn copies(outputs: &SessionOutputs) -> ort::Result<Vec<(Vec<i64>, Vec<f32>)>> {
    let copy = |output: ValueRef| {
        let (shape, values) = output.try_extract_tensor::<f32>()?;
        Ok((shape.to_vec(), values.to_vec()))
    };
    outputs.iter().map(|(_, output)| copy(output)).collect()
}

#[cfg(test)]
mod tests {
    use onnx::{Dimension, ElementType, Graph};

    use super::*;
    use crate::network::NetworkFile;
    use crate::{DeviceChoice, runtime};

    /// The code path of CUDA, in the memory of the CPU: each run uses its own values.
    #[test]
    fn bound_tensors_follow_the_values() {
        let mut graph = Graph::new("negated");
        let shape = [
            Dimension::Symbolic("N"),
            Dimension::Fixed(1),
            Dimension::Fixed(1),
            Dimension::Fixed(2),
        ];
        graph.input("x", ElementType::Float, &shape);
        graph.node("Neg", &["x"], &["y"], &[]);
        graph.output("y", ElementType::Float, &shape);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("negated.onnx");
        std::fs::write(&path, graph.into_bytes(&[])).unwrap();
        let (mut session, _) =
            runtime::open(&NetworkFile::read(&path).unwrap(), DeviceChoice::Cpu, Some(1)).unwrap();
        let mut bound = Bound::new(&session, &AllocationDevice::CPU, [2, 1, 1, 2]).unwrap();
        for values in [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]] {
            let [(shape, negated)] = &bound.run(&mut session, &values).unwrap()[..] else {
                panic!()
            };
            assert_eq!(
                (&shape[..], &negated[..]),
                (&[2, 1, 1, 2][..], &values.map(|value| -value)[..])
            );
        }
    }
}
