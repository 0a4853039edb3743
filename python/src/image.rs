//! Images as callers give them: paths, bytes of a file, pixels.

use std::path::{Path, PathBuf};
use std::{fs, io};

use image::RgbImage;
use numpy::{PyReadonlyArray3, PyUntypedArrayMethods as _};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString};

use crate::errors::{ImageError, of_file, of_image, of_model};

/// The module that converts images of other packages.
const PICTURES: &str = "showtell._pictures";

/// The most bytes of a file for each pixel that an image may have; those of a pixel in the largest format.
const BYTES_PER_PIXEL: u64 = 16;
/// The size up to which a file is read whatever its pixels: a small image may have much metadata.
const ALWAYS_READ: u64 = 64 << 20;

/// An image of the caller, with a name for messages.
pub(crate) struct Image {
    name: String,
    source: Source,
    max_pixels: u64,
}

enum Source {
    File(PathBuf),
    Bytes(Vec<u8>),
    Pixels(RgbImage),
}

impl Image {
    /// Takes an image: a `str` or `os.PathLike`, the bytes of a file, an open file, a picture of Pillow or an array. `name` is for
    /// messages, where the image is not a file.
    ///
    /// # Errors
    /// `TypeError` for anything else, and [`ImageError`] for an array of another shape.
    pub(crate) fn new(image: &Bound<'_, PyAny>, name: String, max_pixels: u64) -> PyResult<Self> {
        if image.is_instance_of::<PyString>() || image.hasattr("__fspath__")? {
            let path = image.extract::<PathBuf>()?;
            return Ok(Self {
                name: path.display().to_string(),
                source: Source::File(path),
                max_pixels,
            });
        }
        let is_bytes = image.is_instance_of::<PyBytes>()
            || image.is_instance_of::<PyByteArray>()
            || image.is_instance_of::<PyMemoryView>();
        let source = if is_bytes {
            Source::Bytes(bytes_of(image)?)
        } else if image.hasattr("read")? {
            Source::Bytes(image.call_method0("read")?.extract()?)
        } else {
            let pixels =
                image.py().import(PICTURES)?.call_method1("rgb", (image, &name, max_pixels))?;
            Source::Pixels(pixels_of(&pixels.extract()?, &name)?)
        };
        Ok(Self { name, source, max_pixels })
    }

    /// Reads a file, which must be a regular one of a size that fits the most pixels of an image.
    fn read(&self, path: &Path) -> PyResult<Vec<u8>> {
        let io = |error: io::Error| of_file(path, &error);
        let metadata = fs::metadata(path).map_err(io)?;
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(self.refused("not a regular file\n  Give its bytes instead."));
        }
        if metadata.len() > self.max_pixels.saturating_mul(BYTES_PER_PIXEL).max(ALWAYS_READ) {
            let (bytes, most) = (metadata.len(), self.max_pixels);
            return Err(self.refused(&format!(
                "{bytes} bytes are more than {BYTES_PER_PIXEL} for each of max_pixels={most}\n  Give Captioner a larger max_pixels."
            )));
        }
        fs::read(path).map_err(io)
    }

    fn refused(&self, why: &str) -> PyErr {
        ImageError::new_err(format!("{}: {why}", self.name))
    }

    /// Prepares it for the encoder.
    ///
    /// # Errors
    /// `OSError` if its file cannot be read, [`ImageError`] if it cannot be used.
    pub(crate) fn prepare(
        &self,
        captioner: &models::Captioner,
    ) -> PyResult<models::captioner::Prepared> {
        let prepared = match &self.source {
            Source::File(path) => captioner.prepare(&self.read(path)?),
            Source::Bytes(bytes) => captioner.prepare(bytes),
            Source::Pixels(pixels) => captioner.prepare_pixels(pixels),
        };
        prepared.map_err(|error| match error {
            models::Error::Image(error) => of_image(&self.name, &error),
            error => of_model(error),
        })
    }
}

fn bytes_of(image: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    match image.cast::<PyMemoryView>() {
        Ok(view) => view.call_method0("tobytes")?.extract(),
        Err(_) => image.extract(),
    }
}

/// The image of an array `[H, W, 3]`.
fn pixels_of(array: &PyReadonlyArray3<'_, u8>, name: &str) -> PyResult<RgbImage> {
    let &[height, width, _] = array.shape() else { return Err(too_large(name)) };
    let sides = u32::try_from(width).ok().zip(u32::try_from(height).ok());
    let (width, height) = sides.ok_or_else(|| too_large(name))?;
    let pixels = array.as_array().iter().copied().collect();
    RgbImage::from_raw(width, height, pixels).ok_or_else(|| too_large(name))
}

fn too_large(name: &str) -> PyErr {
    ImageError::new_err(format!("{name}: the array is too large for an image"))
}
