//! The head of a classifier: the part of its network after the grid, for the file beside an encoder ([`common::head`]).

use std::collections::HashSet;
use std::path::Path;

use common::files;
use common::head::{self, CLASSES_KEY, ENCODER_KEY, OUTPUT};
use onnx::messages::{Entry, GraphMessage, Model};
use onnx::{Attribute, Dimension, ElementType, Graph};
use outline::Outline;
use prost::Message as _;

use crate::adapt::{needed_by, sides};
use crate::{Error, Result};

/// The classes of `ImageNet`: comments, then a name a line.
const IMAGENET: &str = include_str!("imagenet.txt");
/// Operators after which values are probabilities.
const PROBABILITIES: [&str; 2] = ["Softmax", "Sigmoid"];
/// Operators that only change the shape of values.
const RESHAPING: [&str; 5] = ["Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze"];

/// The nodes and weights between the grid and the probabilities of the classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    graph: GraphMessage,
    classes: usize,
}

impl Head {
    /// The part of the graph `classifier` between `grid` and its first output; `None` if the classifier ends in the grid, or
    /// does not state the number of its classes.
    pub(crate) fn of(classifier: &GraphMessage, grid: &str) -> Option<Self> {
        let output = classifier.output.first().filter(|output| output.name != grid)?;
        let classes = sides(output)?.get(1).copied().flatten()?;
        let classes = usize::try_from(classes).ok().filter(|&classes| classes > 1)?;
        let mut needed = HashSet::from([output.name.clone()]);
        let mut nodes = Vec::new();
        for node in classifier.node.iter().rev() {
            let makes = |value: &str| node.output.iter().any(|output| output == value);
            if !makes(grid) && node.output.iter().any(|output| needed.contains(output)) {
                needed_by(node, &mut needed);
                nodes.push(node.clone());
            }
        }
        nodes.reverse();
        let weights = classifier.initializer.iter().filter(|of| needed.contains(&of.name));
        let initializer = weights.cloned().collect();
        let graph = GraphMessage { node: nodes, initializer, ..GraphMessage::default() };
        Some(Self { graph: with_probabilities(graph, &output.name), classes })
    }

    /// The head without the nodes and weights that are also in the graph `encoder`.
    pub(crate) fn beside(mut self, encoder: &GraphMessage) -> Self {
        let values = encoder.node.iter().flat_map(|node| &node.output).collect::<HashSet<_>>();
        self.graph.node.retain(|node| !node.output.iter().any(|output| values.contains(output)));
        let weights = encoder.initializer.iter().map(|of| &of.name).collect::<HashSet<_>>();
        self.graph.initializer.retain(|weight| !weights.contains(&weight.name));
        self
    }

    /// The file of the head, for the encoder with that SHA-256. `names` are those of the classes in the order of the
    /// outputs; without them a head of 1,000 classes has the names of `ImageNet`.
    ///
    /// # Errors
    /// [`Error::Unnamed`] without names of other classes, [`Error::Names`] if there is not one name for each class.
    pub fn into_file(self, encoder: &str, names: Option<&[String]>) -> Result<Vec<u8>> {
        let (usual, classes) = (imagenet(), self.classes);
        let names = match names {
            Some(names) if names.len() != classes => {
                return Err(Error::Names { names: names.len(), classes });
            }
            None if usual.len() != classes => return Err(Error::Unnamed(classes)),
            names => names.unwrap_or(&usual),
        };
        let names = serde_json::to_string(names)?;
        Ok(Graph::from(self.graph).into_part(&[(ENCODER_KEY, encoder), (CLASSES_KEY, &names)]))
    }
}

/// The SHA-256 of the encoder to which the head in `file` belongs; none for bytes that are not those of a head.
#[must_use]
pub fn encoder_of(file: &[u8]) -> Option<String> {
    let outline = Outline::parse(file);
    outline.metadata(CLASSES_KEY)?;
    outline.metadata(ENCODER_KEY).map(str::to_owned)
}

/// Whether the encoder with that SHA-256 has its head beside it at `path`.
#[must_use]
pub fn has_head(path: &Path, sha256: &str) -> bool {
    let head = files::read(&head::path_beside(path), head::MAX_FILE);
    head.is_ok_and(|head| encoder_of(&head).is_some_and(|of| of == sha256))
}

/// The file of a head for another form of its encoder, the one with that SHA-256.
///
/// # Errors
/// If the bytes are not those of a head.
pub fn for_encoder(head: &[u8], encoder: &str) -> Result<Vec<u8>> {
    let mut model = Model::decode(head)?;
    model.metadata_props.retain(|entry| entry.key != ENCODER_KEY);
    let (key, value) = (ENCODER_KEY.to_owned(), encoder.to_owned());
    model.metadata_props.push(Entry { key, value });
    Ok(model.encode_to_vec())
}

/// The names of the classes of `ImageNet`, in the order of a classifier's outputs.
fn imagenet() -> Vec<String> {
    IMAGENET.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

/// Adds the probabilities as output: `[N, classes]`, those of the graph or the softmax of its scores.
fn with_probabilities(graph: GraphMessage, scores: &str) -> GraphMessage {
    let is_probability = are_probabilities(&graph, scores);
    let mut graph = Graph::from(graph);
    let axis = [Attribute::Int("axis", 1)];
    if is_probability {
        graph.node("Flatten", &[scores], &[OUTPUT], &axis);
    } else {
        graph.node("Flatten", &[scores], &["showtell.scores"], &axis);
        graph.node("Softmax", &["showtell.scores"], &[OUTPUT], &axis);
    }
    graph.output(OUTPUT, ElementType::Float, &[Dimension::Symbolic("N"), Dimension::Symbolic("K")]);
    graph.into()
}

/// Whether a value is one of probabilities: but for its shape, the output of a softmax or a sigmoid.
fn are_probabilities(graph: &GraphMessage, value: &str) -> bool {
    let mut value = value;
    for node in graph.node.iter().rev() {
        if node.output.first().is_none_or(|output| output != value) {
            continue;
        }
        match node.input.first() {
            Some(input) if RESHAPING.contains(&node.op_type.as_str()) => value = input,
            _ => return PROBABILITIES.contains(&node.op_type.as_str()),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imagenet_has_a_name_for_each_class() {
        let names = imagenet();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| !name.trim().is_empty() && name.trim() == name));
        // Places of the list that are known.
        for (at, name) in [(0, "tench"), (207, "golden retriever"), (967, "espresso")] {
            assert_eq!(names[at], name);
        }
    }

    #[test]
    fn probabilities_stay_and_scores_become_probabilities() {
        for (last, operators) in [("Softmax", 1), ("Gemm", 2)] {
            let mut graph = Graph::new("head");
            graph.node(last, &["pooled"], &["flat"], &[]);
            graph.node("Flatten", &["flat"], &["scores"], &[]);
            let graph = with_probabilities(graph.into(), "scores");
            assert_eq!(graph.node.len(), 2 + operators, "{last}");
            assert_eq!(graph.output[0].name, OUTPUT);
        }
    }
}
