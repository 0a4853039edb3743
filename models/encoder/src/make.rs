//! Encoders of classifiers, with the next step in each error.

use std::path::Path;

use anyhow::{Context as _, anyhow};
use common::{Size, files};
use convert::Adapted;
use models::Preprocess;

use crate::options::GridOptions;

/// The largest ONNX file; larger networks have external data.
const MAX_FILE: Size = Size::mib(2 << 10);

/// Cuts a classifier in an ONNX file. Its preprocessing is the one that the file states, or ImageNet's, unless `grid` sets
/// another.
pub(crate) fn from_classifier(path: &Path, grid: &GridOptions) -> anyhow::Result<Adapted> {
    let classifier = files::read(path, MAX_FILE).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let refused = |error: convert::Error| {
        anyhow!(
            "{}: {error}\n  An encoder is made from a classifier that ends in a global average pool, such as a ResNet.",
            path.display()
        )
    };
    let stated = convert::stated_preprocess(&classifier).map_err(refused)?;
    let usual = stated.unwrap_or_else(|| Preprocess::imagenet(grid.size()));
    let preprocess = grid.preprocess(&usual)?;
    convert::adapt(&classifier, folder, preprocess, grid.blocks()).map_err(refused)
}

/// Builds the network of a state dict and cuts it. Its preprocessing is that of its family, unless `grid` sets another.
pub(crate) fn from_weights(path: &Path, grid: &GridOptions) -> anyhow::Result<Adapted> {
    files::open(path).with_context(|| path.display().to_string())?;
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
