use std::path::{Path, PathBuf};

use crate::ImageError;

/// What can go wrong with the networks and their files. Each error names the file and the next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// ONNX Runtime is not there or is not the right one.
    #[error(
        "ONNX Runtime cannot be loaded: {problem}\n  \
         Run `make setup`, or set ORT_DYLIB_PATH=/path/to/libonnxruntime.so (version 1.17 or newer)."
    )]
    Runtime {
        /// What was found.
        problem: String,
    },
    /// ONNX Runtime refuses a file.
    #[error("{}: ONNX Runtime cannot open it: {problem}", path.display())]
    Onnx {
        /// The ONNX file.
        path: PathBuf,
        /// What ONNX Runtime said.
        problem: String,
    },
    /// Weights of a network lie in another file, which is not there or is another one.
    #[error(
        "{}: its weights lie in `{location}`: {problem}\n  \
         Put the file that belongs to it beside it, or make one file of both with `encoder adapt`.",
        path.display()
    )]
    Weights {
        /// The ONNX file.
        path: PathBuf,
        /// The other file, as the network names it.
        location: String,
        /// What is wrong.
        problem: String,
    },
    /// ONNX Runtime failed while it ran a network.
    #[error("{network} failed: {problem}")]
    Run {
        /// Which network.
        network: String,
        /// What ONNX Runtime said.
        problem: String,
    },
    /// An ONNX file has other inputs or outputs than a grid encoder.
    #[error(
        "{}: not a grid encoder\n  found:    {found}\n  \
         expected: one float input [N,3,H,W] and one float output [N,C,h,w]\n  \
         A classifier becomes one by `encoder adapt FILE --out FILE` (make encoder CLASSIFIER=FILE).",
        path.display()
    )]
    NotAnEncoder {
        /// The ONNX file.
        path: PathBuf,
        /// Its inputs and outputs.
        found: String,
    },
    /// A network gives grids in another order than `[N,C,h,w]`.
    #[error(
        "{}: the axes of its grid `[N,{},{},{}]` are in the order [N,h,w,C], channels last\n  \
         Turn it by `encoder adapt FILE --out FILE`, or end the network in a Transpose with perm [0,3,1,2].",
        path.display(), grid[0], grid[1], grid[2]
    )]
    ChannelsLast {
        /// The ONNX file.
        path: PathBuf,
        /// The sides of the grid after the number of images.
        grid: [usize; 3],
    },
    /// An encoder that cannot be brought to integers.
    #[error(
        "{}: {problem}\n  What can multiply integers is an encoder on floats, as `encoder adapt` and `encoder convert` make it.",
        path.display()
    )]
    Quantize {
        /// The ONNX file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// The device that was asked for is not to be had.
    #[error(
        "--device cuda: {problem}\n  Use --device cpu, or `make setup GPU=1` on a machine with an NVIDIA GPU."
    )]
    NoCuda {
        /// What is missing.
        problem: String,
    },
    /// A model folder is incomplete or its parts do not belong together.
    #[error("{}: {problem}", path.display())]
    Bundle {
        /// The file or folder.
        path: PathBuf,
        /// What does not fit, and the next step.
        problem: String,
    },
    /// A file.
    #[error(transparent)]
    File(#[from] common::Error),
    /// The vocabulary cannot be read.
    #[error(transparent)]
    Data(#[from] data::Error),
    /// An image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
}

/// A result of this room.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn onnx<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Onnx { path, problem: error.to_string() }
    }

    pub(crate) fn run(network: &str) -> impl Fn(ort::Error) -> Self + use<> {
        let network = network.to_owned();
        move |error| Self::Run { network: network.clone(), problem: error.to_string() }
    }

    pub(crate) fn bundle(path: &Path, problem: impl Into<String>) -> Self {
        Self::Bundle { path: path.to_path_buf(), problem: problem.into() }
    }
}
