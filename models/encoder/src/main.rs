//! `encoder`: prepares the networks that `extract` runs.

mod calibration;
mod catalogue;
mod error;
mod fetch;
mod make;
mod options;
mod output;
mod quantization;
mod quantize;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser};
use common::program::ENCODER;
use options::{GridOptions, HeadOptions};

/// Prepares encoders.
#[derive(Parser)]
#[command(name = "encoder", version = common::version!())]
enum Cli {
    /// Make an encoder of the catalogue: fetch its file, check it, adapt or convert it.
    Fetch(fetch::Fetch),
    /// List the catalogue.
    List(fetch::CatalogueOptions),
    /// Cut a classifier before its global pool, so that it outputs a grid for any number of images. A network that ends
    /// in a grid already is accepted as well.
    Adapt(Adapt),
    /// Make an encoder of a classifier's weights in a file that `torch.save` wrote, or a .safetensors file: a `ResNet` as
    /// in torchvision and timm, or an EfficientNet-Lite.
    Convert(Convert),
    /// Quantize an encoder to int8, which is faster and a little less exact (static quantization, calibrated on photos of
    /// the training split).
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
    #[command(flatten)]
    head: HeadOptions,
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
    #[command(flatten)]
    head: HeadOptions,
}

fn main() -> ExitCode {
    ENCODER.with_native(models::runtime::native_versions).run(|cli: Cli| {
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
    let Adapt { classifier, out, grid, head } = options;
    let names = head.names()?;
    let adapted = make::from_classifier(classifier, grid)?;
    output::write_all(adapted, out, classifier, names.as_deref()).map(drop)
}

fn convert(options: &Convert) -> anyhow::Result<()> {
    let Convert { weights, out, grid, head } = options;
    let names = head.names()?;
    let adapted = make::from_weights(weights, grid)?;
    output::write_all(adapted, out, weights, names.as_deref()).map(drop)
}
