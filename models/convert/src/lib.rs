//! Encoders from the files of classifiers: an ONNX file that is cut before its global pool, or a checkpoint of `PyTorch`
//! whose network is built here. Neither a runtime nor a network connection is needed.

mod adapt;
pub mod catalogue;
mod checkpoint;
mod error;
mod families;
mod head;

use std::path::Path;

pub use adapt::{Adapted, adapt, stated_preprocess};
use common::{Preprocess, Size, files};
pub use error::{Error, Result};
pub use families::convert;
pub use head::{Head, encoder_of, for_encoder, has_head};

/// The largest file of a classifier that is read.
const MAX_FILE: Size = Size::mib(16 << 10);

/// Makes an encoder and a head of the classifier at `path`, an ONNX file if its name ends in `.onnx`, else a checkpoint.
/// `blocks` is the number of blocks at the end of the network whose outputs make up a cell.
///
/// # Errors
/// Those of [`adapt`] and [`convert`]; [`Error::Io`] if the file cannot be read.
pub fn encoder(path: &Path, preprocess: &Preprocess, blocks: usize) -> Result<Adapted> {
    if path.extension().is_some_and(|extension| extension == "onnx") {
        let classifier = files::read(path, MAX_FILE)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        return adapt(&classifier, folder, preprocess.clone(), blocks);
    }
    let (network, _) = convert(path, preprocess.size)?;
    adapt(&network, Path::new("."), preprocess.clone(), blocks)
}
