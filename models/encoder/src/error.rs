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

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn every_reason_is_shown() {
        let reasons = [
            Reason::NotOnnx(<()>::decode(&[0xFF][..]).unwrap_err()),
            Reason::NoGraph,
            Reason::Quantized,
            Reason::NoConvolution,
            Reason::Opset { found: 11, needed: 13 },
        ];
        let _ = ::tests::messages(include_str!("error.rs"), "Reason", &reasons);
        let path = || PathBuf::from("models/encoder.onnx");
        let errors = reasons.map(|reason| QuantizeError { path: path(), reason }.to_string());
        insta::assert_snapshot!(errors.join("\n\n"));
    }
}
