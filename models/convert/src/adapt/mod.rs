//! From a classifier to a grid encoder: the network is cut where its grid enters the global pool.

mod blocks;
mod constants;
mod paths;
mod pools;

use std::collections::{HashSet, VecDeque};
use std::path::Path;

use common::Preprocess;
use onnx::messages::{
    Entry, GraphMessage, Model, Node, Shape, Side, SideValue, Tensor, TensorType, Type, ValueInfo,
};
use onnx::{Attribute, Graph};
use outline::{EXTERNAL, ExternalData, Outline};
use prost::Message as _;

use self::paths::{producers, reaches};
use self::pools::{Grid, Network};
use crate::{Error, Head, Result};

const FLOAT: i32 = 1;
/// The name of a grid whose channels were brought to the front.
const CHANNELS_FIRST: &str = "showtell.turned";

/// An encoder, the bytes of an ONNX file, and the head of the classifier that it was made of, if it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct Adapted {
    /// The network up to the grid.
    pub encoder: Vec<u8>,
    /// The network from the grid on.
    pub head: Option<Head>,
}

/// Cuts a classifier, the bytes of an ONNX file in `folder`, before the global pool it ends in.
///
/// The encoder is an ONNX file whose one output is the tensor that entered the pool, `[N, C, h, w]` with N free. It holds
/// all weights, and `preprocess` as metadata, with the size of the classifier's input where the file fixes that. A
/// network that ends in a grid already is not cut. With more than one of its `blocks`, the output has the last of them
/// side by side, each normalised.
///
/// # Errors
/// If the file is not an image classifier, has no global pool or too few blocks, or if its weights cannot be read.
pub fn adapt(
    classifier: &[u8],
    folder: &Path,
    mut preprocess: Preprocess,
    blocks: usize,
) -> Result<Adapted> {
    let mut model = Model::decode(classifier)?;
    let mut graph = model.graph.take().ok_or(Error::NoGraph)?;
    let input = image_input(&graph)?;
    let sides = graph.input.iter().find(|value| value.name == input).and_then(sides);
    if let Some([_, _, height, width]) = sides.as_deref() {
        let sides = [height, width].map(|side| side.filter(|side| *side >= 0).unwrap_or(1));
        Preprocess::check_size(sides)?;
    }
    embed_all(&mut graph, folder)?;
    let grid = pooled(&graph, &input).or_else(|problem| cut_before(&graph).ok_or(problem))?;
    let head = Head::of(&graph, grid.name());
    let mut grid = channels_first(&mut graph, grid);
    preprocess.size = input_size(&graph, &input).unwrap_or(preprocess.size);
    preprocess.check()?;
    let preprocess = serde_json::to_string(&preprocess)?;
    if blocks > 1 {
        let opset = model.opset_import.iter().find(|of| of.domain.is_empty());
        let opset = opset.map_or(1, |of| of.version);
        grid = blocks::Blocks { input: &input, grid: &grid, opset }.join(&mut graph, blocks)?;
    }
    cut(&mut graph, &grid);
    free_batch(&mut graph, &input);
    let head = head.map(|head| head.beside(&graph));
    model.graph = Some(graph);
    model.metadata_props.retain(|entry| entry.key != Preprocess::METADATA_KEY);
    model
        .metadata_props
        .push(Entry { key: Preprocess::METADATA_KEY.to_owned(), value: preprocess });
    Ok(Adapted { encoder: model.encode_to_vec(), head })
}

/// The preprocessing that the bytes of an ONNX file state as metadata, such as those of an encoder.
///
/// # Errors
/// [`Error::Json`] if it cannot be understood.
pub fn stated_preprocess(network: &[u8]) -> Result<Option<Preprocess>> {
    let outline = Outline::parse(network);
    let stated = outline.metadata(Preprocess::METADATA_KEY);
    Ok(stated.map(serde_json::from_str).transpose()?)
}

/// The output, if it is a grid.
fn cut_before(graph: &GraphMessage) -> Option<Grid> {
    let [output] = &graph.output[..] else { return None };
    let network = Network { graph, producers: producers(graph) };
    (sides(output)?.len() == 4).then(|| network.with_order(&output.name))
}

