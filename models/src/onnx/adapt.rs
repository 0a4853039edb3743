//! From a classifier to a grid encoder: the network is cut where its grid enters the global pool.

use std::collections::{HashSet, VecDeque};
use std::path::Path;

use prost::Message as _;

use super::blocks;
use super::graph::{Attribute, Graph};
use super::outline::{EXTERNAL, ExternalData};
use super::paths::{producers, reaches};
use super::pools::{Grid, Network};
use super::proto::{
    Entry, GraphMessage, Model, Node, Shape, Side, SideValue, Tensor, TensorType, Type, ValueInfo,
};
use crate::Preprocess;
use crate::preprocess::{METADATA_KEY, check_sides};

const FLOAT: i32 = 1;

/// Cuts a classifier, the bytes of an ONNX file in `folder`, before the global pool it ends in: gives an ONNX file whose one
/// output is the tensor that entered the pool, with a free number of images, whose weights are all
/// in the file, and which carries `preprocess` as metadata, with the size of the classifier's input
/// where the file fixes it. A network that was cut before is taken as it is. With more than one of
/// its `blocks`, the output has the last of them side by side, each normalised.
///
/// The error says why there is no such place.
pub fn adapt(
    classifier: &[u8],
    folder: &Path,
    mut preprocess: Preprocess,
    blocks: usize,
) -> Result<Vec<u8>, String> {
    let mut model = Model::decode(classifier).map_err(|_| "it is no ONNX file".to_owned())?;
    let mut graph = model.graph.take().ok_or("it holds no network")?;
    let input = image_input(&graph)?;
    let sides = graph.input.iter().find(|value| value.name == input).and_then(sides);
    if let Some([_, _, height, width]) = sides.as_deref() {
        check_sides([height, width].map(|side| side.filter(|side| *side >= 0).unwrap_or(1)))?;
    }
    take_in_all(&mut graph, folder)?;
    let grid = pooled(&graph, &input).or_else(|problem| cut_before(&graph).ok_or(problem))?;
    let mut grid = channels_first(&mut graph, grid);
    preprocess.size = input_size(&graph, &input).unwrap_or(preprocess.size);
    preprocess.check()?;
    let preprocess = serde_json::to_string(&preprocess).map_err(|error| error.to_string())?;
    if blocks > 1 {
        let opset = model.opset_import.iter().find(|of| of.domain.is_empty());
        let opset = opset.map_or(1, |of| of.version);
        grid = blocks::join(&mut graph, [&input, &grid], blocks, opset)?;
    }
    cut(&mut graph, &grid);
    free_batch(&mut graph, &input);
    model.graph = Some(graph);
    model.metadata_props.retain(|entry| entry.key != METADATA_KEY);
    model.metadata_props.push(Entry { key: METADATA_KEY.to_owned(), value: preprocess });
    Ok(model.encode_to_vec())
}

/// The output, if it is a grid already.
fn cut_before(graph: &GraphMessage) -> Option<Grid> {
    let [output] = &graph.output[..] else { return None };
    let network = Network { graph, producers: producers(graph) };
    (sides(output)?.len() == 4).then(|| network.with_order(&output.name))
}

