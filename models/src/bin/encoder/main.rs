//! `encoder`: prepares the networks that `extract` runs.

mod catalogue;
mod fetch;
mod make;
mod options;
mod output;
mod quantize;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use data::program::ENCODER;
use models::Preprocess;
use options::GridOptions;

/// Prepares encoders.
#[derive(Parser)]
#[command(name = "encoder", version = data::version!())]
enum Cli {
    /// Make an encoder of the catalogue: fetch the file that it is made of, check it, adapt or convert it.
    Fetch(fetch::Fetch),
    /// List the catalogue.
    List(fetch::CatalogueOptions),
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
    #[arg(long, value_name = "FILE")]
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
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    grid: GridOptions,
}

fn main() -> ExitCode {
    ENCODER.run(|cli: Cli| {
        match cli {
            Cli::Fetch(options) => fetch::fetch(&options),
            Cli::List(options) => fetch::list(&options),
            Cli::Adapt(options) => adapt(&options),
            Cli::Convert(options) => convert(&options),
            Cli::Quantize(options) => quantize::quantize(&options),
        }?;
        Ok(ExitCode::SUCCESS)
    })
}

fn adapt(options: &Adapt) -> anyhow::Result<()> {
    let (path, grid) = (&options.classifier, &options.grid);
    let preprocess = grid.preprocess(&Preprocess::imagenet(grid.size()))?;
    let encoder = make::of_classifier(path, &preprocess, grid.blocks())?;
    output::write(&encoder, &options.out, path).map(drop)
}

fn convert(options: &Convert) -> anyhow::Result<()> {
    let encoder = make::of_weights(&options.weights, &options.grid)?;
    output::write(&encoder, &options.out, &options.weights).map(drop)
}
