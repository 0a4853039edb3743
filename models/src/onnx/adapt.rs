//! From a classifier to a grid encoder: the network is cut where its grid enters the global pool.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs;
use std::path::Path;

use prost::Message as _;

use super::blocks;
use super::paths::{attribute, producers, reaches};
use super::proto::{
    Entry, GraphMessage, Model, Node, Shape, Side, SideValue, Tensor, TensorType, Type, ValueInfo,
};
use crate::Preprocess;
use crate::preprocess::METADATA_KEY;

const FLOAT: i32 = 1;
const INT64: i32 = 7;
/// A tensor whose values lie in another file.
const EXTERNAL: i32 = 1;
const GLOBAL_POOLS: [&str; 3] = ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"];

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
    let mut grid = pooled(&graph, &input).or_else(|problem| cut_before(&graph).ok_or(problem))?;
    preprocess.size = input_size(&graph, &input).unwrap_or(preprocess.size);
    let preprocess = serde_json::to_string(&preprocess).map_err(|error| error.to_string())?;
    if blocks > 1 {
        let opset = model.opset_import.iter().find(|of| of.domain.is_empty());
        let opset = opset.map_or(1, |of| of.version);
        grid = blocks::join(&mut graph, [&input, &grid], blocks, opset)?;
    }
    cut(&mut graph, &grid);
    free_batch(&mut graph, &input);
    graph.initializer.iter_mut().try_for_each(|weight| take_in(weight, folder))?;
    model.graph = Some(graph);
    model.metadata_props.retain(|entry| entry.key != METADATA_KEY);
    model.metadata_props.push(Entry { key: METADATA_KEY.to_owned(), value: preprocess });
    Ok(model.encode_to_vec())
}

/// The output, if it is a grid `[N,C,h,w]` already.
fn cut_before(graph: &GraphMessage) -> Option<String> {
    let [output] = &graph.output[..] else { return None };
    (sides(output)?.len() == 4).then(|| output.name.clone())
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
fn sides(value: &ValueInfo) -> Option<Vec<Option<i64>>> {
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
fn pooled(graph: &GraphMessage, input: &str) -> Result<String, String> {
    let output = graph.output.first().ok_or("it has no output")?;
    let producers = producers(graph);
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([output.name.as_str()]);
    let mut seen = HashSet::new();
    while let Some(value) = waiting.pop_front() {
        let Some(node) = producers.get(value) else { continue };
        found.extend(grid_of_pool(node, graph, &producers).map(|grid| (value, grid)));
        let inputs = node.input.iter().map(String::as_str);
        waiting.extend(inputs.filter(|value| seen.insert(*value)));
    }
    let through = |pool: &str| !reaches(&producers, &output.name, input, pool);
    let grid = found.into_iter().find(|(pool, _)| through(pool)).map(|(_, grid)| grid);
    grid.ok_or_else(|| {
        format!("no global pool lies between its input `{input}` and its output `{}`", output.name)
    })
}

/// The grid that enters a node, channels first, if the node is a global pool.
fn grid_of_pool(
    node: &Node,
    graph: &GraphMessage,
    producers: &HashMap<&str, &Node>,
) -> Option<String> {
    let grid = node.input.first()?;
    if GLOBAL_POOLS.contains(&node.op_type.as_str()) {
        return Some(grid.clone());
    }
    if node.op_type != "ReduceMean" && node.op_type != "ReduceMax" {
        return None;
    }
    let mut axes = attribute(node, "axes")
        .map(|axes| axes.ints.clone())
        .or_else(|| integers(node.input.get(1)?, graph, producers))?;
    for axis in &mut axes {
        *axis = axis.rem_euclid(4);
    }
    axes.sort_unstable();
    match axes[..] {
        [2, 3] => Some(grid.clone()),
        // Channels last, as TensorFlow has them; before the turn they were first.
        [1, 2] => {
            let turn = producers.get(grid.as_str()).filter(|turn| turn.op_type == "Transpose")?;
            let to_last = attribute(turn, "perm").is_some_and(|perm| perm.ints == [0, 2, 3, 1]);
            to_last.then(|| turn.input.first().cloned()).flatten()
        }
        _ => None,
    }
}

/// The values of a constant list of integers.
fn integers(
    name: &str,
    graph: &GraphMessage,
    producers: &HashMap<&str, &Node>,
) -> Option<Vec<i64>> {
    let weight = graph.initializer.iter().find(|weight| weight.name == name).cloned();
    let constant = || {
        let node = producers.get(name).filter(|node| node.op_type == "Constant")?;
        Tensor::decode(&attribute(node, "value")?.t.as_ref()?[..]).ok()
    };
    let tensor = weight.or_else(constant).filter(|tensor| tensor.data_type == INT64)?;
    if !tensor.int64_data.is_empty() {
        return Some(tensor.int64_data);
    }
    let number = |bytes: &[u8]| Some(i64::from_le_bytes(bytes.try_into().ok()?));
    tensor.raw_data.chunks(size_of::<i64>()).map(number).collect()
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

/// Takes the values of a weight into the file, where they lie in another one beside it.
fn take_in(weight: &mut Tensor, folder: &Path) -> Result<(), String> {
    if weight.data_location != EXTERNAL {
        return Ok(());
    }
    let value = |key| weight.external_data.iter().find(|entry| entry.key == key);
    let location = value("location").map(|entry| entry.value.clone()).unwrap_or_default();
    let number = |key| value(key).and_then(|entry| entry.value.parse::<usize>().ok());
    let problem = |problem: String| format!("its weights lie in `{location}`: {problem}");
    // A file that says where its weights are must not lead to other folders.
    if Path::new(&location).file_name() != Some(location.as_ref()) {
        return Err(problem("that is not beside it".to_owned()));
    }
    let bytes = fs::read(folder.join(&location)).map_err(|error| problem(error.to_string()))?;
    let start = number("offset").unwrap_or(0);
    let end = number("length").map_or(Some(bytes.len()), |length| start.checked_add(length));
    let values = end.and_then(|end| bytes.get(start..end));
    weight.raw_data = values.ok_or_else(|| problem("that file is too short".to_owned()))?.to_vec();
    weight.external_data.clear();
    weight.data_location = 0;
    Ok(())
}
