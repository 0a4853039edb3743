use std::path::{Path, PathBuf};

use common::{PreprocessError, describe_io};

use crate::ImageError;

/// Failures of the networks and their files. Each error names the file and the next step.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {}", path.display(), describe_io(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// ONNX Runtime is missing or unusable.
    #[error(
        "ONNX Runtime cannot be loaded: {0}\n  \
         Run `make setup`, or set ORT_DYLIB_PATH=/path/to/libonnxruntime.so (version 1.17 or newer)."
    )]
    Runtime(#[from] RuntimeError),
    /// ONNX Runtime refuses a file.
    #[error("{}: ONNX Runtime cannot open it: {source}", path.display())]
    Onnx {
        /// The ONNX file.
        path: PathBuf,
        /// The cause.
        source: ort::Error,
    },
    /// A neighbour index is damaged, or of another format.
    #[error("{}: not a neighbour index: {reason}\n  Make it again: train neighbours --run FOLDER", path.display())]
    Neighbours {
        /// The file.
        path: PathBuf,
        /// The flaw.
        reason: String,
    },
    /// The head beside an encoder is damaged, or belongs to another one.
    #[error(
        "{}: {reason}\n  \
         Make the encoder and its head again (`encoder fetch`, `adapt` or `convert`), or remove the file: there are no tags then.",
        path.display()
    )]
    Head {
        /// The file.
        path: PathBuf,
        /// The flaw.
        reason: String,
    },
    /// The preprocessing in the metadata of an encoder cannot be parsed.
    #[error("{}: metadata `{}`: {source}", path.display(), common::Preprocess::METADATA_KEY)]
    Metadata {
        /// The ONNX file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// No image can become the input of an encoder.
    #[error("{}: {source}", path.display())]
    Preprocess {
        /// The ONNX file.
        path: PathBuf,
        /// The cause.
        source: PreprocessError,
    },
    /// Weights of a network in another file cannot be read.
    #[error(
        "{}: its weights are in `{location}`: {}\n  \
         Put the missing file into the same folder, or make one file of both with `encoder adapt`.",
        path.display(), describe_io(source)
    )]
    ExternalData {
        /// The ONNX file.
        path: PathBuf,
        /// The other file, as the network names it.
        location: String,
        /// The cause.
        source: std::io::Error,
    },
    /// ONNX Runtime failed while it ran a network.
    #[error("{network} failed: {source}")]
    Run {
        /// The network.
        network: String,
        /// The cause.
        source: ort::Error,
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
    /// The grids of a network are in another order than `[N, C, h, w]`.
    #[error(
        "{}: the axes of its grid `[N,{},{},{}]` are in the order [N,h,w,C], channels last\n  \
         Transpose it by `encoder adapt FILE --out FILE`, or end the network in a Transpose with perm [0,3,1,2].",
        path.display(), grid[0], grid[1], grid[2]
    )]
    ChannelsLast {
        /// The ONNX file.
        path: PathBuf,
        /// The sides of the grid after the number of images.
        grid: [usize; 3],
    },
    /// Image tensors are of another shape than the input of an encoder.
    #[error("images are {found:?}, the encoder takes {expected:?}")]
    Images {
        /// Their shape, without the number of images.
        found: [usize; 3],
        /// The shape of the input.
        expected: [usize; 3],
    },
    /// CUDA is required and not available.
    #[error(
        "--device cuda: {problem}\n  Use --device cpu, or `make setup GPU=1` on a machine with an NVIDIA GPU."
    )]
    NoCuda {
        /// The cause.
        problem: String,
    },
    /// A folder has no manifest.
    #[error(
        "{}: not found: no model in this folder\n  Name another one (--model DIR), train one (`make train`), or export it (`train export`).",
        path.display()
    )]
    NoModel {
        /// The expected path of the manifest.
        path: PathBuf,
    },
    /// A manifest cannot be parsed.
    #[error("{}: not a manifest: {source}", path.display())]
    NotAManifest {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A manifest is of another format.
    #[error("{}: the format is `{found}`, not `{expected}`", path.display())]
    Format {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        found: String,
        /// The format that this program reads.
        expected: &'static str,
    },
    /// A file is not the one that a manifest names.
    #[error(
        "{}: belongs to another model: its SHA-256 is {found}, not {expected} as in the manifest",
        path.display()
    )]
    OtherModel {
        /// The file.
        path: PathBuf,
        /// Its SHA-256.
        found: String,
        /// The SHA-256 in the manifest.
        expected: String,
    },
    /// The encoder of a model was not found.
    #[error(
        "{}: its encoder `{name}` is not at {}\n  \
         Name it with --encoder FILE (make: ENCODER=FILE); SHA-256 {sha256}",
        folder.display(), join(paths, " or ")
    )]
    NoEncoder {
        /// The model folder.
        folder: PathBuf,
        /// The file name of the encoder.
        name: String,
        /// The paths that were searched.
        paths: Vec<PathBuf>,
        /// Its SHA-256.
        sha256: String,
    },
    /// An ONNX file lacks an input or output of a decoder.
    #[error("{}: not a decoder: no value `{missing}`", path.display())]
    NotADecoder {
        /// The ONNX file.
        path: PathBuf,
        /// The input or output that is missing.
        missing: String,
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

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { path, source }
    }

    pub(crate) fn onnx(path: &Path) -> impl FnOnce(ort::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Onnx { path, source }
    }

    pub(crate) fn preprocess(path: &Path) -> impl FnOnce(PreprocessError) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Preprocess { path, source }
    }

    pub(crate) fn run(network: String) -> impl Fn(ort::Error) -> Self {
        move |source| Self::Run { network: network.clone(), source }
    }
}

/// Failures to load ONNX Runtime.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RuntimeError {
    /// The library was not found.
    #[error("libonnxruntime.so is in none of {}", join(folders, ", "))]
    NotFound {
        /// The folders that were searched.
        folders: Vec<PathBuf>,
    },
    /// The library cannot be used.
    #[error("{message}")]
    Unusable {
        /// The message of the loader or the library.
        message: String,
    },
}

impl From<ort::Error> for RuntimeError {
    fn from(error: ort::Error) -> Self {
        Self::Unusable { message: error.to_string() }
    }
}

/// Paths in a message.
pub(crate) fn join(paths: &[PathBuf], separator: &str) -> String {
    let paths = paths.iter().map(|path| path.display().to_string());
    paths.collect::<Vec<_>>().join(separator)
}

/// Refuses a part of a model whose SHA-256 is not the expected one.
pub(crate) fn check_sha256(path: &Path, found: &str, expected: &str) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let (path, found, expected) = (path.to_path_buf(), found.to_owned(), expected.to_owned());
    Err(Error::OtherModel { path, found, expected })
}
