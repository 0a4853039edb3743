//! Descriptions of photos as objects of Python.

use models::Style;
use numpy::ToPyArray as _;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The module of the classes.
const DESCRIPTIONS: &str = "showtell._descriptions";

/// The classes of a description and its parts.
pub(crate) struct Classes<'py> {
    description: Bound<'py, PyAny>,
    caption: Bound<'py, PyAny>,
    word: Bound<'py, PyAny>,
    tag: Bound<'py, PyAny>,
}

impl<'py> Classes<'py> {
    /// Imports the classes.
    ///
    /// # Errors
    /// If the package is incomplete.
    pub(crate) fn import(py: Python<'py>) -> PyResult<Self> {
        let module = py.import(DESCRIPTIONS)?;
        Ok(Self {
            description: module.getattr("Description")?,
            caption: module.getattr("Caption")?,
            word: module.getattr("Word")?,
            tag: module.getattr("Tag")?,
        })
    }

    /// Makes the object of a description.
    ///
    /// # Errors
    /// If Python has no memory.
    pub(crate) fn description(&self, found: &models::Description) -> PyResult<Bound<'py, PyAny>> {
        let py = self.description.py();
        let captions = found.captions.iter().map(|caption| self.caption(caption));
        let captions = PyTuple::new(py, captions.collect::<PyResult<Vec<_>>>()?)?;
        let tag = |tag: &models::Tag| self.tag.call1((&tag.name, tag.probability));
        let tags = found.tags.as_ref().map(|tags| {
            let tags = tags.iter().map(tag).collect::<PyResult<Vec<_>>>()?;
            PyTuple::new(py, tags)
        });
        let confidence = found.captions.first().and_then(|best| best.confidence);
        self.description.call1((captions, tags.transpose()?, confidence, found.unfamiliar))
    }

    fn caption(&self, caption: &models::Caption) -> PyResult<Bound<'py, PyAny>> {
        let py = self.caption.py();
        let word = |word: &models::Word| {
            self.word.call1((&word.text, word.probability, word.attention.to_pyarray(py)))
        };
        let words = caption.words.iter().map(word).collect::<PyResult<Vec<_>>>()?;
        self.caption.call1((
            &caption.text,
            caption.sentence(),
            Style::Alt.sentence(caption),
            caption.log_probability,
            caption.score,
            caption.finished,
            PyTuple::new(py, words)?,
        ))
    }
}
