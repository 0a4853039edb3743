//! The native part of the Python package `showtell`: captions, feature stores and scores.
//!
//! This is the one crate where the runtime of `models` and the store of `features` meet for Python. What needs neither is
//! written in Python, in the folder `package`.

#![expect(
    clippy::doc_link_with_quotes,
    clippy::doc_markdown,
    reason = "what callers in Python see is documented in the form of Python"
)]

mod captioner;
mod description;
mod errors;
mod image;
mod scores;
mod store;

/// Native part of `showtell`; use the names of that package.
#[pyo3::pymodule]
mod _showtell {
    use pyo3::types::{PyModule, PyModuleMethods as _};
    use pyo3::{Bound, PyResult};

    #[pymodule_export]
    use crate::captioner::NativeCaptioner;
    #[pymodule_export]
    use crate::errors::{DataError, Error, ImageError, ModelError, StoreError};
    #[pymodule_export]
    use crate::scores::{score, tokenize};
    #[pymodule_export]
    use crate::store::FeatureStore;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
