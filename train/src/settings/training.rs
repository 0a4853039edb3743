//! `[training]`: how a network is trained.

use common::View;
use serde::{Deserialize, Serialize};
use tch::Device;

use super::Limit::{Above, AtLeast, Between};
use crate::{Error, Result};

/// The largest seed: TOML has no larger integer.
const MAX_SEED: u64 = i64::MAX as u64;

settings! {
    /// How a network is trained.
    #[command(next_help_heading = "Hyperparameters (defaults: of the recipe, see config.toml of the run)")]
    pub struct Training {
        /// Random seed [default: 1].
        #[arg(long, value_name = "N")]
        seed: u64 = 1, Between(0, MAX_SEED);
        /// Maximum number of epochs.
        #[arg(long, value_name = "N")]
        epochs: usize = 20, AtLeast(1);
        /// Batch size in images; each comes with all its captions.
        #[arg(long, value_name = "N")]
        batch: usize = 16, Between(1, 4096);
        /// Number of images that are shuffled together. A larger data set is read in blocks of neighbouring rows, so
        /// that a disk keeps up.
        // All of Flickr8k; two windows are in memory at once, 1.6 GB each with ResNet50's grids.
        #[arg(long, value_name = "N")]
        window: usize = 8192, AtLeast(1);
        /// Peak learning rate.
        #[arg(long, value_name = "X")]
        learning_rate: f64 = 5e-4, Above(0.0);
        /// Number of steps in which the learning rate rises linearly to its peak.
        #[arg(long, value_name = "N")]
        warm_up: usize = 0;
        /// Factor of the learning rate per epoch.
        #[arg(long, value_name = "X")]
        decay: f64 = 1.0, Above(0.0);
        /// Weight decay: the share of each weight, times the learning rate, that a step takes off.
        #[arg(long, value_name = "X")]
        weight_decay: f64 = 0.0, AtLeast(0.0);
        /// Maximum norm of the gradient; a larger one is scaled down.
        #[arg(long, value_name = "X")]
        clip: f64 = 5.0, Above(0.0);
        /// Decay of the EMA of the weights that captions are generated with; 0 is off.
        #[arg(long, value_name = "X")]
        averaging: f64 = 0.0, Between(0.0, 1.0);
        /// Consensus weighting of captions by their CIDEr-D against the others of their image: 0 is uniform, 1 is
        /// proportional.
        #[arg(long, value_name = "X")]
        consensus: f64 = 0.0, Between(0.0, 1.0);
        /// Number of captions without photos in each step, with --text.
        #[arg(long, value_name = "N")]
        text_batch: usize = 40, Between(1, 65_536);
        /// Weight of captions without photos against those with photos, with --text.
        #[arg(long, value_name = "X")]
        text_weight: f64 = 0.3, Between(0.0, 100.0);
        /// Views of the store, separated by commas; each epoch shows an image in one of them [default: all of the
        /// store; for show-attend-tell the original alone].
        #[arg(long, value_name = "LIST", value_delimiter = ',')]
        views: Vec<View> = vec![View::Original];
        /// Words that are wrong in a mirrored image: its captions with one of them are skipped.
        #[arg(skip)]
        side_words: Vec<String> = ["left", "right"].map(str::to_owned).to_vec();
        /// Early stopping: maximum number of epochs without a higher dev CIDEr, or the same and a lower dev loss.
        #[arg(long, value_name = "N")]
        patience: usize = 4, AtLeast(1);
        /// Number format of matrix products while training [default: bf16 where that is faster, on a GPU, with AMX
        /// or AMD's AVX-512-BF16, else f32].
        #[arg(long, value_enum, value_name = "FORMAT")]
        precision: Precision = Precision::for_device(Device::Cpu);
        /// Regularization.
        #[command(flatten)]
        regularization: Regularization = Regularization::default();
    }
}

settings! {
    /// Regularization: `[training.regularization]`.
    #[derive(Copy)]
    pub struct Regularization {
        /// Dropout of embedded words, cells and outputs.
        #[arg(long, value_name = "X")]
        dropout: f64 = 0.0, Between(0.0, 1.0);
        /// Dropout of the encoder's channels, in all cells of an image alike (adaptive).
        #[arg(long, value_name = "X")]
        channel_dropout: f64 = 0.0, Between(0.0, 1.0);
        /// Label smoothing: the share of the probability that is spread over all words.
        #[arg(long, value_name = "X")]
        label_smoothing: f64 = 0.0, Between(0.0, 1.0);
        /// Weight λ of doubly stochastic attention (show-attend-tell; arXiv 1502.03044, section 4.2.1).
        #[arg(long, value_name = "X")]
        doubly_stochastic: f64 = 0.0, AtLeast(0.0);
    }
}

/// The number format of matrix products while training. Weights, sums and everything else are 32-bit floats with both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// bfloat16 factors; faster where the processor or the GPU has instructions for them.
    Bf16,
}

impl Precision {
    /// The faster format on a device: bfloat16 on a GPU, whose tensor cores multiply it since Ampere.
    #[must_use]
    pub fn for_device(device: Device) -> Self {
        if device.is_cuda() { Self::Bf16 } else { Self::for_this_processor() }
    }

    /// The faster format on this processor: bfloat16 with AMX, and with AMD's AVX-512-BF16, where it was measured to be
    /// 1.4 times as fast; else 32-bit floats: on Intel's with AVX-512 alone bfloat16 took 1.7 times as long.
    fn for_this_processor() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let cpu = raw_cpuid::CpuId::new();
            let is_amd =
                cpu.get_vendor_info().is_some_and(|vendor| vendor.as_str() == "AuthenticAMD");
            let features = cpu.get_extended_feature_info();
            if features.is_some_and(|has| has.has_amx_bf16() || (is_amd && has.has_avx512_bf16())) {
                return Self::Bf16;
            }
        }
        Self::F32
    }
}

impl Training {
    /// Refuses settings that no network can be trained with.
    pub(crate) fn check(&self) -> Result<()> {
        self.check_limits()?;
        self.regularization.check_limits()?;
        // A larger decay would turn the sign of weights.
        Between(0.0, 1.0 / self.learning_rate).check("--weight-decay", self.weight_decay)?;
        if self.views.is_empty() {
            let (name, value) = ("--views".to_owned(), "empty".to_owned());
            return Err(Error::Setting { name, value, limit: "one view or more".to_owned() });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_decides_on_the_precision() {
        assert_eq!(Precision::for_device(Device::Cuda(0)), Precision::Bf16);
        let of_processor = Precision::for_device(Device::Cpu);
        assert_eq!(Training::default().precision, of_processor);
    }
}
