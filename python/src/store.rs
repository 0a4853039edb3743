//! Feature stores.

use std::path::PathBuf;

use features::Dtype;
use ndarray::{Array3, Array4, ArrayViewMut3};
use numpy::{PyArray3, PyArray4, ToPyArray as _};
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyString, PyTuple};

use crate::errors::of_store;

/// A feature store open for reading: the grids of each image, by its name. It has the images that it had when it was opened.
/// Threads and forked processes may share it; a pickled copy opens the same path again.
///
/// Args:
///     path: The store, as `showtell extract` writes it.
///
/// Raises:
///     OSError: A file cannot be read.
///     StoreError: A file is not a store, or is damaged.
#[pyclass(frozen, module = "showtell")]
pub(crate) struct FeatureStore {
    store: features::FeatureStore,
    /// The images with grids, sorted.
    #[pyo3(get)]
    names: Py<PyTuple>,
}

#[pymethods]
impl FeatureStore {
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let store = py.detach(|| features::FeatureStore::open(&path)).map_err(of_store)?;
        let names = PyTuple::new(py, store.images().into_iter().map(|(name, _)| name))?.unbind();
        Ok(Self { store, names })
    }

    /// The path of the store.
    #[getter]
    fn path(&self) -> PathBuf {
        self.store.path().to_owned()
    }

    /// The views of each image, such as ["original", "flip"].
    #[getter]
    fn views(&self) -> Vec<&'static str> {
        self.store.provenance().views.iter().map(|view| view.name()).collect()
    }

    /// The shape of a grid: its height and width in cells, and its channels.
    #[getter]
    fn grid(&self) -> (usize, usize, usize) {
        let [height, width, channels] = self.store.grid_shape().into();
        (height, width, channels)
    }

    /// The type of the values in the files, "float16" or "float32". They are read as float32.
    #[getter]
    fn dtype(&self) -> &'static str {
        match self.store.provenance().dtype {
            Dtype::F16 => "float16",
            Dtype::F32 => "float32",
        }
    }

    /// The file name of the encoder.
    #[getter]
    fn encoder(&self) -> &str {
        &self.store.provenance().encoder_name
    }

    /// The SHA-256 of the encoder.
    #[getter]
    fn encoder_sha256(&self) -> &str {
        &self.store.provenance().encoder_sha256
    }

    /// Reads the grids of several images at once: float32 [N, views, cells, channels].
    ///
    /// Raises:
    ///     KeyError: The store has no grids of an image.
    ///     StoreError: Grids are damaged.
    fn read<'py>(&self, names: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyArray4<f32>>> {
        let py = names.py();
        if names.is_instance_of::<PyString>() {
            return Err(PyTypeError::new_err(format!("names: {names:?} is not a list of names")));
        }
        let names = names.extract::<Vec<String>>()?;
        let rows = names.iter().map(|name| self.row(name)).collect::<PyResult<Vec<_>>>()?;
        let [views, cells, channels] = self.shape();
        let grids = py.detach(|| {
            let mut grids = Array4::zeros([rows.len(), views, cells, channels]);
            // By this thread: a process that was forked would wait for the threads of its parent.
            let mut each = grids.outer_iter_mut().zip(rows);
            each.try_for_each(|(grids, row)| self.read_row(row, grids)).map(|()| grids)
        });
        Ok(grids.map_err(of_store)?.to_pyarray(py))
    }

    fn __getitem__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyArray3<f32>>> {
        let row = self.row(name)?;
        let grids = py.detach(|| {
            let mut grids = Array3::zeros(self.shape());
            self.read_row(row, grids.view_mut()).map(|()| grids)
        });
        Ok(grids.map_err(of_store)?.to_pyarray(py))
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        name.extract::<String>().is_ok_and(|name| self.store.find(&name).is_some())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.names.bind(py).try_iter()
    }

    fn __len__(&self) -> usize {
        self.store.complete()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, pyo3::types::PyType>, (PathBuf,)) {
        (slf.get_type(), (slf.get().path(),))
    }

    fn __repr__(&self) -> String {
        let path = self.store.path().display();
        let provenance = self.store.provenance();
        format!(
            "FeatureStore({path}: {} images, {} of {})",
            self.store.complete(),
            provenance.grid,
            provenance.encoder_name
        )
    }
}

impl FeatureStore {
    /// `[views, cells, channels]`.
    fn shape(&self) -> [usize; 3] {
        let grid = self.store.grid_shape();
        [self.store.provenance().views.len(), grid.cells(), grid.channels]
    }

    fn row(&self, name: &str) -> PyResult<usize> {
        self.store.find(name).ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    /// Reads the grids of a row, `[views, cells, channels]`.
    fn read_row(&self, row: usize, mut grids: ArrayViewMut3<f32>) -> features::Result<()> {
        let mut views = grids.outer_iter_mut().enumerate();
        views.try_for_each(|(view, grid)| self.store.read_into(row, view, grid))
    }
}
