//! The head of a classifier, in a file beside the encoder that the classifier became: from the encoder's last block to the
//! probabilities of its classes.
//!
//! The file is an ONNX model without inputs, operator sets and version. Appended to the bytes of its encoder it adds nodes,
//! weights and an output to that network, as messages of protocol buffers are merged by concatenation. The encoder itself
//! stays as it is, and so does its hash.

use std::path::{Path, PathBuf};

use crate::Size;

/// The key in its metadata of the names of the classes, a JSON list.
pub const CLASSES_KEY: &str = "showtell.classes";
/// The key in its metadata of the SHA-256 of its encoder.
pub const ENCODER_KEY: &str = "showtell.encoder";
/// The output that it adds: probabilities, `[N, classes]`.
pub const OUTPUT: &str = "showtell.probabilities";

/// The largest file of a head.
pub const MAX_FILE: Size = Size::mib(256);

/// The path of the head beside the encoder at `encoder`: its whole name with `.head` after it.
#[must_use]
pub fn path_beside(encoder: &Path) -> PathBuf {
    encoder.with_added_extension("head")
}
