//! Scores of captions, and their tokens.

use std::path::Path;

use data::metrics::bootstrap::{Bootstrap, Interval};
use data::metrics::{NAMES, Sums};
use data::{metrics, pairs, tokens};
use pyo3::prelude::*;

use crate::errors::of_data;

/// Scores by name, in the order of [`NAMES`].
type Named = Vec<(&'static str, f64)>;
/// The scores, their intervals, the scores of each image, and the references that were skipped.
type Scored = (Named, Vec<(&'static str, Interval)>, Vec<(String, Named)>, String);

/// Scores captions; `showtell.score` documents it.
#[pyfunction]
pub(crate) fn score(
    py: Python<'_>,
    references: Vec<(String, Vec<String>)>,
    hypotheses: Vec<(String, String)>,
    resamples: usize,
    seed: u64,
) -> PyResult<Scored> {
    py.detach(|| score_all(references, hypotheses, Bootstrap { resamples, seed })).map_err(of_data)
}

fn score_all(
    references: Vec<(String, Vec<String>)>,
    hypotheses: Vec<(String, String)>,
    bootstrap: Bootstrap,
) -> data::Result<Scored> {
    let (references, skipped) = pairs::check_references(references, Path::new("references"))?;
    let name = Path::new("hypotheses");
    let hypotheses = pairs::check_hypotheses(hypotheses, name)?;
    let items = pairs::pair(&references, &hypotheses, name)?;
    let images = metrics::score(&items, None);
    let total = images.iter().copied().sum::<Sums>().scores();
    let intervals = NAMES.into_iter().zip(bootstrap.intervals(&images)).collect();
    let each = images.iter().map(|image| image.scores().iter().collect());
    let each = hypotheses.into_keys().zip(each).collect();
    Ok((total.iter().collect(), intervals, each, skipped.to_string()))
}

/// Splits a caption into Penn Treebank tokens, in lower case and without punctuation, as the reference scorer does.
#[pyfunction]
pub(crate) fn tokenize(caption: &str) -> Vec<String> {
    tokens::tokenize(caption)
}
