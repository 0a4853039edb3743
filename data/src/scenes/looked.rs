//! Whether attention lies where it should: on the object that a word names.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Object;
use super::captions::shape_of;
use crate::{Error, Result};

/// How much of the attention lies on what is named, over all words that name an object of the picture.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Looked {
    /// Words that name an object.
    pub named: usize,
    /// Those that name an object of the picture.
    pub words: usize,
    /// The mean share of the attention on the object's cells.
    pub mass: f64,
    /// The mean share of the cells that are the object's: what attention without aim would give.
    pub area: f64,
}

/// A line of `caption --json`.
#[derive(Deserialize)]
struct Line {
    file: String,
    captions: Vec<Caption>,
}

#[derive(Deserialize)]
struct Caption {
    words: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    text: String,
    attention: Vec<Vec<f64>>,
}

/// Reads the objects of scenes and the captions of their pictures, a JSON document a line as
/// `caption --json` writes them. A picture that is no scene is an error.
pub fn looked(objects: &Path, captions: &Path) -> Result<Looked> {
    let read = |path: &Path| fs::read_to_string(path).map_err(Error::io(path));
    let refuse = |path: &Path, problem: String| Error::Looked { path: path.into(), problem };
    let known = serde_json::from_str::<BTreeMap<String, Vec<Object>>>(&read(objects)?)
        .map_err(|error| refuse(objects, error.to_string()))?;
    let (mut named, mut shares) = (0, Vec::new());
    for (number, line) in (1..).zip(read(captions)?.lines()) {
        let in_line = |problem: String| refuse(captions, format!("line {number}: {problem}"));
        let line =
            serde_json::from_str::<Line>(line).map_err(|error| in_line(error.to_string()))?;
        let name = Path::new(&line.file).file_name().unwrap_or_default().to_string_lossy();
        let objects = known.get(&*name).ok_or_else(|| in_line(format!("{name} is no scene")))?;
        for word in line.captions.iter().take(1).flat_map(|caption| &caption.words) {
            let Some(shape) = shape_of(&word.text) else { continue };
            named += 1;
            let object = objects.iter().find(|object| object.shape == shape);
            shares.extend(object.map(|object| of_word(&word.attention, object)));
        }
    }
    let mean =
        |of: fn(&[f64; 2]) -> f64| shares.iter().map(of).sum::<f64>() / shares.len().max(1) as f64;
    Ok(Looked { named, words: shares.len(), mass: mean(|of| of[0]), area: mean(|of| of[1]) })
}

/// The share of the attention on the cells that an object touches, and the share of the cells.
fn of_word(attention: &[Vec<f64>], object: &Object) -> [f64; 2] {
    let [left, top, right, bottom] = object.square();
    let touches = |at: usize, cells: usize, from: f32, to: f32| {
        let [start, end] = [at, at + 1].map(|at| at as f32 / cells as f32);
        start < to && end > from
    };
    let (mut mass, mut all, mut own, mut cells) = (0.0, 0.0, 0, 0);
    for (row, values) in attention.iter().enumerate() {
        for (column, value) in values.iter().enumerate() {
            all += value;
            cells += 1;
            let inside = touches(row, attention.len(), top, bottom)
                && touches(column, values.len(), left, right);
            if inside {
                mass += value;
                own += 1;
            }
        }
    }
    [mass / all.max(f64::MIN_POSITIVE), f64::from(own) / f64::from(cells.max(1))]
}
