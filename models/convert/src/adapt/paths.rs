//! Reading a graph: the producers of values, paths between them, attributes.

use std::collections::{HashMap, HashSet};

use onnx::messages::{AttributeMessage, GraphMessage, Node};

/// The node that outputs each value.
pub(super) fn producers(graph: &GraphMessage) -> HashMap<&str, &Node> {
    let nodes = graph.node.iter();
    nodes.flat_map(|node| node.output.iter().map(move |output| (output.as_str(), node))).collect()
}

/// Whether `to` depends on `from` through a path that avoids `without`.
pub(super) fn reaches(
    producers: &HashMap<&str, &Node>,
    to: &str,
    from: &str,
    without: &str,
) -> bool {
    let mut waiting = vec![to];
    let mut seen = HashSet::new();
    while let Some(value) = waiting.pop() {
        if value == from {
            return true;
        }
        if value != without && seen.insert(value) {
            let node = producers.get(value);
            waiting.extend(node.iter().flat_map(|node| node.input.iter().map(String::as_str)));
        }
    }
    false
}

/// The attribute of that name, if the node has it.
pub(super) fn attribute<'a>(node: &'a Node, name: &str) -> Option<&'a AttributeMessage> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}
