//! Weights stored as 16-bit floats.

use half::f16;

use crate::messages::{GraphMessage, Tensor};
use crate::{Attribute, ElementType, Graph};

impl Graph {
    /// Stores the matrices as 16-bit floats, which halves the file. The runtime converts them to 32-bit floats when it
    /// opens the network, which then runs as before; only precision is lost. Vectors and scalars are unchanged.
    #[must_use]
    pub fn with_half_weights(self) -> Self {
        let mut message = GraphMessage::from(self);
        let is_matrix = |weight: &&mut Tensor| {
            weight.data_type == ElementType::Float as i32 && weight.dims.len() > 1
        };
        let halved = message.initializer.iter_mut().filter(is_matrix).map(halve);
        let mut casts = Self::default();
        for [name, half] in halved {
            let to = [Attribute::Int("to", ElementType::Float as i64)];
            casts.node("Cast", &[&half], &[&name], &to);
        }
        message.node.splice(..0, GraphMessage::from(casts).node);
        Self::from(message)
    }
}

/// Converts a weight to 16-bit floats; returns its old and its new name.
fn halve(weight: &mut Tensor) -> [String; 2] {
    let (values, _) = weight.raw_data.as_chunks::<4>();
    let halves =
        values.iter().flat_map(|&value| f16::from_f32(f32::from_le_bytes(value)).to_le_bytes());
    weight.raw_data = halves.collect();
    weight.data_type = ElementType::Half as i32;
    let half = format!("{}.half", weight.name);
    [std::mem::replace(&mut weight.name, half.clone()), half]
}
