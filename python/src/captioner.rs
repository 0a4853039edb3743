//! The captioner.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::ValueEnum;
use common::View;
use models::{CaptionerOptions, DeviceChoice, Limits, NeighbourChoice, SearchOptions};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};
use rayon::prelude::*;

use crate::description::Description;
use crate::errors::of_model;
use crate::image::Image;

/// The module that finds the parts of the installed package.
const PARTS: &str = "showtell._parts";
/// Number of photos of a list that are in memory at one time.
const BATCH: usize = 8;
/// The largest beam, and the most words of a caption.
const MOST: usize = 100;

/// The process that started the threads of the networks. A process that is forked from it has none of them.
static PROCESS: OnceLock<u32> = OnceLock::new();

/// Refuses to wait for threads that a fork has left behind.
fn check_process() -> PyResult<()> {
    let this = std::process::id();
    if *PROCESS.get_or_init(|| this) == this {
        return Ok(());
    }
    Err(PyRuntimeError::new_err(
        "Captioner: a process was forked after the first one was made, and has none of its threads\n  \
         Make captioners in the workers alone, or start them by multiprocessing.get_context(\"spawn\").",
    ))
}

// The signature that Python shows has the number.
const _: () = assert!(models::decode::MAX_PIXELS == 50_000_000);

/// Captions photos: an encoder, a decoder and a vocabulary that belong together. Threads may share it.
///
/// Args:
///     model: The model folder, as `showtell train` writes it; the model of the package by default.
///     encoder: The encoder, if it is neither in the model folder nor in the folder above it.
///     device: "auto", "cpu" or "cuda".
///     threads: Threads of its own; by default all captioners share one for each core.
///     views: Views of a photo whose word probabilities are averaged, such as ["original", "flip"]; those of the model by
///         default.
///     neighbours: The file of a neighbour index, True for that of the model, False for none.
///     max_pixels: The most pixels of a photo. Decoding takes about 6 bytes for each, and lists are decoded by one thread for
///         each core.
///
/// Raises:
///     ModelError: A part is missing, damaged or of another model, or the device is not available.
#[pyclass(frozen, module = "showtell")]
pub(crate) struct Captioner(models::Captioner);

#[pymethods]
impl Captioner {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    #[pyo3(signature = (model=None, *, encoder=None, device="auto", threads=None, views=None, neighbours=Neighbours::Use(true), max_pixels=models::decode::MAX_PIXELS),
        text_signature = "(model=None, *, encoder=None, device='auto', threads=None, views=None, neighbours=True, max_pixels=50000000)")]
    fn new(
        py: Python<'_>,
        model: Option<PathBuf>,
        encoder: Option<PathBuf>,
        device: &str,
        threads: Option<usize>,
        views: Option<Vec<String>>,
        neighbours: Neighbours,
        max_pixels: u64,
    ) -> PyResult<Self> {
        check_process()?;
        if threads == Some(0) {
            return Err(PyValueError::new_err("threads: 0 is not at least 1"));
        }
        let options = CaptionerOptions {
            encoder,
            device: one_of::<DeviceChoice>("device", device)?,
            threads,
            views: views.map(parse_views).transpose()?,
            neighbours: neighbours.choice(),
            tags: true,
            limits: Limits { max_pixels, heif: true },
        };
        let parts = py.import(PARTS)?;
        if let Some(library) = parts.call_method0("runtime")?.extract::<Option<PathBuf>>()? {
            models::runtime::choose_library(library);
        }
        let folder = model.map_or_else(|| parts.call_method0("model")?.extract(), Ok)?;
        let opened = py.detach(|| models::Captioner::open(&folder, &options));
        Ok(Self(opened.map_err(of_model)?))
    }

    /// Captions an image, or each image of a list.
    ///
    /// An image is a path (`str` or `os.PathLike`), the bytes of a file, a picture of Pillow, or an array of uint8: [H, W, 3]
    /// in RGB, [H, W, 4] with alpha, or [H, W] in grey. Images of a list are read eight at a time.
    ///
    /// Args:
    ///     image: The image, or a list of images.
    ///     beam: Captions kept at each step of the search.
    ///     n_best: Captions for each image, at most `beam`.
    ///     min_length: The fewest words of a caption.
    ///     max_length: The most words of a caption.
    ///     errors: For a list: "raise" ends at the first image that cannot be used, "return" puts its exception in the
    ///         place of its description.
    ///
    /// Raises:
    ///     OSError: A file cannot be read.
    ///     ImageError: An image cannot be used.
    ///     ModelError: A network failed.
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    #[pyo3(signature = (image, *, beam=4, n_best=1, min_length=1, max_length=24, errors="raise"))]
    fn caption<'py>(
        &self,
        image: &Bound<'py, PyAny>,
        beam: usize,
        n_best: usize,
        min_length: usize,
        max_length: usize,
        errors: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        check_process()?;
        let py = image.py();
        let search = search_options([beam, n_best, min_length, max_length])?;
        let returns = returns_errors(errors)?;
        if image.is_instance_of::<PyList>() || image.is_instance_of::<PyTuple>() {
            let images = image.extract::<Vec<_>>()?;
            return Ok(
                PyList::new(py, self.describe_list(py, &images, &search, returns)?)?.into_any()
            );
        }
        let image = Image::new(image, "image".to_owned());
        let described = self.describe(py, vec![image], &search)?;
        let description = described.into_iter().next().transpose()?;
        Ok(description.into_pyobject(py)?.into_any())
    }

    /// The licence of the data that the model was trained on, and what it asks for; None if it is not recorded.
    #[getter]
    fn data_licence(&self) -> Option<&str> {
        self.0.manifest().data_licence.as_deref()
    }

    /// The device of the encoder: "cpu" or "cuda".
    #[getter]
    fn device(&self) -> String {
        self.0.device().to_string()
    }

    fn __repr__(&self) -> String {
        let manifest = self.0.manifest();
        format!("Captioner({} with {})", manifest.record_name(), self.0.encoder_name())
    }
}

