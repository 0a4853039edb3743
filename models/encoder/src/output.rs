//! Writing encoders, which are tried before they replace a file.

use std::path::Path;

use anyhow::{Context as _, ensure};
use common::GridShape;
use common::program::print;
use models::encoder::EncoderOptions;
use models::{DeviceChoice, Encoder};
use ndarray::{Array4, s};

/// Writes the encoder made from the file `source` to `out`, if it runs, and prints its grid. An earlier file at `out` is
/// replaced as a whole: after an error, a kill or a power loss the old or the new one is there.
pub(crate) fn write(encoder: &[u8], out: &Path, source: &Path) -> anyhow::Result<Encoder> {
    let staged = out.with_extension("onnx.new");
    common::files::replace(&staged, encoder).with_context(|| staged.display().to_string())?;
    let encoder = check(&staged)
        .with_context(|| format!("{}: the network made from it does not run", source.display()));
    let encoder = encoder.inspect_err(|_| drop(std::fs::remove_file(&staged)))?;
    #[expect(clippy::disallowed_methods, reason = "`replace` synced the content")]
    std::fs::rename(&staged, out).with_context(|| out.display().to_string())?;
    let GridShape { height, width, channels } = encoder.grid();
    let json = serde_json::to_string(encoder.preprocess())?;
    print(format_args!("{}: {height}×{width} cells of {channels} values, {json}", out.display()))?;
    Ok(encoder)
}

/// Opens the encoder and runs it on one image and on two, which must not influence each other.
fn check(path: &Path) -> anyhow::Result<Encoder> {
    let options = EncoderOptions { device: DeviceChoice::Cpu, ..EncoderOptions::default() };
    let mut encoder = Encoder::open(path, &options)?;
    let [channels, height, width] = encoder.preprocess().shape();
    let values = (0..2 * channels * height * width).map(|at| (at % 251) as f32 / 125.0 - 1.0);
    let images = Array4::from_shape_vec([2, channels, height, width], values.collect())?;
    let both = encoder.encode(images.view())?;
    let second = encoder.encode(images.slice(s![1.., .., .., ..]))?;
    ensure!(second.iter().all(|value| value.is_finite()), "its grids are not finite");
    let largest = second.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-3 * largest;
    ensure!(
        both.slice(s![1.., .., .., ..]).iter().zip(&second).all(near),
        "two images in a batch have other grids than one; the number of images is fixed inside it"
    );
    Ok(encoder)
}
