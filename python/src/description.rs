//! Results: the description of a photo, its captions and their words.

use models::Style;
use numpy::{PyArray2, ToPyArray as _};
use pyo3::prelude::*;

/// What the model says of a photo.
#[pyclass(frozen, module = "showtell")]
pub(crate) struct Description {
    /// The captions, the best first; never empty.
    #[pyo3(get)]
    captions: Vec<Py<Caption>>,
    /// The probable classes by the classifier that the encoder was made of; None if it has none.
    #[pyo3(get)]
    tags: Option<Vec<Py<Tag>>>,
    /// Whether the photo is unlike the training images, so that the caption has little to go by.
    #[pyo3(get)]
    unfamiliar: bool,
    best: models::Caption,
}

impl Description {
    pub(crate) fn new(py: Python<'_>, description: models::Description) -> PyResult<Self> {
        let best = description.captions.first().cloned().unwrap_or_default();
        let captions =
            description.captions.into_iter().map(|caption| Py::new(py, Caption(caption)));
        let tag =
            |tag: models::Tag| Py::new(py, Tag { name: tag.name, probability: tag.probability });
        let tags = description.tags.map(|tags| tags.into_iter().map(tag).collect()).transpose()?;
        Ok(Self {
            captions: captions.collect::<PyResult<_>>()?,
            tags,
            unfamiliar: description.unfamiliar,
            best,
        })
    }
}

#[pymethods]
impl Description {
    /// The best caption: its words, joined by spaces.
    #[getter]
    fn text(&self) -> &str {
        &self.best.text
    }

    /// The best caption as a sentence: with a capital letter and a full stop.
    #[getter]
    fn sentence(&self) -> String {
        self.best.sentence()
    }

    /// The best caption as an alt text: at most 125 characters, neutral words for people, and no "photo of".
    #[getter]
    fn alt_text(&self) -> String {
        Style::Alt.sentence(&self.best)
    }

    /// The calibrated probability that the best caption is right; None for settings that the model was not calibrated for.
    #[getter]
    fn confidence(&self) -> Option<f32> {
        self.best.confidence
    }

    fn __str__(&self) -> &str {
        &self.best.text
    }

    fn __repr__(&self) -> String {
        let confidence = self.best.confidence.map(|of| format!(", confidence={of:.2}"));
        format!("Description({:?}{})", self.best.text, confidence.unwrap_or_default())
    }
}

/// A caption with its probability.
#[pyclass(frozen, module = "showtell")]
pub(crate) struct Caption(models::Caption);

#[pymethods]
impl Caption {
    /// The words, joined by spaces.
    #[getter]
    fn text(&self) -> &str {
        &self.0.text
    }

    /// The caption as a sentence: with a capital letter and a full stop.
    #[getter]
    fn sentence(&self) -> String {
        self.0.sentence()
    }

    /// The caption as an alt text: at most 125 characters, neutral words for people, and no "photo of".
    #[getter]
    fn alt_text(&self) -> String {
        Style::Alt.sentence(&self.0)
    }

    /// The natural logarithm of the caption's probability.
    #[getter]
    fn log_probability(&self) -> f32 {
        self.0.log_probability
    }

    /// The number by which captions are ordered; the greater, the better.
    #[getter]
    fn score(&self) -> f32 {
        self.0.score
    }

    /// Whether the network ended it; else it was truncated at the maximum length.
    #[getter]
    fn finished(&self) -> bool {
        self.0.finished
    }

    /// The words, with probability and attention.
    #[getter]
    fn words(&self) -> Vec<Word> {
        self.0.words.iter().cloned().map(Word).collect()
    }

    fn __str__(&self) -> &str {
        &self.0.text
    }

    fn __repr__(&self) -> String {
        format!("Caption({:?}, score={:.2})", self.0.text, self.0.score)
    }
}

/// A word of a caption.
#[pyclass(frozen, module = "showtell")]
pub(crate) struct Word(models::Word);

#[pymethods]
impl Word {
    /// The word.
    #[getter]
    fn text(&self) -> &str {
        &self.0.text
    }

    /// Its probability after the words before it.
    #[getter]
    fn probability(&self) -> f32 {
        self.0.probability
    }

    /// The attention of the network, `[h, w]`: a weight for each cell of the grid; they sum to one.
    #[getter]
    fn attention<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<f32>> {
        self.0.attention.to_pyarray(py)
    }

    fn __repr__(&self) -> String {
        format!("Word({:?}, probability={:.2})", self.0.text, self.0.probability)
    }
}

/// A class that a photo probably shows, by the classifier that the encoder was made of.
#[pyclass(frozen, get_all, module = "showtell")]
pub(crate) struct Tag {
    /// Its name.
    name: String,
    /// Its probability by the classifier, which is not calibrated.
    probability: f32,
}

#[pymethods]
impl Tag {
    fn __repr__(&self) -> String {
        format!("Tag({:?}, probability={:.2})", self.name, self.probability)
    }
}
