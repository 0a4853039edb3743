//! `encoder`: prepares the networks that `extract` runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Context as _, anyhow, ensure};
use clap::{Args, Parser};
use models::encoder::EncoderOptions;
use models::preprocess::Resize;
use models::{DeviceChoice, Encoder, Preprocess, onnx};

/// Prepares encoders.
#[derive(Parser)]
#[command(name = "encoder", version)]
enum Cli {
    /// Cut a classifier before its global pool, so that it gives a grid; any number of images.
    /// A network that was cut before is taken as well.
    Adapt(Adapt),
}

#[derive(Args)]
struct Adapt {
    /// The classifier: an ONNX file with one float input `[N,3,H,W]` that ends in a global pool.
    #[arg(value_name = "FILE")]
    classifier: PathBuf,
    /// The encoder to write.
    #[arg(long, env = "SHOWTELL_OUT", value_name = "FILE")]
    out: PathBuf,
    /// Height and width of the input in pixels, where the classifier leaves them free.
    #[arg(long, env = "SHOWTELL_SIZE", default_value_t = 224, value_name = "N",
          value_parser = clap::value_parser!(u32).range(8..=4096))]
    size: u32,
    /// Blocks at the end of the network whose outputs make up a cell, each normalised. One is the plain
    /// output; two were measured to caption better.
    #[arg(long, env = "SHOWTELL_BLOCKS", default_value_t = 1, value_name = "N",
          value_parser = clap::value_parser!(u8).range(1..=16))]
    blocks: u8,
    /// How images are brought to the input size: squash or crop.
    #[arg(long, env = "SHOWTELL_RESIZE", default_value = "squash", value_name = "HOW")]
    resize: Resize,
    /// What is taken off each channel (red, green, blue) of values from 0 to 1.
    #[arg(long, env = "SHOWTELL_MEAN", value_name = "R,G,B", default_value = "0.485,0.456,0.406")]
    mean: Channels,
    /// What each channel is divided by after that.
    #[arg(long, env = "SHOWTELL_STD", value_name = "R,G,B", default_value = "0.229,0.224,0.225")]
    std: Channels,
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

fn main() -> ExitCode {
    let Cli::Adapt(options) = Cli::parse();
    match adapt(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn adapt(options: &Adapt) -> anyhow::Result<()> {
    let preprocess = Preprocess {
        resize: options.resize,
        mean: options.mean.0,
        std: options.std.0,
        ..Preprocess::imagenet([options.size; 2])
    };
    ensure!(preprocess.std.iter().all(|std| *std > 0.0), "--std must be above zero");
    let path = &options.classifier;
    let refuse = |problem: String| {
        anyhow!(
            "{}: {problem}\n  An encoder is made from a classifier that ends in a global average pool, such as a ResNet.",
            path.display()
        )
    };
    let bytes = onnx::adapt(path, preprocess, options.blocks.into()).map_err(refuse)?;
    let out = &options.out;
    let staged = out.with_extension("onnx.new");
    data::files::replace(&staged, &bytes).with_context(|| staged.display().to_string())?;
    let encoder = try_out(&staged)
        .with_context(|| format!("{}: the cut network does not run", path.display()));
    let encoder = encoder.inspect_err(|_| drop(std::fs::remove_file(&staged)))?;
    std::fs::rename(&staged, out).with_context(|| out.display().to_string())?;
    let [height, width, channels] = encoder.grid();
    let json = serde_json::to_string(encoder.preprocess())?;
    println!("{}: {height}×{width} cells of {channels} values, {json}", out.display());
    Ok(())
}

/// Runs the encoder on one image and on two, which must not see each other.
fn try_out(path: &Path) -> anyhow::Result<Encoder> {
    let options = EncoderOptions { device: DeviceChoice::Cpu, ..EncoderOptions::default() };
    let mut encoder = Encoder::open(path, &options)?;
    let values = encoder.preprocess().values();
    let tensors = (0..2 * values).map(|at| (at % 251) as f32 / 125.0 - 1.0).collect::<Vec<_>>();
    let both = encoder.encode(&tensors, 2)?;
    let second = encoder.encode(&tensors[values..], 1)?;
    let largest = second.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-3 * largest;
    ensure!(
        both[second.len()..].iter().zip(&second).all(near),
        "two images at a time give other grids than one; the number of images is fixed inside it"
    );
    Ok(encoder)
}