/// The name of the grid in the order `[N, C, h, w]`, to which it is transposed if it has another.
fn channels_first(graph: &mut GraphMessage, grid: Grid) -> String {
    let channels_last = match grid {
        Grid::ChannelsFirst(name) => return name,
        Grid::ChannelsLast(name) => name,
    };
    let mut longer = Graph::from(std::mem::take(graph));
    let order = [Attribute::Ints("perm", &[0, 3, 1, 2])];
    longer.node("Transpose", &[&channels_last], &[CHANNELS_FIRST], &order);
    *graph = longer.into();
    CHANNELS_FIRST.to_owned()
}

/// Height and width of the input, where the file fixes them.
fn input_size(graph: &GraphMessage, input: &str) -> Option<[u32; 2]> {
    let input = graph.input.iter().find(|value| value.name == input)?;
    match sides(input)?[..] {
        [_, _, Some(height), Some(width)] => {
            Some([u32::try_from(height).ok()?, u32::try_from(width).ok()?])
        }
        _ => None,
    }
}

/// The name of the input `[N, 3, H, W]`.
fn image_input(graph: &GraphMessage) -> Result<String> {
    let weights = graph.initializer.iter().map(|weight| weight.name.as_str());
    let weights = weights.collect::<HashSet<_>>();
    let inputs = graph.input.iter().filter(|input| !weights.contains(input.name.as_str()));
    let inputs = inputs.collect::<Vec<_>>();
    let [input] = inputs[..] else {
        return Err(Error::Inputs(inputs.len()));
    };
    let sides = sides(input);
    match sides.as_deref() {
        Some([_, Some(3), _, _]) => Ok(input.name.clone()),
        Some([_, _, _, Some(3)]) => Err(Error::ChannelsLast(input.name.clone())),
        _ => Err(Error::Input(input.name.clone())),
    }
}

/// The shape of a float tensor, `None` where a side is free.
pub(crate) fn sides(value: &ValueInfo) -> Option<Vec<Option<i64>>> {
    let tensor = value.r#type.as_ref()?.tensor_type.as_ref()?;
    let side = |side: &Side| match side.value {
        Some(SideValue::Fixed(length)) => Some(length),
        _ => None,
    };
    let shape = tensor.shape.as_ref()?;
    (tensor.elem_type == FLOAT).then(|| shape.dim.iter().map(side).collect())
}

/// The tensor that enters the global pool through which every path from `input` to the first output goes. Pools inside
/// the network (squeeze and excitation) have a path around them.
fn pooled(graph: &GraphMessage, input: &str) -> Result<Grid> {
    let output = graph.output.first().ok_or(Error::NoOutput)?;
    let network = Network { graph, producers: producers(graph) };
    let producers = &network.producers;
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([output.name.as_str()]);
    let mut seen = HashSet::new();
    while let Some(value) = waiting.pop_front() {
        let Some(node) = producers.get(value) else { continue };
        found.extend(network.pooled_by(node).map(|grid| (value, grid)));
        let inputs = node.input.iter().map(String::as_str);
        waiting.extend(inputs.filter(|value| seen.insert(*value)));
    }
    let through = |pool: &str| !reaches(producers, &output.name, input, pool);
    let grid = found.into_iter().find(|(pool, _)| through(pool)).map(|(_, grid)| grid);
    let no_pool = || Error::NoPool { input: input.to_owned(), output: output.name.clone() };
    grid.ok_or_else(no_pool)
}

