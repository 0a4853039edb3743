//! `encoder quantize`: int8 encoders.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Args;
use common::{Size, digest, files, head};
use data::Captions;
use data::splits::{Split, Splits, folder_of};
use models::decode::MAX_PIXELS;
use models::{Limits, identity};

use crate::calibration::Calibration;
use crate::output;

/// The largest file of a photo.
const MAX_PHOTO: Size = Size::mib(1 << 10);

#[derive(Args)]
pub(crate) struct Quantize {
    /// The encoder of float32, from `adapt` or `convert`.
    #[arg(value_name = "FILE")]
    encoder: PathBuf,
    /// The encoder to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The folder of the photos.
    #[arg(long, default_value = "data/Images", value_name = "DIR")]
    images: PathBuf,
    /// The captions file, which names the photos of the training split.
    #[arg(long, default_value = "data/captions.txt", value_name = "FILE")]
    captions: PathBuf,
    /// Number of photos of the training split for calibration.
    #[arg(long, default_value_t = 64, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..))]
    count: u16,
    /// Maximum number of pixels of a photo.
    #[arg(long, default_value_t = MAX_PIXELS, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    max_pixels: u64,
}

/// Calibrates the encoder on photos and writes its quantized form.
pub(crate) fn quantize(options: &Quantize) -> anyhow::Result<()> {
    let photos = training_photos(&options.captions, options.count.into())?;
    let limits = Limits { max_pixels: options.max_pixels, ..Limits::default() };
    let mut calibration = Calibration::open(&options.encoder)?;
    for photo in &photos {
        let path = options.images.join(photo);
        let bytes = files::read(&path, MAX_PHOTO).with_context(|| path.display().to_string())?;
        let image = models::decode(&bytes, &limits).with_context(|| path.display().to_string())?;
        calibration.add(&image).with_context(|| path.display().to_string())?;
    }
    let quantized = calibration.finish()?;
    let head = head_for(&options.encoder, &digest::of_bytes(&quantized));
    let head = head.as_deref().map_err(String::as_str);
    output::write(&quantized, head, &options.out, &options.encoder).map(drop)
}

/// The head of the encoder at `encoder` for its quantized form, or the reason why there is none.
fn head_for(encoder: &Path, quantized: &str) -> Result<Vec<u8>, String> {
    let path = head::path_beside(encoder);
    let of = identity::identify(encoder).map_err(|error| error.to_string())?;
    if !convert::has_head(encoder, &of) {
        return Err(format!("{} is not there, or belongs to another encoder", path.display()));
    }
    let bytes = files::read(&path, head::MAX_FILE).map_err(|error| error.to_string())?;
    convert::for_encoder(&bytes, quantized).map_err(|error| error.to_string())
}

/// The names of `count` photos of the training split, evenly spaced.
fn training_photos(captions: &Path, count: usize) -> anyhow::Result<Vec<String>> {
    let splits = Splits::find(&folder_of(captions))?;
    let read = Captions::read(captions)?;
    let names = read.iter().map(|of| of.image.as_str());
    let names =
        names.filter(|name| splits.split_of(name) == Some(Split::Train)).collect::<Vec<_>>();
    ensure!(!names.is_empty(), "{}: no photo of the training split", captions.display());
    let count = count.min(names.len());
    Ok((0..count).map(|at| names[at * names.len() / count].to_owned()).collect())
}
