//! Encoders of classifiers.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use models::{Preprocess, convert, onnx};

use crate::options::GridOptions;

/// Cuts a classifier in an ONNX file.
pub(crate) fn of_classifier(
    path: &Path,
    preprocess: &Preprocess,
    blocks: usize,
) -> anyhow::Result<Vec<u8>> {
    let classifier = fs::read(path).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    onnx::adapt(&classifier, folder, preprocess.clone(), blocks).map_err(|problem| {
        anyhow!(
            "{}: {problem}\n  An encoder is made from a classifier that ends in a global average pool, such as a ResNet.",
            path.display()
        )
    })
}

/// Builds the network of a state dict, and cuts it. The images before it are as its family was trained,
/// but for what `grid` says.
pub(crate) fn of_weights(path: &Path, grid: &GridOptions) -> anyhow::Result<Vec<u8>> {
    let (network, usual) = network(path, grid.size())?;
    cut(path, &network, grid.preprocess(&usual)?, grid.blocks())
}

/// An encoder of either, told by the end of the file's name, for images as `preprocess` says.
pub(crate) fn of_file(
    path: &Path,
    preprocess: &Preprocess,
    blocks: usize,
) -> anyhow::Result<Vec<u8>> {
    if path.extension().is_some_and(|extension| extension == "onnx") {
        return of_classifier(path, preprocess, blocks);
    }
    let (network, _) = network(path, preprocess.size)?;
    cut(path, &network, preprocess.clone(), blocks)
}

/// The network of a state dict, as an ONNX file, and the images it was trained on.
fn network(path: &Path, size: [u32; 2]) -> anyhow::Result<(Vec<u8>, Preprocess)> {
    fs::metadata(path).with_context(|| path.display().to_string())?;
    convert::convert(path, size).map_err(|problem| no_encoder(path, &problem))
}

fn cut(
    path: &Path,
    network: &[u8],
    preprocess: Preprocess,
    blocks: usize,
) -> anyhow::Result<Vec<u8>> {
    onnx::adapt(network, Path::new("."), preprocess, blocks)
        .map_err(|problem| no_encoder(path, &problem))
}

fn no_encoder(path: &Path, problem: &str) -> anyhow::Error {
    anyhow!(
        "{}: {problem}\n  A network that can be exported as ONNX becomes an encoder by `encoder adapt FILE --out FILE`.",
        path.display()
    )
}
