//! Encoders are tried before they take their place.

use std::path::Path;

use anyhow::{Context as _, ensure};
use data::program::print;
use models::encoder::EncoderOptions;
use models::{DeviceChoice, Encoder};

/// Puts the encoder made from the file `source` at `out`, if it runs, and says what it is. What lay at
/// `out` before stays whole until then.
pub(crate) fn write(encoder: &[u8], out: &Path, source: &Path) -> anyhow::Result<Encoder> {
    let staged = out.with_extension("onnx.new");
    data::files::replace(&staged, encoder).with_context(|| staged.display().to_string())?;
    let encoder = try_out(&staged)
        .with_context(|| format!("{}: the network made from it does not run", source.display()));
    let encoder = encoder.inspect_err(|_| drop(std::fs::remove_file(&staged)))?;
    std::fs::rename(&staged, out).with_context(|| out.display().to_string())?;
    let [height, width, channels] = encoder.grid();
    let json = serde_json::to_string(encoder.preprocess())?;
    print(format_args!("{}: {height}×{width} cells of {channels} values, {json}", out.display()))?;
    Ok(encoder)
}

/// Runs the encoder on one image and on two, which must not see each other.
fn try_out(path: &Path) -> anyhow::Result<Encoder> {
    let options = EncoderOptions { device: DeviceChoice::Cpu, ..EncoderOptions::default() };
    let mut encoder = Encoder::open(path, &options)?;
    let values = encoder.preprocess().values();
    let tensors = (0..2 * values).map(|at| (at % 251) as f32 / 125.0 - 1.0).collect::<Vec<_>>();
    let both = encoder.encode(&tensors, 2)?;
    let second = encoder.encode(&tensors[values..], 1)?;
    ensure!(second.iter().all(|value| value.is_finite()), "its grids are not finite");
    let largest = second.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-3 * largest;
    ensure!(
        both[second.len()..].iter().zip(&second).all(near),
        "two images at a time give other grids than one; the number of images is fixed inside it"
    );
    Ok(encoder)
}
