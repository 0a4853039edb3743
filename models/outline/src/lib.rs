//! The outline of an ONNX file: its operators, its metadata and the locations of its weights. The weights themselves are
//! skipped, and only the metadata are copied.
//!
//! Field numbers are those of the specification: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>.

mod external;
mod wire;

use std::collections::BTreeSet;

pub use external::ExternalData;
use wire::{Field, Fields, Malformed};

/// Nested graphs that are followed; the runtime's own limit for nested messages.
const MAX_DEPTH: usize = 100;
/// The value of a tensor's `data_location` whose values are in another file.
pub const EXTERNAL: i32 = 1;

/// The operators, the metadata and the external data of an ONNX file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    metadata: Vec<(String, String)>,
    is_quantized: bool,
    external_data: Vec<ExternalData>,
    weights: BTreeSet<String>,
}

impl Outline {
    /// Parses the bytes of an ONNX file. Bytes that are not an ONNX file have an empty outline.
    #[must_use]
    pub fn parse(file: &[u8]) -> Self {
        let mut outline = Self::default();
        let parsed = outline.model(file);
        parsed.map_or_else(|Malformed| Self::default(), |()| outline)
    }

    /// Whether activations are quantized, so that convolutions multiply integers.
    #[must_use]
    pub fn is_quantized(&self) -> bool {
        self.is_quantized
    }

    /// The metadata under `key`.
    #[must_use]
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let entry = self.metadata.iter().find(|(name, _)| name == key);
        entry.map(|(_, value)| value.as_str())
    }

    /// The parts of other files that hold weights, those of nested graphs included.
    #[must_use]
    pub fn external_data(&self) -> &[ExternalData] {
        &self.external_data
    }

    /// The names of the weights of the graph, those of nested graphs excluded.
    #[must_use]
    pub fn weights(&self) -> &BTreeSet<String> {
        &self.weights
    }

    fn model(&mut self, message: &[u8]) -> Result<(), Malformed> {
        for field in Fields::new(message) {
            match field? {
                (7, Field::Bytes(graph)) => self.graph(graph, 0)?,
                (14, Field::Bytes(entry)) => self.metadata.push(wire::entry(entry)?),
                (25, Field::Bytes(function)) => self.function(function)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn function(&mut self, message: &[u8]) -> Result<(), Malformed> {
        for field in Fields::new(message) {
            if let (7, Field::Bytes(node)) = field? {
                self.node(node, 1)?;
            }
        }
        Ok(())
    }

    fn graph(&mut self, message: &[u8], depth: usize) -> Result<(), Malformed> {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        for field in Fields::new(message) {
            match field? {
                (1, Field::Bytes(node)) => self.node(node, depth)?,
                (5, Field::Bytes(tensor)) => {
                    self.tensor(tensor)?;
                    if depth == 0 {
                        self.weights.insert(wire::tensor_name(tensor)?);
                    }
                }
                (15, Field::Bytes(tensor)) => self.sparse_tensor(tensor)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, message: &[u8], depth: usize) -> Result<(), Malformed> {
        for field in Fields::new(message) {
            match field? {
                (4, Field::Bytes(b"QuantizeLinear")) if depth == 0 => self.is_quantized = true,
                (5, Field::Bytes(attribute)) => self.attribute(attribute, depth)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn attribute(&mut self, message: &[u8], depth: usize) -> Result<(), Malformed> {
        for field in Fields::new(message) {
            match field? {
                (5 | 10, Field::Bytes(tensor)) => self.tensor(tensor)?,
                (6 | 11, Field::Bytes(graph)) => self.graph(graph, depth + 1)?,
                (22 | 23, Field::Bytes(tensor)) => self.sparse_tensor(tensor)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The values and the indices of a sparse tensor.
    fn sparse_tensor(&mut self, message: &[u8]) -> Result<(), Malformed> {
        for field in Fields::new(message) {
            if let (1 | 2, Field::Bytes(tensor)) = field? {
                self.tensor(tensor)?;
            }
        }
        Ok(())
    }

    fn tensor(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let (mut entries, mut location) = (Vec::new(), 0);
        for field in Fields::new(message) {
            match field? {
                (13, Field::Bytes(entry)) => entries.push(wire::entry(entry)?),
                (14, Field::Number(number)) => location = number as i32,
                _ => {}
            }
        }
        if location == EXTERNAL {
            let entries = entries.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            // A number that cannot be read is refused by the runtime; here it leads to no file.
            self.external_data.push(ExternalData::from_entries(entries).unwrap_or_default());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn operator(name: &str) -> Vec<u8> {
        field(1, &field(4, name.as_bytes()))
    }

    #[test]
    fn operators_and_metadata_are_found() {
        let entry = [field(1, b"key"), field(2, b"value")].concat();
        let graph = [operator("Conv"), operator("QuantizeLinear")].concat();
        let file = [field(7, &graph), field(14, &entry)].concat();
        let outline = Outline::parse(&file);
        assert!(outline.is_quantized());
        assert_eq!((outline.metadata("key"), outline.metadata("other")), (Some("value"), None));
        assert!(!Outline::parse(&field(7, &operator("Conv"))).is_quantized());
        let weights = Outline::parse(&field(7, &field(5, &field(8, b"kernel"))));
        assert!(weights.weights().iter().eq(["kernel"]));
        // Nested graphs do not make the network a quantized one.
        let nested = field(7, &field(1, &field(5, &field(6, &operator("QuantizeLinear")))));
        assert!(!Outline::parse(&nested).is_quantized());
    }

    #[test]
    fn malformed_files_have_an_empty_outline() {
        let entry = field(14, &[field(1, b"key"), field(2, b"value")].concat());
        for broken in [&b"<html>"[..], b"\xFF\xFF\xFF\xFF", &entry[..entry.len() - 1], b""] {
            assert_eq!(Outline::parse(broken), Outline::default());
        }
        let deep = (0..400).fold(Vec::new(), |graph, _| {
            let length = |bytes: &[u8]| {
                let low = (bytes.len() & 0x7F) as u8 | 0x80;
                [low, (bytes.len() >> 7 & 0x7F) as u8 | 0x80, (bytes.len() >> 14) as u8]
            };
            let wrap =
                |number: u8, bytes: &[u8]| [&[number << 3 | 2][..], &length(bytes), bytes].concat();
            wrap(1, &wrap(5, &wrap(6, &graph)))
        });
        let length =
            [deep.len() as u8 | 0x80, (deep.len() >> 7) as u8 | 0x80, (deep.len() >> 14) as u8];
        assert_eq!(
            Outline::parse(&[&[7 << 3 | 2][..], &length, &deep].concat()),
            Outline::default()
        );
    }
}
