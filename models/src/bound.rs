//! A session whose input and outputs are in memory that its device copies directly (pinned memory of CUDA), bound once and
//! used for every run with one number of images, `N`.

use ort::memory::{AllocationDevice, MemoryType};
use ort::session::{IoBinding, Session, SessionOutputs};
use ort::value::{TensorRef, ValueRef};

use crate::host::HostTensor;

/// The shape and the values of an output.
pub(crate) type Output = (Vec<i64>, Vec<f32>);

/// The session of a network with one input `[N, …]`, and its bound tensors.
#[derive(Debug)]
pub(crate) struct BoundSession {
    session: Session,
    /// The memory to bind tensors in; `None` where this has no use, or failed.
    memory: Option<AllocationDevice<'static>>,
    /// The shapes of the outputs without `N`, after the first run, if `N` is the first side of all.
    outputs: Option<Vec<Vec<usize>>>,
    bound: Option<Bound>,
}

impl BoundSession {
    /// A session whose tensors are bound in `memory`, which the CPU reaches.
    pub(crate) fn new(session: Session, memory: Option<AllocationDevice<'static>>) -> Self {
        Self { session, memory, outputs: None, bound: None }
    }

    /// Binds tensors in other memory.
    #[cfg(test)]
    pub(crate) fn bind_in(&mut self, memory: AllocationDevice<'static>) {
        (self.memory, self.bound) = (Some(memory), None);
    }

    /// Whether the tensors of the last run were bound.
    #[cfg(test)]
    pub(crate) fn is_bound(&self) -> bool {
        self.bound.is_some()
    }

    /// Runs the network on `values` of this shape; returns a copy of each output. Without bound tensors, which are only
    /// faster, it runs all the same.
    pub(crate) fn run(&mut self, shape: [usize; 4], values: &[f32]) -> ort::Result<Vec<Output>> {
        self.bind(shape);
        if let Some(bound) = &mut self.bound {
            match bound.run(&mut self.session, values) {
                Ok(outputs) => return Ok(outputs),
                Err(_) => self.unbind(),
            }
        }
        let input = TensorRef::from_array_view((shape, values))?;
        let outputs = copies(&self.session.run(ort::inputs![input])?)?;
        let without_count = |(found, _): &Output| {
            let sides = found.iter().map(|&side| side as usize).collect::<Vec<_>>();
            sides.strip_prefix(&shape[..1]).map(<[usize]>::to_vec)
        };
        self.outputs = outputs.iter().map(without_count).collect();
        Ok(outputs)
    }

    /// Binds tensors for an input of this shape, if the shapes of the outputs are known.
    fn bind(&mut self, shape: [usize; 4]) {
        if self.bound.as_ref().is_some_and(|bound| bound.shape() == shape) {
            return;
        }
        self.bound = None;
        let (Some(memory), Some(outputs)) = (&self.memory, &self.outputs) else { return };
        let outputs = outputs.iter().map(|of_image| [&shape[..1], of_image.as_slice()].concat());
        match Bound::new(&self.session, memory, shape, &outputs.collect::<Vec<_>>()) {
            Ok(bound) => self.bound = Some(bound),
            Err(_) => self.unbind(),
        }
    }

    /// Binds no more tensors.
    fn unbind(&mut self) {
        (self.memory, self.bound) = (None, None);
    }
}

/// The bound tensors of a network with one input.
#[derive(Debug)]
struct Bound {
    input: HostTensor,
    input_name: String,
    /// In the order of the session.
    outputs: Vec<HostTensor>,
    /// The last field: it keeps the session, which the memory of the tensors is of.
    binding: IoBinding,
}

impl Bound {
    /// Binds the input and the outputs of `session`, which have these shapes, to memory of the CPU on `device`.
    ///
    /// # Errors
    /// If the session has no such memory or not enough of it, or another number of outputs.
    fn new(
        session: &Session,
        device: &AllocationDevice<'static>,
        input: [usize; 4],
        outputs: &[Vec<usize>],
    ) -> ort::Result<Self> {
        let ([input_outlet], true) = (session.inputs(), session.outputs().len() == outputs.len())
        else {
            return Err(ort::Error::new("other inputs or outputs"));
        };
        let input_name = input_outlet.name().to_owned();
        let input = HostTensor::zeros(session, device, MemoryType::CPUInput, &input)?;
        let mut binding = session.create_binding()?;
        let mut bound = Vec::with_capacity(outputs.len());
        for (outlet, shape) in session.outputs().iter().zip(outputs) {
            let mut output = HostTensor::zeros(session, device, MemoryType::CPUOutput, shape)?;
            binding.bind_output(outlet.name(), output.tensor())?;
            bound.push(output);
        }
        Ok(Self { input, input_name, outputs: bound, binding })
    }

    /// The shape of the input.
    fn shape(&self) -> &[usize] {
        self.input.shape()
    }

