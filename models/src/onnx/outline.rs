//! What an ONNX file says of itself, without its weights.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path};

use prost::Message;

use super::proto::Entry;
use crate::{Error, Result};

/// A tensor whose values lie in another file.
pub(super) const EXTERNAL: i32 = 1;

/// The operators and the metadata of a model, and where its weights lie. Field numbers are those of the whole
/// messages.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Outline {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "14")]
    metadata_props: Vec<Entry>,
    #[prost(message, repeated, tag = "25")]
    functions: Vec<Function>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Weight>,
    #[prost(message, repeated, tag = "15")]
    sparse_initializer: Vec<SparseWeight>,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(message, repeated, tag = "7")]
    node: Vec<Node>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(message, optional, tag = "5")]
    t: Option<Weight>,
    #[prost(message, optional, boxed, tag = "6")]
    g: Option<Box<Graph>>,
    #[prost(message, repeated, tag = "10")]
    tensors: Vec<Weight>,
    #[prost(message, repeated, tag = "11")]
    graphs: Vec<Graph>,
    #[prost(message, optional, tag = "22")]
    sparse_tensor: Option<SparseWeight>,
    #[prost(message, repeated, tag = "23")]
    sparse_tensors: Vec<SparseWeight>,
}

#[derive(Clone, PartialEq, Message)]
struct SparseWeight {
    #[prost(message, optional, tag = "1")]
    values: Option<Weight>,
    #[prost(message, optional, tag = "2")]
    indices: Option<Weight>,
}

#[derive(Clone, PartialEq, Message)]
struct Weight {
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<Entry>,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

/// A part of another file, which holds values of a weight.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExternalData {
    /// The file, from the folder of the ONNX file on.
    pub(crate) location: String,
    /// Where the values begin.
    pub(crate) offset: u64,
    /// Their bytes; `None` for all up to the end of the file.
    pub(crate) length: Option<u64>,
}

impl ExternalData {
    /// What the entries of a tensor say. `None` where a number is none.
    pub(super) fn read(entries: &[Entry]) -> Option<Self> {
        let value = |key| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
        let number = |key| value(key).map(|value| value.parse::<u64>().ok());
        Some(Self {
            location: value("location").cloned().unwrap_or_default(),
            offset: number("offset").unwrap_or(Some(0))?,
            length: match number("length") {
                Some(length) => Some(length?),
                None => None,
            },
        })
    }
}

impl ExternalData {
    /// Opens the file in `folder` where the values begin, and gives how many bytes they are.
    pub(crate) fn open(&self, folder: &Path) -> io::Result<(File, u64)> {
        let location = Path::new(&self.location);
        let is_below = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
        if self.location.is_empty() || !location.components().all(is_below) {
            return Err(io::Error::other("that is not beside it"));
        }
        let place = folder.join(location);
        // Opening a pipe would wait for whoever writes into it.
        if !fs::metadata(&place)?.is_file() {
            return Err(io::Error::other("that is no regular file"));
        }
        let mut file = File::open(place)?;
        let size = file.metadata()?.len();
        let length = self.length.unwrap_or_else(|| size.saturating_sub(self.offset));
        if self.offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(io::Error::other(format!(
                "that file is too short: it has {size} bytes, and the network wants {length} from byte {} on",
                self.offset
            )));
        }
        file.seek(SeekFrom::Start(self.offset))?;
        Ok((file, length))
    }

    /// The values.
    pub(super) fn read_from(&self, folder: &Path) -> io::Result<Vec<u8>> {
        let (file, length) = self.open(folder)?;
        let mut values = Vec::new();
        file.take(length).read_to_end(&mut values)?;
        Ok(values)
    }
}

impl Outline {
    /// Reads the file at `path`. One that is no ONNX file has an empty outline.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Ok(Self::of_bytes(&fs::read(path).map_err(Error::io(path))?))
    }

    /// The same for a file in memory.
    pub(crate) fn of_bytes(file: &[u8]) -> Self {
        Self::decode(file).unwrap_or_default()
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

    /// The parts of other files that hold weights, in inner graphs as well.
    pub(crate) fn external_data(&self) -> Vec<ExternalData> {
        let mut weights = Vec::new();
        self.graph.iter().for_each(|graph| graph.weights(&mut weights));
        self.functions.iter().flat_map(|of| &of.node).for_each(|node| node.weights(&mut weights));
        let external = weights.into_iter().filter(|weight| weight.data_location == EXTERNAL);
        // A number that is none is refused by the runtime; here it leads to no file.
        let nowhere = ExternalData { location: String::new(), offset: 0, length: None };
        external
            .map(|weight| ExternalData::read(&weight.external_data).unwrap_or(nowhere.clone()))
            .collect()
    }
}

impl Graph {
    fn weights<'a>(&'a self, found: &mut Vec<&'a Weight>) {
        found.extend(&self.initializer);
        self.sparse_initializer.iter().for_each(|weight| weight.weights(found));
        self.node.iter().for_each(|node| node.weights(found));
    }
}

impl Node {
    fn weights<'a>(&'a self, found: &mut Vec<&'a Weight>) {
        for attribute in &self.attribute {
            found.extend(attribute.t.iter().chain(&attribute.tensors));
            let sparse = attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors);
            sparse.for_each(|weight| weight.weights(found));
            let graphs = attribute.g.as_deref().into_iter().chain(&attribute.graphs);
            graphs.for_each(|graph| graph.weights(found));
        }
    }
}

impl SparseWeight {
    fn weights<'a>(&'a self, found: &mut Vec<&'a Weight>) {
        found.extend(self.values.iter().chain(&self.indices));
    }
}
