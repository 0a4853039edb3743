//! `encoder`: prepares the networks that `extract` runs.

mod options;
mod output;
mod quantize;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use clap::{Args, Parser};
use models::{Preprocess, convert, onnx};
use options::GridOptions;

/// Prepares encoders.
#[derive(Parser)]
#[command(name = "encoder", version)]
enum Cli {
    /// Cut a classifier before its global pool, so that it gives a grid; any number of images.
    /// A network that was cut before is taken as well.
    Adapt(Adapt),
    /// Make an encoder of a classifier's weights in a file that `torch.save` wrote, or a .safetensors file:
    /// a `ResNet` as torchvision and timm have it, or an EfficientNet-Lite.
    Convert(Convert),
    /// Let an encoder multiply 8-bit integers, which is faster and a little less exact. It is watched on
    /// photos of the training split first.
    Quantize(quantize::Quantize),
}

#[derive(Args)]
struct Adapt {
    /// The classifier: an ONNX file with one float input `[N,3,H,W]` that ends in a global pool.
    #[arg(value_name = "FILE")]
    classifier: PathBuf,
    /// The encoder to write.
    #[arg(long, env = "SHOWTELL_OUT", value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    grid: GridOptions,
}

#[derive(Args)]
struct Convert {
    /// The weights: a state dict in a file that `torch.save` wrote (.pth, .pt) or a .safetensors file.
    #[arg(value_name = "WEIGHTS")]
    weights: PathBuf,
    /// The encoder to write.
    #[arg(long, env = "SHOWTELL_OUT", value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    grid: GridOptions,
}

fn main() -> ExitCode {
    let done = match Cli::parse() {
        Cli::Adapt(options) => adapt(&options),
        Cli::Convert(options) => convert(&options),
        Cli::Quantize(options) => quantize::quantize(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn adapt(options: &Adapt) -> anyhow::Result<()> {
    let path = &options.classifier;
    let preprocess = options.grid.preprocess(&Preprocess::imagenet(options.grid.size()))?;
    let classifier = fs::read(path).with_context(|| path.display().to_string())?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let refuse = |problem: String| {
        anyhow!(
            "{}: {problem}\n  An encoder is made from a classifier that ends in a global average pool, such as a ResNet.",
            path.display()
        )
    };
    let encoder = onnx::adapt(&classifier, folder, preprocess, options.grid.blocks());
    output::write(&encoder.map_err(refuse)?, &options.out, path)
}

fn convert(options: &Convert) -> anyhow::Result<()> {
    let path = &options.weights;
    let refuse = |problem: String| {
        anyhow!(
            "{}: {problem}\n  A network that can be exported as ONNX becomes an encoder by `encoder adapt FILE --out FILE`.",
            path.display()
        )
    };
    fs::metadata(path).with_context(|| path.display().to_string())?;
    let (network, usual) = convert::convert(path, options.grid.size()).map_err(refuse)?;
    let preprocess = options.grid.preprocess(&usual)?;
    let encoder = onnx::adapt(&network, Path::new("."), preprocess, options.grid.blocks());
    output::write(&encoder.map_err(refuse)?, &options.out, path)
}
