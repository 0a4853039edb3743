use std::path::PathBuf;

/// Reasons why an encoder cannot be quantized.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: {reason}\n  Only a float32 encoder, as `encoder adapt` and `encoder convert` make it, can be quantized.",
    path.display()
)]
pub(crate) struct QuantizeError {
    pub(crate) path: PathBuf,
    pub(crate) reason: Reason,
}

/// The reason, without the file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Reason {
    #[error("not an ONNX file")]
    NotOnnx(#[from] prost::DecodeError),
    #[error("it holds no network")]
    NoGraph,
    #[error("it is quantized already")]
    Quantized,
    #[error("it has no convolution")]
    NoConvolution,
    #[error(
        "its operators are of version {found}; quantization needs {needed}, so export it with that"
    )]
    Opset { found: i64, needed: i64 },
}
