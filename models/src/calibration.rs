//! From an encoder on floats to one on 8-bit integers: it is watched on some photos, which tells the range
//! of each value.

use std::path::{Path, PathBuf};

use image::RgbImage;
use ort::session::Session;
use ort::value::TensorRef;

use crate::encoder::{Encoder, EncoderOptions};
use crate::onnx::integers::Floats;
use crate::onnx::outline::Outline;
use crate::preprocess::METADATA_KEY;
use crate::{DeviceChoice, Error, Preprocess, Result, runtime};

/// The key under which a network on integers names the one it was made of, by the SHA-256 of its file.
pub const MADE_OF: &str = "showtell.quantized_from";

/// An encoder under observation.
#[derive(Debug)]
pub struct Calibration {
    path: PathBuf,
    sha256: String,
    preprocess: Preprocess,
    network: Floats,
    session: Session,
    /// The least and the largest that each watched value has been.
    ranges: Vec<[f32; 2]>,
    images: usize,
}

impl Calibration {
    /// Opens the encoder at `path`, whose convolutions must multiply floats.
    pub fn open(path: &Path) -> Result<Self> {
        let refuse = |problem| Error::Quantize { path: path.to_path_buf(), problem };
        if Outline::read(path)?.on_integers() {
            return Err(refuse("it multiplies integers already".to_owned()));
        }
        let options = EncoderOptions { device: DeviceChoice::Cpu, ..EncoderOptions::default() };
        let encoder = Encoder::open(path, &options)?;
        let (sha256, preprocess) = (encoder.sha256().to_owned(), encoder.preprocess().clone());
        drop(encoder);
        let file = runtime::simplified(path)?;
        let network = Floats::read(&file).map_err(refuse)?;
        let session = runtime::open_bytes(&network.watched()).map_err(Error::onnx(path))?;
        let ranges = vec![[0.0; 2]; network.values().len()];
        Ok(Self {
            path: path.to_path_buf(),
            sha256,
            preprocess,
            network,
            session,
            ranges,
            images: 0,
        })
    }

    /// Runs the encoder on an image and widens the ranges to what its values are.
    pub fn observe(&mut self, image: &RgbImage) -> Result<()> {
        let mut tensor = vec![0.0; self.preprocess.values()];
        self.preprocess.apply(image, &mut tensor)?;
        let failed = Error::run(&format!("the encoder {}", self.path.display()));
        let [height, width] = self.preprocess.size.map(|side| side as usize);
        let input = TensorRef::from_array_view(([1, 3, height, width], &tensor[..]));
        let outputs = self.session.run(ort::inputs![input.map_err(&failed)?]).map_err(&failed)?;
        for (range, (_, output)) in self.ranges.iter_mut().zip(&outputs) {
            let (_, values) = output.try_extract_tensor::<f32>().map_err(&failed)?;
            for value in values {
                *range = [range[0].min(*value), range[1].max(*value)];
            }
        }
        self.images += 1;
        Ok(())
    }

    /// The number of images that it has seen.
    #[must_use]
    pub fn images(&self) -> usize {
        self.images
    }

    /// The encoder on integers, an ONNX file that says which file it was made of.
    pub fn finish(self) -> Result<Vec<u8>> {
        let preprocess =
            serde_json::to_string(&self.preprocess).map_err(Error::onnx(&self.path))?;
        let metadata = [(METADATA_KEY, preprocess.as_str()), (MADE_OF, self.sha256.as_str())];
        Ok(self.network.quantized(&self.ranges, &metadata))
    }
}
