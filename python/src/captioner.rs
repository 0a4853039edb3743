//! The captioner. Its arguments are checked in Python.

use std::path::PathBuf;

use clap::ValueEnum;
use models::{CaptionerOptions, Limits, NeighbourChoice, SearchOptions};
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::prelude::*;
use rayon::prelude::*;

use crate::description::Classes;
use crate::errors::of_model;
use crate::image::Image;

/// The networks of `showtell.Captioner`.
#[pyclass(frozen, module = "showtell._showtell")]
pub(crate) struct NativeCaptioner {
    captioner: models::Captioner,
    max_pixels: u64,
}

#[pymethods]
impl NativeCaptioner {
    #[new]
    #[expect(clippy::too_many_arguments, reason = "those of showtell.Captioner")]
    fn new(
        py: Python<'_>,
        runtime: Option<PathBuf>,
        model: PathBuf,
        encoder: Option<PathBuf>,
        device: &str,
        threads: Option<usize>,
        views: Vec<String>,
        index: Option<PathBuf>,
        neighbours: bool,
        exact: bool,
        max_pixels: u64,
    ) -> PyResult<Self> {
        if let Some(library) = runtime {
            models::runtime::choose_library(library);
        }
        let views = views.iter().map(|name| named(name)).collect::<PyResult<Vec<_>>>()?;
        let choice = if neighbours { NeighbourChoice::OfModel } else { NeighbourChoice::Off };
        let options = CaptionerOptions {
            encoder,
            device: named(device)?,
            threads,
            views: (!views.is_empty()).then_some(views),
            neighbours: index.map_or(choice, NeighbourChoice::File),
            tags: true,
            exact,
            limits: Limits { max_pixels, heif: true },
        };
        let opened = py.detach(|| models::Captioner::open(&model, &options));
        Ok(Self { captioner: opened.map_err(of_model)?, max_pixels })
    }

    /// Describes images with their names for messages; each has a description or an exception.
    ///
    /// # Errors
    /// [`ModelError`](crate::errors::ModelError) if a network fails.
    #[expect(clippy::too_many_arguments, reason = "those of showtell.Captioner.caption")]
    fn describe<'py>(
        &self,
        py: Python<'py>,
        images: Vec<(String, Bound<'py, PyAny>)>,
        beam: usize,
        n_best: usize,
        min_length: usize,
        max_length: usize,
        no_repeat_ngram: usize,
        double_words: bool,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let default = SearchOptions::default();
        let lengths = SearchOptions { min_length, max_length, ..default };
        let search = SearchOptions { beam, n_best, no_repeat_ngram, double_words, ..lengths };
        let images = images.into_iter().map(|(name, image)| {
            let image = Image::new(&image, name, self.max_pixels);
            // Not a flaw of the image: Ctrl-C, or the end of the program.
            if image.as_ref().is_err_and(|error| !error.is_instance_of::<PyException>(py)) {
                return Err(image.err().unwrap_or_else(|| PyException::new_err("interrupted")));
            }
            Ok(image)
        });
        let (prepared, found) = self.caption(py, images.collect::<PyResult<_>>()?, &search)?;
        let classes = Classes::import(py)?;
        let mut found = found.iter();
        let in_place = prepared.into_iter().map(|photo| match photo {
            Ok(()) => classes.description(found.next().unwrap_or(&models::Description::default())),
            Err(error) => Ok(error.into_value(py).into_bound(py).into_any()),
        });
        in_place.collect()
    }

    #[getter]
    fn data_licence(&self) -> Option<&str> {
        self.captioner.manifest().data_licence.as_deref()
    }

    #[getter]
    fn device(&self) -> String {
        self.captioner.device().to_string()
    }

    #[getter]
    fn cuda_problem(&self) -> Option<&str> {
        self.captioner.cuda_problem()
    }

    #[getter]
    fn views(&self) -> Vec<&'static str> {
        self.captioner.views().iter().map(|view| view.name()).collect()
    }
}

impl NativeCaptioner {
    /// Captions the images that can be used, without Python's lock; the others keep their errors.
    fn caption(
        &self,
        py: Python<'_>,
        images: Vec<PyResult<Image>>,
        search: &SearchOptions,
    ) -> PyResult<(Vec<PyResult<()>>, Vec<models::Description>)> {
        let found = py.detach(|| {
            let prepare = |image: PyResult<Image>| image?.prepare(&self.captioner);
            let prepared = images.into_par_iter().map(prepare).collect::<Vec<_>>();
            let mut photos = Vec::with_capacity(prepared.len());
            let places = prepared.into_iter().map(|photo| photo.map(|photo| photos.push(photo)));
            let places = places.collect();
            self.captioner.caption_all(&photos, search).map(|found| (places, found.photos))
        });
        found.map_err(of_model)
    }
}

/// The value with a name.
fn named<T: ValueEnum>(name: &str) -> PyResult<T> {
    T::from_str(name, false).map_err(|_| PyValueError::new_err(format!("{name}: unknown")))
}