impl Captioner {
    /// Describes the images of a list, in batches. With `returns` the exceptions of images stand in their places.
    fn describe_list(
        &self,
        py: Python<'_>,
        images: &[Bound<'_, PyAny>],
        search: &SearchOptions,
        returns: bool,
    ) -> PyResult<Vec<Py<PyAny>>> {
        let mut all = Vec::with_capacity(images.len());
        for images in images.chunks(BATCH) {
            let named = images.iter().zip(all.len()..);
            let batch = named.map(|(image, at)| Image::new(image, format!("image {at}")));
            for described in self.describe(py, batch.collect(), search)? {
                all.push(match described {
                    Ok(description) => Py::new(py, description)?.into_any(),
                    Err(error) if returns => error.into_value(py).into_any(),
                    Err(error) => return Err(error),
                });
            }
            py.check_signals()?;
        }
        Ok(all)
    }

    /// Describes the images of a batch; each has an error of its own.
    ///
    /// # Errors
    /// [`ModelError`](crate::errors::ModelError) if a network fails.
    fn describe(
        &self,
        py: Python<'_>,
        images: Vec<PyResult<Image>>,
        search: &SearchOptions,
    ) -> PyResult<Vec<PyResult<Description>>> {
        let found = py.detach(|| {
            let prepare = |image: PyResult<Image>| image?.prepare(&self.0);
            let mut photos = Vec::with_capacity(images.len());
            let prepared = images.into_par_iter().map(prepare).collect::<Vec<_>>();
            let prepared = prepared.into_iter().map(|photo| photo.map(|photo| photos.push(photo)));
            let prepared = prepared.collect::<Vec<_>>();
            self.0.caption_all(&photos, search).map(|found| (prepared, found.photos))
        });
        let (prepared, described) = found.map_err(of_model)?;
        let mut described = described.into_iter();
        let mut description = |()| Description::new(py, described.next().unwrap_or_default());
        Ok(prepared.into_iter().map(|photo| photo.and_then(&mut description)).collect())
    }
}

/// A neighbour index: that of the model or none, or a file.
#[derive(FromPyObject)]
enum Neighbours {
    #[pyo3(transparent, annotation = "bool")]
    Use(bool),
    #[pyo3(transparent, annotation = "path")]
    File(PathBuf),
}

impl Neighbours {
    fn choice(self) -> NeighbourChoice {
        match self {
            Self::Use(true) => NeighbourChoice::OfModel,
            Self::Use(false) => NeighbourChoice::Off,
            Self::File(path) => NeighbourChoice::File(path),
        }
    }
}

/// The value of a parameter that has one of a few names.
fn one_of<T: ValueEnum>(parameter: &str, name: &str) -> PyResult<T> {
    T::from_str(name, false).map_err(|_| {
        let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names = values.map(|value| format!("{:?}", value.get_name())).collect::<Vec<_>>();
        PyValueError::new_err(format!("{parameter}: {name:?} is not one of {}", names.join(", ")))
    })
}

fn parse_views(names: Vec<String>) -> PyResult<Vec<View>> {
    names.iter().map(|name| one_of("views", name)).collect()
}

/// The options of a search by `[beam, n_best, min_length, max_length]`.
fn search_options(given: [usize; 4]) -> PyResult<SearchOptions> {
    for (parameter, value) in ["beam", "n_best", "min_length", "max_length"].iter().zip(given) {
        if !(1..=MOST).contains(&value) {
            return Err(PyValueError::new_err(format!(
                "{parameter}: {value} is not within 1 and {MOST}"
            )));
        }
    }
    let [beam, n_best, min_length, max_length] = given;
    if n_best > beam {
        return Err(PyValueError::new_err(format!("n_best={n_best} needs beam={n_best} or more")));
    }
    if min_length >= max_length {
        let least = min_length + 1;
        return Err(PyValueError::new_err(format!(
            "min_length={min_length} needs max_length={least} or more"
        )));
    }
    Ok(SearchOptions { beam, n_best, min_length, max_length, ..SearchOptions::default() })
}

/// Whether `errors` says that exceptions are returned.
fn returns_errors(errors: &str) -> PyResult<bool> {
    match errors {
        "raise" => Ok(false),
        "return" => Ok(true),
        other => Err(PyValueError::new_err(format!(
            "errors: {other:?} is not one of \"raise\", \"return\""
        ))),
    }
}
