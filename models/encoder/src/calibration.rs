//! Static quantization of an encoder: activation ranges from some photos, then an int8 network.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use image::RgbImage;
use models::bundle::QUANTIZED_FROM;
use models::encoder::EncoderOptions;
use models::{DeviceChoice, Encoder, Preprocess, preprocess, runtime};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;

use crate::error::{QuantizeError, Reason};
use crate::quantization::{FloatNetwork, Range};

/// Collects the activation ranges of an encoder for static quantization.
#[derive(Debug)]
pub(crate) struct Calibration {
    sha256: String,
    preprocess: Preprocess,
    network: FloatNetwork,
    session: Session,
    /// The range of each activation, in the order of the network's.
    ranges: Vec<Range>,
}

impl Calibration {
    /// Opens the encoder at `path`, which must be one of float32.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let refused = |reason| QuantizeError { path: path.to_path_buf(), reason };
        let options = EncoderOptions { device: DeviceChoice::Cpu, ..EncoderOptions::default() };
        let encoder = Encoder::open(path, &options)?;
        if encoder.is_quantized() {
            return Err(refused(Reason::Quantized).into());
        }
        let (sha256, preprocess) = (encoder.sha256().to_owned(), encoder.preprocess().clone());
        drop(encoder);
        let network = FloatNetwork::parse(&simplified(path)?).map_err(refused)?;
        let session = Session::builder(runtime::environment()?)
            .and_then(|mut builder| builder.commit_from_memory(&network.with_activations()))
            .with_context(|| path.display().to_string())?;
        let ranges = vec![Range::default(); network.activations().len()];
        Ok(Self { sha256, preprocess, network, session, ranges })
    }

    /// Runs the encoder on an image and extends the activation ranges.
    pub(crate) fn add(&mut self, image: &RgbImage) -> anyhow::Result<()> {
        let tensor = preprocess::apply(&self.preprocess, image)?;
        let [channels, height, width] = self.preprocess.shape();
        let values = tensor.as_slice().unwrap_or_default();
        let input = TensorRef::from_array_view(([1, channels, height, width], values))?;
        let outputs = self.session.run(ort::inputs![input])?;
        for (range, (_, output)) in self.ranges.iter_mut().zip(&outputs) {
            let (_, values) = output.try_extract_tensor::<f32>()?;
            for &value in values {
                range.extend(value);
            }
        }
        Ok(())
    }

    /// The quantized encoder, an ONNX file that names its original.
    pub(crate) fn finish(self) -> anyhow::Result<Vec<u8>> {
        let preprocess = serde_json::to_string(&self.preprocess)?;
        let metadata = [
            (Preprocess::METADATA_KEY, preprocess.as_str()),
            (QUANTIZED_FROM, self.sha256.as_str()),
        ];
        Ok(self.network.quantized(&self.ranges, &metadata))
    }
}

/// The ONNX file at `path` after constant folding; batch normalisation is folded into the convolutions before it.
fn simplified(path: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let simple: PathBuf = folder.path().join("simplified.onnx");
    let environment = runtime::environment()?;
    let build = || -> ort::Result<Session> {
        let builder = Session::builder(environment)?
            .with_optimization_level(GraphOptimizationLevel::Level1)?;
        builder.with_optimized_model_path(&simple)?.commit_from_file(path)
    };
    build().with_context(|| path.display().to_string())?;
    fs::read(&simple).with_context(|| simple.display().to_string())
}
