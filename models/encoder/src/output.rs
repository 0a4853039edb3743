//! Writing encoders, which are tried before they replace a file.

use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use common::program::{print, warn};
use common::{GridShape, digest, head};
use convert::Adapted;
use models::encoder::EncoderOptions;
use models::{DeviceChoice, Encoder};
use ndarray::{Array4, s};

/// Writes an encoder made from the file `source` and its head. Where the head cannot be written a message says so, or an
/// error if the user gave `names` for its classes.
pub(crate) fn write_all(
    adapted: Adapted,
    out: &Path,
    source: &Path,
    names: Option<&[String]>,
) -> anyhow::Result<Encoder> {
    let Adapted { encoder, head } = adapted;
    let head = match head.map(|head| head.into_file(&digest::of_bytes(&encoder), names)) {
        Some(head) => head.map_err(|error| format!("{error}; name them with --classes FILE")),
        None => Err("the network has no head with a fixed number of classes".to_owned()),
    };
    if let (Some(_), Err(why)) = (names, &head) {
        bail!("--classes: {}: {why}", source.display());
    }
    let encoder = write(&encoder, out, source)?;
    match head {
        Ok(head) => write_head(&head, out)?,
        Err(why) => no_tags(out, &why)?,
    }
    Ok(encoder)
}

/// Writes the head of the encoder at `encoder`, if it runs.
pub(crate) fn write_head(head: &[u8], encoder: &Path) -> anyhow::Result<()> {
    let path = head::path_beside(encoder);
    common::files::replace(&path, head).with_context(|| path.display().to_string())?;
    match check(encoder, true) {
        Ok(_) => Ok(()),
        Err(error) => no_tags(encoder, &format!("its head does not run: {error:#}")),
    }
}

/// Says why an encoder has no head.
fn no_tags(encoder: &Path, why: &str) -> anyhow::Result<()> {
    warn(format_args!("{}: without a head, so there are no tags: {why}", encoder.display()));
    remove_head(encoder)
}

/// Removes the head that an earlier encoder at `encoder` had.
pub(crate) fn remove_head(encoder: &Path) -> anyhow::Result<()> {
    let head = head::path_beside(encoder);
    match std::fs::remove_file(&head) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| head.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Writes the encoder made from the file `source` to `out`, if it runs, and prints its grid. An earlier file at `out` is
/// replaced as a whole: after an error, a kill or a power loss the old or the new one is there.
pub(crate) fn write(encoder: &[u8], out: &Path, source: &Path) -> anyhow::Result<Encoder> {
    let staged = out.with_extension("onnx.new");
    common::files::replace(&staged, encoder).with_context(|| staged.display().to_string())?;
    let encoder = check(&staged, false)
        .with_context(|| format!("{}: the network made from it does not run", source.display()));
    let encoder = encoder.inspect_err(|_| drop(std::fs::remove_file(&staged)))?;
    #[expect(clippy::disallowed_methods, reason = "`replace` synced the content")]
    std::fs::rename(&staged, out).with_context(|| out.display().to_string())?;
    let GridShape { height, width, channels } = encoder.grid();
    let json = serde_json::to_string(encoder.preprocess())?;
    print(format_args!("{}: {height}×{width} cells of {channels} values, {json}", out.display()))?;
    Ok(encoder)
}

/// Opens the encoder, with its head if `classify` is set, and runs it on one image and on two, which must not influence
/// each other.
fn check(path: &Path, classify: bool) -> anyhow::Result<Encoder> {
    let options =
        EncoderOptions { device: DeviceChoice::Cpu, classify, ..EncoderOptions::default() };
    let mut encoder = Encoder::open(path, &options)?;
    let [channels, height, width] = encoder.preprocess().shape();
    let values = (0..2 * channels * height * width).map(|at| (at % 251) as f32 / 125.0 - 1.0);
    let images = Array4::from_shape_vec([2, channels, height, width], values.collect())?;
    let both = encoder.encode_and_classify(images.view())?;
    let second = encoder.encode_and_classify(images.slice(s![1.., .., .., ..]))?;
    let grids = [both.grids.slice(s![1, .., .., ..]), second.grids.slice(s![0, .., .., ..])];
    ensure!(second.grids.iter().all(|value| value.is_finite()), "its grids are not finite");
    ensure!(
        are_near(&grids.map(|grid| grid.iter().copied().collect())),
        "two images in a batch have other grids than one; the number of images is fixed inside it"
    );
    if let (Some(both), Some(second)) = (both.classes, second.classes) {
        let classes = [both.row(1).to_vec(), second.row(0).to_vec()];
        ensure!(are_near(&classes), "two images in a batch have other classes than one");
    }
    Ok(encoder)
}

/// Whether two lists are equal, but for rounding.
fn are_near([a, b]: &[Vec<f32>; 2]) -> bool {
    let largest = b.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-3 * largest)
}
