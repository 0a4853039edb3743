//! Encoders of classifiers, with the next step in each error.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use models::Preprocess;

use crate::options::GridOptions;

/// Cuts a classifier in an ONNX file.
pub(crate) fn from_classifier(path: &Path, grid: &GridOptions) -> anyhow::Result<Vec<u8>> {
    let classifier = fs::read(path).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let preprocess = grid.preprocess(&Preprocess::imagenet(grid.size()))?;
    convert::adapt(&classifier, folder, preprocess, grid.blocks()).map_err(|error| {
        anyhow!(
            "{}: {error}\n  An encoder is made from a classifier that ends in a global average pool, such as a ResNet.",
            path.display()
        )
    })
}

/// Builds the network of a state dict and cuts it. Its preprocessing is that of its family, unless `grid` sets another.
pub(crate) fn from_weights(path: &Path, grid: &GridOptions) -> anyhow::Result<Vec<u8>> {
    fs::metadata(path).with_context(|| path.display().to_string())?;
    let refused = |error: convert::Error| refused(path, &error);
    let (network, usual) = convert::convert(path, grid.size()).map_err(refused)?;
    convert::adapt(&network, Path::new("."), grid.preprocess(&usual)?, grid.blocks())
        .map_err(refused)
}

/// An error that names the file and another way.
pub(crate) fn refused(path: &Path, error: &convert::Error) -> anyhow::Error {
    anyhow!(
        "{}: {error}\n  A network that can be exported as ONNX becomes an encoder by `encoder adapt FILE --out FILE`.",
        path.display()
    )
}
