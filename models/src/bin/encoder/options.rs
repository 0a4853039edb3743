//! What a user may say about the grid of an encoder and the images before it.

use std::str::FromStr;

use anyhow::ensure;
use clap::Args;
use models::Preprocess;
use models::preprocess::Resize;

/// The grid and its images.
#[derive(Args)]
pub(crate) struct GridOptions {
    /// Height and width of the input in pixels, where the classifier leaves them free.
    #[arg(long, default_value_t = 224, value_name = "N",
          value_parser = clap::value_parser!(u32).range(32..=4096))]
    size: u32,
    /// Blocks at the end of the network whose outputs make up a cell, each normalised. One is the plain
    /// output; two were measured to caption better.
    #[arg(long, default_value_t = 1, value_name = "N",
          value_parser = clap::value_parser!(u8).range(1..=16))]
    blocks: u8,
    /// How images are brought to the input size: squash or crop.
    #[arg(long, default_value = "squash", value_name = "HOW")]
    resize: Resize,
    /// What is taken off each channel (red, green, blue) of values from 0 to 1
    /// [default: ImageNet's, 0.485,0.456,0.406; what the network was trained on, if its family is known].
    #[arg(long, value_name = "R,G,B")]
    mean: Option<Channels>,
    /// What each channel is divided by after that [default: 0.229,0.224,0.225, or as above].
    #[arg(long, value_name = "R,G,B")]
    std: Option<Channels>,
}

impl GridOptions {
    /// Height and width of the input.
    pub(crate) fn size(&self) -> [u32; 2] {
        [self.size; 2]
    }

    pub(crate) fn blocks(&self) -> usize {
        self.blocks.into()
    }

    /// How images are brought to the input: as `usual`, but for what the user said.
    pub(crate) fn preprocess(&self, usual: &Preprocess) -> anyhow::Result<Preprocess> {
        let mean = self.mean.map_or(usual.mean, |mean| mean.0);
        let std = self.std.map_or(usual.std, |std| std.0);
        ensure!(std.iter().all(|std| *std > 0.0), "--std must be above zero");
        Ok(Preprocess { resize: self.resize, mean, std, ..usual.clone() })
    }
}

/// A number for each channel: red, green, blue.
#[derive(Clone, Copy)]
struct Channels([f32; 3]);

impl FromStr for Channels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split(',').map(|number| number.trim().parse::<f32>());
        let numbers = numbers.collect::<Result<Vec<_>, _>>().unwrap_or_default();
        let numbers = <[f32; 3]>::try_from(numbers).ok();
        let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
        numbers
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not three numbers, such as 0.5,0.5,0.5"))
    }
}
