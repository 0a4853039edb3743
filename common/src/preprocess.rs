//! The preprocessing that an encoder expects.

use serde::{Deserialize, Serialize};

/// The most pixels that an input may be high or wide.
const MAX_SIDE: i64 = 4096;

/// How an image is brought to the input size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// To the input size in one step; the aspect ratio is not kept.
    Squash,
    /// The shorter side to 256/224 of the input size, then the centre is cropped.
    Crop,
}

/// Everything between a decoded image and an encoder's input: the image upright, its channels in the order red, green,
/// blue, and each value `(pixel/255 − mean) / std`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Preprocess {
    /// Height and width of the input in pixels.
    pub size: [u32; 2],
    /// How the image is brought to that size, bilinear with antialiasing.
    pub resize: Resize,
    /// Mean of each channel.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
}

/// A preprocessing that no image can pass.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PreprocessError {
    /// The input has no pixels, or too many.
    #[error("the input is {height}×{width} pixels: each side must be 1 to {MAX_SIDE}")]
    Size {
        /// Height in pixels.
        height: i64,
        /// Width in pixels.
        width: i64,
    },
    /// Values cannot be normalised.
    #[error("mean {mean:?} and std {std:?}: they must be finite, and std not zero")]
    Values {
        /// Mean of each channel.
        mean: [f32; 3],
        /// Standard deviation of each channel.
        std: [f32; 3],
    },
}

impl Preprocess {
    /// The key under which an encoder's ONNX metadata holds its preprocessing as JSON.
    pub const METADATA_KEY: &str = "showtell.preprocess";

    /// The preprocessing of ImageNet classifiers in their reference training code.
    #[must_use]
    pub fn imagenet(size: [u32; 2]) -> Self {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        Self { size, resize: Resize::Squash, mean, std }
    }

    /// Checks that images can be brought to this.
    ///
    /// # Errors
    /// Each variant of [`PreprocessError`].
    pub fn check(&self) -> Result<(), PreprocessError> {
        Self::check_size(self.size.map(i64::from))?;
        let Self { mean, std, .. } = *self;
        let are_finite = mean.iter().chain(&std).all(|value| value.is_finite());
        let is_usable = are_finite && std.iter().all(|std| *std != 0.0);
        is_usable.then_some(()).ok_or(PreprocessError::Values { mean, std })
    }

    /// Checks the height and width of an input.
    ///
    /// # Errors
    /// [`PreprocessError::Size`].
    pub fn check_size([height, width]: [i64; 2]) -> Result<(), PreprocessError> {
        let is_usable = [height, width].iter().all(|side| (1..=MAX_SIDE).contains(side));
        is_usable.then_some(()).ok_or(PreprocessError::Size { height, width })
    }

    /// Number of values of an image's tensor.
    #[must_use]
    pub fn values(&self) -> usize {
        self.shape().iter().product()
    }

    /// Shape of an image's tensor, `[3, H, W]`.
    #[must_use]
    pub fn shape(&self) -> [usize; 3] {
        let [height, width] = self.size.map(|side| side as usize);
        [3, height, width]
    }
}

/// The form in JSON and TOML, which names what is the same for all encoders.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    size: [u32; 2],
    resize: Resize,
    mean: [f32; 3],
    std: [f32; 3],
    channel_order: ChannelOrder,
    exif_orientation: ExifOrientation,
}

#[derive(Serialize, Deserialize)]
enum ChannelOrder {
    #[serde(rename = "RGB")]
    Rgb,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExifOrientation {
    Applied,
}

impl From<Stored> for Preprocess {
    fn from(Stored { size, resize, mean, std, .. }: Stored) -> Self {
        Self { size, resize, mean, std }
    }
}

impl From<Preprocess> for Stored {
    fn from(Preprocess { size, resize, mean, std }: Preprocess) -> Self {
        let (channel_order, exif_orientation) = (ChannelOrder::Rgb, ExifOrientation::Applied);
        Self { size, resize, mean, std, channel_order, exif_orientation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_back_and_other_orders_are_refused() {
        let preprocess = Preprocess::imagenet([224, 224]);
        let json = serde_json::to_string(&preprocess).unwrap();
        assert_eq!(
            json,
            r#"{"size":[224,224],"resize":"squash","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"channel_order":"RGB","exif_orientation":"applied"}"#
        );
        assert_eq!(serde_json::from_str::<Preprocess>(&json).unwrap(), preprocess);
        assert!(serde_json::from_str::<Preprocess>(&json.replace("RGB", "BGR")).is_err());
        assert!(serde_json::from_str::<Preprocess>(&json.replace("std", "deviation")).is_err());
    }

    #[test]
    fn unusable_values_are_refused() {
        let usable = Preprocess::imagenet([224, 1]);
        assert_eq!(usable.check(), Ok(()));
        let refused = |change: fn(&mut Preprocess)| {
            let mut preprocess = usable.clone();
            change(&mut preprocess);
            preprocess.check().unwrap_err().to_string()
        };
        assert!(refused(|of| of.size[0] = 0).contains("0×1 pixels"));
        assert!(refused(|of| of.size[1] = 5000).contains("224×5000"));
        assert!(refused(|of| of.std[2] = 0.0).contains("std"));
        assert!(refused(|of| of.mean[0] = f32::NAN).contains("NaN"));
    }
}
