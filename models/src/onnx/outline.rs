//! What an ONNX file says of itself, without its weights.

use std::fs;
use std::path::Path;

use prost::Message;

use super::proto::Entry;
use crate::{Error, Result};

/// The operators and the metadata of a model. Field numbers are those of the whole messages.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Outline {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<Entry>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, tag = "4")]
    op_type: String,
}

impl Outline {
    /// Reads the file at `path`. One that is no ONNX file has an empty outline.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = fs::read(path).map_err(Error::io(path))?;
        Ok(Self::decode(&file[..]).unwrap_or_default())
    }

    /// Whether values are brought to integers, so that convolutions multiply these.
    pub(crate) fn on_integers(&self) -> bool {
        let mut nodes = self.graph.iter().flat_map(|graph| &graph.node);
        nodes.any(|node| node.op_type == "QuantizeLinear")
    }

    /// The metadata under `key`.
    pub(crate) fn metadata(&self, key: &str) -> Option<&str> {
        let entry = self.metadata_props.iter().find(|entry| entry.key == key);
        entry.map(|entry| entry.value.as_str())
    }
}