/// The name of the grid `[N,C,h,w]`, which is turned to that order if it has another.
fn channels_first(graph: &mut GraphMessage, grid: Grid) -> String {
    let turned = match grid {
        Grid::ChannelsFirst(name) => return name,
        Grid::ChannelsLast(name) => name,
    };
    let mut longer = Graph::from(std::mem::take(graph));
    let order = [Attribute::Ints("perm", &[0, 3, 1, 2])];
    longer.node("Transpose", &[&turned], &["showtell.turned"], &order);
    *graph = longer.into();
    "showtell.turned".to_owned()
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

/// The name of the input `[N,3,H,W]`.
fn image_input(graph: &GraphMessage) -> Result<String, String> {
    let weights = graph.initializer.iter().map(|weight| weight.name.as_str());
    let weights = weights.collect::<HashSet<_>>();
    let inputs = graph.input.iter().filter(|input| !weights.contains(input.name.as_str()));
    let inputs = inputs.collect::<Vec<_>>();
    let [input] = inputs[..] else {
        return Err(format!("it has {} inputs, an image classifier has one", inputs.len()));
    };
    let sides = sides(input);
    match sides.as_deref() {
        Some([_, Some(3), _, _]) => Ok(input.name.clone()),
        Some([_, _, _, Some(3)]) => Err(format!(
            "its input `{}` is [N,H,W,3]; export it with channels first (tf2onnx: --inputs-as-nchw {})",
            input.name, input.name
        )),
        _ => Err(format!("its input `{}` is no float [N,3,H,W]", input.name)),
    }
}

/// The sides of a float tensor's shape, `None` where they are free.
pub(super) fn sides(value: &ValueInfo) -> Option<Vec<Option<i64>>> {
    let tensor = value.r#type.as_ref()?.tensor_type.as_ref()?;
    let side = |side: &Side| match side.value {
        Some(SideValue::Fixed(length)) => Some(length),
        _ => None,
    };
    let shape = tensor.shape.as_ref()?;
    (tensor.elem_type == FLOAT).then(|| shape.dim.iter().map(side).collect())
}

/// The tensor that enters the global pool through which everything on the way from `input` to the
/// first output goes. Pools inside the network (squeeze and excitation) can be passed by.
fn pooled(graph: &GraphMessage, input: &str) -> Result<Grid, String> {
    let output = graph.output.first().ok_or("it has no output")?;
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
    grid.ok_or_else(|| {
        format!("no global pool lies between its input `{input}` and its output `{}`", output.name)
    })
}

/// Keeps what `grid` depends on and makes it the output.
fn cut(graph: &mut GraphMessage, grid: &str) {
    let mut needed = HashSet::from([grid.to_owned()]);
    // Nodes stand in the order in which they run, so the reverse meets each user before its source.
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
    // These shapes hold the old number of images; the runtime infers them anew.
    graph.value_info.clear();
}

/// The values that a node uses, those that its inner graphs take from outside included.
fn needed_by(node: &Node, needed: &mut HashSet<String>) {
    needed.extend(node.input.iter().cloned());
    for attribute in &node.attribute {
        for inner in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
            inner.node.iter().for_each(|node| needed_by(node, needed));
            needed.extend(inner.output.iter().map(|output| output.name.clone()));
        }
    }
}

/// Makes the first side of the input free.
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

/// Takes the values of the weights of a graph into the file, those of inner graphs and of nodes as well.
fn take_in_all(graph: &mut GraphMessage, folder: &Path) -> Result<(), String> {
    graph.initializer.iter_mut().try_for_each(|weight| take_in(weight, folder))?;
    for attribute in graph.node.iter_mut().flat_map(|node| &mut node.attribute) {
        if let Some(bytes) = &mut attribute.t {
            let mut tensor = Tensor::decode(&bytes[..]).map_err(|error| error.to_string())?;
            if tensor.data_location == EXTERNAL {
                take_in(&mut tensor, folder)?;
                *bytes = tensor.encode_to_vec();
            }
        }
        let inner = attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs);
        inner.into_iter().try_for_each(|graph| take_in_all(graph, folder))?;
    }
    Ok(())
}

/// Takes the values of a weight into the file, where they lie in another one beside it.
fn take_in(weight: &mut Tensor, folder: &Path) -> Result<(), String> {
    if weight.data_location != EXTERNAL {
        return Ok(());
    }
    let part = ExternalData::read(&weight.external_data).ok_or("its weights lie nowhere")?;
    weight.raw_data = part
        .read_from(folder)
        .map_err(|error| format!("its weights lie in `{}`: {error}", part.location))?;
    weight.external_data.clear();
    weight.data_location = 0;
    Ok(())
}
