//! Exceptions of Python for the errors of the crates.

use std::io;
use std::path::Path;

use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyOSError};

create_exception!(showtell, Error, PyException, "An error of showtell; the others derive from it.");
create_exception!(showtell, ImageError, Error, "An image cannot be used.");
create_exception!(
    showtell,
    ModelError,
    Error,
    "A model, its encoder or ONNX Runtime cannot be used."
);
create_exception!(showtell, StoreError, Error, "A feature store cannot be used.");
create_exception!(showtell, DataError, Error, "Captions cannot be scored.");

/// The exception of a file that cannot be read: `FileNotFoundError` and others, with the number, the text and the file.
pub(crate) fn of_file(path: &Path, error: &io::Error) -> PyErr {
    match error.raw_os_error() {
        Some(number) => {
            // As Python says it: "No such file or directory".
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default().to_owned();
            PyOSError::new_err((number, text, path.as_os_str().to_owned()))
        }
        None => PyOSError::new_err(format!("{}: {error}", path.display())),
    }
}

/// The exception of an image, whose name begins the message.
pub(crate) fn of_image(name: &str, error: &models::ImageError) -> PyErr {
    ImageError::new_err(match error {
        models::ImageError::TooLarge { width, height, max_pixels } => format!(
            "{name}: {width}×{height} pixels are more than max_pixels={max_pixels}\n  Give Captioner a larger max_pixels."
        ),
        error => format!("{name}: {error}"),
    })
}

/// The exception of a captioner. Messages name parameters of Python instead of flags.
pub(crate) fn of_model(error: models::Error) -> PyErr {
    ModelError::new_err(match error {
        models::Error::Io { path, source } => return of_file(&path, &source),
        models::Error::NoModel { path } => {
            format!(
                "{}: not found: no model in this folder\n  Name another one: Captioner(model=FOLDER)",
                path.display()
            )
        }
        models::Error::NoEncoder { folder, name, paths, sha256 } => {
            let paths = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
            format!(
                "{}: its encoder `{name}` is not at {}\n  Name it: Captioner(encoder=FILE); SHA-256 {sha256}",
                folder.display(),
                paths.join(" or ")
            )
        }
        models::Error::NoCuda { problem } => format!(
            "device=\"cuda\": {problem}\n  Use device=\"cpu\", or install onnxruntime-gpu in place of onnxruntime."
        ),
        models::Error::Runtime(problem) => match std::env::var("ORT_DYLIB_PATH") {
            Ok(path) => format!(
                "ORT_DYLIB_PATH={path}: ONNX Runtime cannot be loaded: {problem}\n  Unset the variable, and start Python again."
            ),
            Err(_) => format!(
                "ONNX Runtime cannot be loaded: {problem}\n  Install it: pip install 'onnxruntime>=1.19'"
            ),
        },
        error => error.to_string(),
    })
}

/// The exception of a feature store.
pub(crate) fn of_store(error: features::Error) -> PyErr {
    match error {
        features::Error::Io { path, source } => of_file(&path, &source),
        features::Error::Missing { path } => {
            of_file(&path, &io::Error::from_raw_os_error(NOT_FOUND))
        }
        error => StoreError::new_err(error.to_string()),
    }
}

/// `ENOENT`.
const NOT_FOUND: i32 = 2;

/// The exception of captions.
pub(crate) fn of_data(error: data::Error) -> PyErr {
    DataError::new_err(error.to_string())
}
