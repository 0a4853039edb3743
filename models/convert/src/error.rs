use common::{PreprocessError, describe_io};

/// Failures to make an encoder of a classifier. They do not name the file; the caller does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{}", describe_io(.0))]
    Io(#[from] std::io::Error),
    /// The bytes are not an ONNX file.
    #[error("not an ONNX file")]
    NotOnnx(#[from] prost::DecodeError),
    /// The ONNX file has no graph.
    #[error("it holds no network")]
    NoGraph,
    /// The network has several inputs, or none.
    #[error("it has {0} inputs, an image classifier has one")]
    Inputs(usize),
    /// The input is `[N, H, W, 3]`.
    #[error(
        "its input `{0}` is [N,H,W,3]; export it with channels first (tf2onnx: --inputs-as-nchw {0})"
    )]
    ChannelsLast(String),
    /// The input is not an image.
    #[error("its input `{0}` is not a float [N,3,H,W]")]
    Input(String),
    /// The network has no output.
    #[error("it has no output")]
    NoOutput,
    /// The network has no global pool through which everything goes.
    #[error("no global pool is between its input `{input}` and its output `{output}`")]
    NoPool {
        /// Name of the input.
        input: String,
        /// Name of the output.
        output: String,
    },
    /// The network has fewer blocks with grids of the same size.
    #[error("its grid comes from {found} blocks of that size, not {wanted}")]
    Blocks {
        /// Blocks of the network.
        found: usize,
        /// Blocks that are needed.
        wanted: usize,
    },
    /// The input is of an unusable size, or its values are.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// The preprocessing cannot be written as JSON.
    #[error("its preprocessing: {0}")]
    Json(#[from] serde_json::Error),
    /// Weights in another file cannot be read.
    #[error("its weights are in `{location}`: {source}")]
    ExternalData {
        /// The other file, as the network names it.
        location: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A weight in another file does not name it.
    #[error("its weights are in a file that it does not name")]
    NoLocation,
    /// The file is not a checkpoint of `PyTorch`.
    #[error(transparent)]
    Pytorch(#[from] pytorch_reader::PytorchError),
    /// The file is not a `.safetensors` file.
    #[error(transparent)]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// The tensors are those of another network.
    #[error("its tensors are those of no network known here: {known}")]
    UnknownNetwork {
        /// The families that are known, each with a tensor that only it has.
        known: String,
    },
    /// The tensors of a known family do not make up its network.
    #[error("read as {family}: {source}")]
    Family {
        /// Name of the family.
        family: &'static str,
        /// The cause.
        source: Box<Error>,
    },
    /// The checkpoint holds tensors that the network does not have.
    #[error("{family} does not have {count} of its tensors, such as `{first}`")]
    Unexpected {
        /// Name of the family.
        family: &'static str,
        /// Number of such tensors.
        count: usize,
        /// The first by name.
        first: String,
    },
    /// A tensor is missing.
    #[error("it has no tensor `{0}`")]
    MissingTensor(String),
    /// A tensor is of another rank, or empty.
    #[error("its tensor `{name}` is {shape:?}, not of {rank} axes")]
    Rank {
        /// Name of the tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// The rank that is needed.
        rank: usize,
    },
    /// A vector of batch normalisation does not have a value for each channel.
    #[error("its tensor `{name}` is not [{channels}]")]
    Vector {
        /// Name of the tensor.
        name: String,
        /// Channels of the convolution before it.
        channels: usize,
    },
    /// A kernel does not suit its input.
    #[error("its tensor `{name}` is {shape:?}, on {channels} channels")]
    Kernel {
        /// Name of the tensor.
        name: String,
        /// Its shape, `[outputs, inputs, height, width]`.
        shape: Vec<usize>,
        /// Channels of its input.
        channels: usize,
    },
    /// Two values of different shapes were to be added.
    #[error("its `{first}` and `{second}` cannot be added: their shapes differ")]
    Sum {
        /// The first value.
        first: String,
        /// The second value.
        second: String,
    },
    /// The classes of the head are not those of `ImageNet`, and there are no names for them.
    #[error(
        "its head has {0} classes, not the 1,000 of ImageNet: give their names with --classes FILE, one a line"
    )]
    Unnamed(usize),
    /// There is not one name for each class of the head.
    #[error("its head has {classes} classes, the list has {names} names: write one a line")]
    Names {
        /// Number of names.
        names: usize,
        /// Number of classes.
        classes: usize,
    },
    /// An EfficientNet-Lite with more stages than there are strides.
    #[error("it has more than {0} stages")]
    Stages(usize),
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
