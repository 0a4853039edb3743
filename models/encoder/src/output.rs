//! Writing encoders, which are tried before they replace a file.

use std::path::{Path, PathBuf};
use std::{fs, io, process};

use anyhow::{Context as _, bail, ensure};
use common::program::{print, warn};
use common::{GridShape, digest, files, head};
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
        Some(head) => head.map_err(|error| error.to_string()),
        None => Err("the network ends in a grid, or in an unknown number of classes".to_owned()),
    };
    if let (Some(_), Err(why)) = (names, &head) {
        bail!("--classes: {}: {why}", source.display());
    }
    write(&encoder, head.as_deref().map_err(String::as_str), out, source)
}

/// Writes the encoder made from the file `source` to `out`, if it runs, and its head beside it, if that runs too; `head` is
/// the reason where it has none. Prints the encoder's grid. Earlier files at `out` are replaced as a whole: after an error,
/// a kill or a power loss the old or the new encoder is there, never with the head of the other.
pub(crate) fn write(
    encoder: &[u8],
    head: Result<&[u8], &str>,
    out: &Path,
    source: &Path,
) -> anyhow::Result<Encoder> {
    let staged = Staged::new(out);
    files::replace(&staged.encoder, encoder)
        .with_context(|| staged.encoder.display().to_string())?;
    let made = check(&staged.encoder, false)
        .with_context(|| format!("{}: the network made from it does not run", source.display()))?;
    let head = head.map_err(str::to_owned).and_then(|head| {
        let written = files::replace(&staged.head(), head).map_err(anyhow::Error::from);
        let checked = written.and_then(|()| check(&staged.encoder, true));
        checked.map(drop).map_err(|error| format!("its head does not run: {error:#}"))
    });
    let kept = keep_own_head(out, made.sha256())?;
    staged.rename(out, head.is_ok()).with_context(|| out.display().to_string())?;
    let GridShape { height, width, channels } = made.grid();
    let json = serde_json::to_string(made.preprocess())?;
    print(format_args!("{}: {height}×{width} cells of {channels} values, {json}", out.display()))?;
    match head {
        Ok(()) => {
            let head = head::path_beside(out);
            print(format_args!("{}: the classes of its classifier, for tags", head.display()))?;
        }
        Err(_) if kept => {}
        Err(why) => warn(format_args!("{}: has no head, so no tags: {why}", out.display())),
    }
    Ok(made)
}

/// Removes the head beside `encoder` if it belongs to an encoder with another SHA-256 than this one, the new one's; returns
/// whether it belongs to this one. Other files stay.
fn keep_own_head(encoder: &Path, sha256: &str) -> anyhow::Result<bool> {
    let path = head::path_beside(encoder);
    let found = files::read(&path, head::MAX_FILE).ok();
    let belongs_to = found.as_deref().and_then(convert::encoder_of);
    let is_own = belongs_to.as_deref() == Some(sha256);
    if belongs_to.is_some() && !is_own {
        fs::remove_file(&path).with_context(|| path.display().to_string())?;
    }
    Ok(is_own)
}

/// The files of an encoder and its head until both were checked, with names of this process alone. They are removed at the
/// end if they are still there.
struct Staged {
    encoder: PathBuf,
}

impl Staged {
    fn new(out: &Path) -> Self {
        Self { encoder: out.with_added_extension(format!("{}.new", process::id())) }
    }

    fn head(&self) -> PathBuf {
        head::path_beside(&self.encoder)
    }

    #[expect(clippy::disallowed_methods, reason = "`replace` synced the content")]
    fn rename(&self, out: &Path, with_head: bool) -> io::Result<()> {
        fs::rename(&self.encoder, out)?;
        if with_head { fs::rename(self.head(), head::path_beside(out)) } else { Ok(()) }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for path in [self.head(), self.encoder.clone()] {
            let _ = fs::remove_file(path);
        }
    }
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