/// Removes all nodes on which `grid` does not depend, and makes it the output.
fn cut(graph: &mut GraphMessage, grid: &str) {
    let mut needed = HashSet::from([grid.to_owned()]);
    // Nodes are stored in the order in which they run, so in reverse each user comes before its source.
    let mut kept = Vec::new();
    for node in std::mem::take(&mut graph.node).into_iter().rev() {
        if node.output.iter().any(|output| needed.contains(output)) {
            needed_by(&node, &mut needed);
            kept.push(node);
        }
    }
    kept.reverse();
    graph.node = kept;
    graph.initializer.retain(|weight| needed.contains(&weight.name));
    graph.input.retain(|input| needed.contains(&input.name));
    let known = graph.value_info.iter().find(|value| value.name == grid).and_then(sides);
    let known = known.unwrap_or_default();
    let side = |(at, name): (usize, &str)| match known.get(at) {
        Some(Some(length)) if at > 0 => fixed(*length),
        _ => symbolic(name),
    };
    let names = ["N", "channels", "height", "width"];
    let shape = Shape { dim: names.into_iter().enumerate().map(side).collect() };
    let tensor = TensorType { elem_type: FLOAT, shape: Some(shape) };
    let r#type = Type { tensor_type: Some(tensor), ..Type::default() };
    let name = grid.to_owned();
    graph.output = vec![ValueInfo { name, r#type: Some(r#type), ..ValueInfo::default() }];
    // These shapes hold the old number of images; the runtime infers them again.
    graph.value_info.clear();
}

/// Adds the values that a node uses, those that its nested graphs use included.
pub(crate) fn needed_by(node: &Node, needed: &mut HashSet<String>) {
    needed.extend(node.input.iter().cloned());
    for attribute in &node.attribute {
        for inner in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
            inner.node.iter().for_each(|node| needed_by(node, needed));
            needed.extend(inner.output.iter().map(|output| output.name.clone()));
        }
    }
}

/// Makes the number of images free.
fn free_batch(graph: &mut GraphMessage, input: &str) {
    let input = graph.input.iter_mut().find(|value| value.name == input);
    let tensor = input.and_then(|input| input.r#type.as_mut()?.tensor_type.as_mut());
    let shape = tensor.and_then(|tensor| tensor.shape.as_mut());
    if let Some(batch) = shape.and_then(|shape| shape.dim.first_mut()) {
        *batch = symbolic("N");
    }
}

fn fixed(length: i64) -> Side {
    Side { value: Some(SideValue::Fixed(length)), ..Side::default() }
}

fn symbolic(name: &str) -> Side {
    Side { value: Some(SideValue::Symbolic(name.to_owned())), ..Side::default() }
}

/// Embeds the external data of a graph, of its nested graphs and of its nodes.
fn embed_all(graph: &mut GraphMessage, folder: &Path) -> Result<()> {
    graph.initializer.iter_mut().try_for_each(|weight| embed(weight, folder))?;
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        if let Some(bytes) = &mut attribute.t {
            let mut tensor = Tensor::decode(&bytes[..])?;
            if tensor.data_location == EXTERNAL {
                embed(&mut tensor, folder)?;
                *bytes = tensor.encode_to_vec();
            }
        }
        let inner = attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs);
        inner.into_iter().try_for_each(|graph| embed_all(graph, folder))?;
    }
    Ok(())
}

/// Embeds the values of a weight where they are in another file in `folder`.
fn embed(weight: &mut Tensor, folder: &Path) -> Result<()> {
    if weight.data_location != EXTERNAL {
        return Ok(());
    }
    let entries = weight.external_data.iter();
    let entries = entries.map(|entry| (entry.key.as_str(), entry.value.as_str()));
    let part = ExternalData::from_entries(entries).ok_or(Error::NoLocation)?;
    let values = part.read(folder);
    let location = part.location;
    weight.raw_data = values.map_err(|source| Error::ExternalData { location, source })?;
    weight.external_data.clear();
    weight.data_location = 0;
    Ok(())
}

#[cfg(test)]
mod tests {
    use onnx::{Dimension, ElementType};

    use super::*;

    #[test]
    fn inputs_that_no_image_becomes_are_refused() {
        let classifier = |side: usize| {
            let mut graph = Graph::new("pooled");
            let side = Dimension::Fixed(side);
            let shape = [Dimension::Symbolic("N"), Dimension::Fixed(3), side, side];
            graph.input("image", ElementType::Float, &shape);
            graph.node("GlobalAveragePool", &["image"], &["scores"], &[]);
            graph.output("scores", ElementType::Float, &shape);
            graph.into_bytes(&[])
        };
        let usual = Preprocess::imagenet([8, 8]);
        let adapted = |side, preprocess| adapt(&classifier(side), Path::new(""), preprocess, 1);
        assert!(adapted(8, usual.clone()).is_ok());
        let refused = adapted(5000, usual.clone()).unwrap_err().to_string();
        assert!(refused.contains("5000×5000"), "{refused}");
        let refused = adapted(8, Preprocess { std: [0.0; 3], ..usual }).unwrap_err();
        assert!(matches!(refused, Error::Preprocess(_)), "{refused}");
    }
}