    /// Runs the network; returns a copy of each output.
    ///
    /// # Errors
    /// If the network fails, or `values` are not those of the input. The tensors must not be used again then: a copy may
    /// be in progress.
    fn run(&mut self, session: &mut Session, values: &[f32]) -> ort::Result<Vec<Output>> {
        let input = self.input.values_mut();
        if input.len() != values.len() {
            return Err(ort::Error::new("another number of values than the input has"));
        }
        input.copy_from_slice(values);
        // Each binding copies the values to the device; without it the device would use the old ones.
        self.binding.bind_input(&self.input_name, self.input.tensor())?;
        self.binding.synchronize_inputs()?;
        drop(session.run_binding(&self.binding)?);
        self.binding.synchronize_outputs()?;
        let copy = |output: &mut HostTensor| {
            let shape = output.shape().iter().map(|&side| side as i64).collect();
            (shape, output.values_mut().to_vec())
        };
        Ok(self.outputs.iter_mut().map(copy).collect())
    }
}

/// A copy of each output.
fn copies(outputs: &SessionOutputs) -> ort::Result<Vec<Output>> {
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
    use crate::{Device, runtime};

    /// A session of a network that negates values `[N, 1, 1, 2]`.
    fn negating() -> Session {
        let mut graph = Graph::new("negated");
        let fixed = Dimension::Fixed;
        let shape = [Dimension::Symbolic("N"), fixed(1), fixed(1), fixed(2)];
        graph.input("x", ElementType::Float, &shape);
        graph.node("Neg", &["x"], &["y"], &[]);
        graph.output("y", ElementType::Float, &shape);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("negated.onnx");
        std::fs::write(&path, graph.into_bytes(&[])).unwrap();
        runtime::open(&NetworkFile::read(&path).unwrap(), Device::Cpu, Some(1)).unwrap()
    }

    /// The code path of CUDA, in pageable memory.
    fn bound(session: &Session, output: &[usize]) -> ort::Result<Bound> {
        Bound::new(session, &AllocationDevice::CPU, [2, 1, 1, 2], &[output.to_vec()])
    }

    /// Each run uses its own values, and earlier outputs stay as they are.
    #[test]
    fn bound_tensors_follow_the_values() {
        let mut session = negating();
        let mut bound = bound(&session, &[2, 1, 1, 2]).unwrap();
        assert_eq!(bound.shape(), [2, 1, 1, 2]);
        let values = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]];
        let outputs = values.map(|values| bound.run(&mut session, &values).unwrap());
        for (values, outputs) in values.iter().zip(outputs) {
            assert_eq!(outputs, [(vec![2, 1, 1, 2], values.map(|value| -value).to_vec())]);
        }
        // The tensors outlive the session.
        drop(session);
        drop(bound);
    }

    /// Without such memory, and where bound tensors fail, a session runs without them.
    #[test]
    fn a_session_runs_bound_or_not() {
        let memory = [None, Some(AllocationDevice::CPU), Some(AllocationDevice::CUDA_PINNED)];
        for memory in memory {
            let is_host = memory == Some(AllocationDevice::CPU);
            let mut session = BoundSession::new(negating(), memory);
            for images in [1, 1, 3, 2] {
                let values = (0..images * 2).map(|at| at as f32 - 1.0).collect::<Vec<_>>();
                let outputs = session.run([images, 1, 1, 2], &values).unwrap();
                let negated = values.iter().map(|value| -value).collect();
                assert_eq!(outputs, [(vec![images as i64, 1, 1, 2], negated)]);
            }
            assert_eq!(session.is_bound(), is_host);
            // As if the outputs depended on the number of images in another way.
            session.outputs = Some(vec![vec![1, 1, 3]]);
            assert_eq!(session.run([1, 1, 1, 2], &[1.0, 2.0]).unwrap()[0].1, [-1.0, -2.0]);
            assert!(!session.is_bound() && session.memory.is_none());
            assert!(session.run([1, 1, 1, 2], &[1.0]).is_err());
        }
    }

    #[test]
    fn other_shapes_and_memory_are_errors() {
        let mut session = negating();
        assert!(bound(&session, &[2, 1, 1, 0]).is_err());
        let pinned = &AllocationDevice::CUDA_PINNED;
        assert!(Bound::new(&session, pinned, [2, 1, 1, 2], &[vec![2, 1, 1, 2]]).is_err());
        assert!(Bound::new(&session, &AllocationDevice::CPU, [2, 1, 1, 2], &[]).is_err());
        let mut three = bound(&session, &[3, 1, 1, 2]).unwrap();
        assert!(three.run(&mut session, &[0.0; 4]).is_err());
        let mut two = bound(&session, &[2, 1, 1, 2]).unwrap();
        assert!(two.run(&mut session, &[0.0; 3]).is_err());
    }
}
