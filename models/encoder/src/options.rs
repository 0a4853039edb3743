//! Options of the grid of an encoder, of its preprocessing and of its head.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{bail, ensure};
use clap::Args;
use common::text;
use models::Preprocess;
use models::preprocess::Resize;

/// The grid and its images.
#[derive(Args)]
pub(crate) struct GridOptions {
    /// Height and width of the input in pixels, where the classifier does not fix them [default: what the classifier
    /// states, else 224].
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(32..=4096))]
    size: Option<u32>,
    /// Number of blocks at the end of the network whose outputs make up a cell, each normalised. One is the plain output;
    /// captions were measured to be better with two.
    #[arg(long, default_value_t = 1, value_name = "N",
          value_parser = clap::value_parser!(u8).range(1..=16))]
    blocks: u8,
    /// How images are brought to the input size [default: what the classifier states, else squash].
    #[arg(long, value_name = "HOW")]
    resize: Option<Resize>,
    /// The mean of each channel (red, green, blue) of values from 0 to 1 [default: what the classifier states, else that of
    /// the network's family, if it is known, else ImageNet's, 0.485,0.456,0.406].
    #[arg(long, value_name = "R,G,B")]
    mean: Option<Channels>,
    /// The standard deviation of each channel [default: as above, of ImageNet 0.229,0.224,0.225].
    #[arg(long, value_name = "R,G,B")]
    std: Option<Channels>,
}

/// The head.
#[derive(Args)]
pub(crate) struct HeadOptions {
    /// The names of the classifier's classes, one a line in the order of its outputs, which `caption --tags` prints
    /// [default: those of `ImageNet`, if there are 1,000 classes].
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
}

impl HeadOptions {
    /// The names of the classes, if a file has them.
    pub(crate) fn names(&self) -> anyhow::Result<Option<Vec<String>>> {
        let Some(path) = &self.classes else { return Ok(None) };
        let text = text::read(path)?;
        let names = text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
        let is_wrong = |name: &String| name.is_empty() || name.contains(char::is_control);
        if let Some(at) = names.iter().position(is_wrong) {
            bail!(
                "{}: line {} is empty or has control characters\n  Write one name a line.",
                path.display(),
                at + 1
            );
        }
        Ok(Some(names))
    }
}

impl GridOptions {
    /// Height and width of the input, where nothing else states them.
    pub(crate) fn size(&self) -> [u32; 2] {
        [self.size.unwrap_or(224); 2]
    }

    pub(crate) fn blocks(&self) -> usize {
        self.blocks.into()
    }

    /// The preprocessing: `usual` with the changes of the user.
    pub(crate) fn preprocess(&self, usual: &Preprocess) -> anyhow::Result<Preprocess> {
        let mean = self.mean.map_or(usual.mean, |mean| mean.0);
        let std = self.std.map_or(usual.std, |std| std.0);
        ensure!(std.iter().all(|std| *std > 0.0), "--std: must be above zero");
        let size = self.size.map_or(usual.size, |size| [size; 2]);
        let resize = self.resize.unwrap_or(usual.resize);
        Ok(Preprocess { size, resize, mean, std })
    }
}

/// A number for each channel: red, green, blue.
#[derive(Clone, Copy)]
struct Channels([f32; 3]);

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not three numbers, such as 0.5,0.5,0.5")]
struct NotChannels(String);

impl FromStr for Channels {
    type Err = NotChannels;

    fn from_str(text: &str) -> Result<Self, NotChannels> {
        let numbers = text.split(',').map(|number| number.trim().parse::<f32>());
        let numbers = numbers.collect::<Result<Vec<_>, _>>().unwrap_or_default();
        let numbers = <[f32; 3]>::try_from(numbers).ok();
        let numbers = numbers.filter(|numbers| numbers.iter().all(|number| number.is_finite()));
        numbers.map(Self).ok_or_else(|| NotChannels(text.to_owned()))
    }
}
