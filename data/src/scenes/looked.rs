//! Whether attention lies where it should: on the object that a word names.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Object;
use super::captions::shape_of;
use crate::names::normal;
use crate::{Error, LeftOut, Result, text};

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

/// The objects of each picture, by its name.
#[derive(Deserialize)]
struct Objects(#[serde(deserialize_with = "text::unique_entries")] BTreeMap<String, Vec<Object>>);

/// A line of `caption --json`.
#[derive(Deserialize)]
struct Line {
    file: String,
    /// Those of a picture that could be captioned.
    captions: Option<Vec<Caption>>,
    /// Why it could not.
    error: Option<String>,
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
/// `caption --json` writes them. A picture that is no scene is an error; one that could not be captioned, or that
/// occurs again, is left out.
pub fn looked(objects: &Path, captions: &Path) -> Result<(Looked, LeftOut)> {
    let refuse = |path: &Path, problem: String| Error::Looked { path: path.into(), problem };
    let Objects(known) = serde_json::from_str(&text::read(objects)?)
        .map_err(|error| refuse(objects, error.to_string()))?;
    let (mut named, mut shares) = (0, Vec::new());
    let (mut seen, mut left_out) = (HashSet::new(), LeftOut::default());
    let lines = text::read(captions)?;
    for (number, line) in (1..).zip(lines.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let in_line = |problem: String| refuse(captions, format!("line {number}: {problem}"));
        let line =
            serde_json::from_str::<Line>(line).map_err(|error| in_line(error.to_string()))?;
        let name = Path::new(&line.file).file_name().unwrap_or_default().to_string_lossy();
        let name = normal(&name);
        let objects = known.get(&*name).ok_or_else(|| in_line(format!("{name} is no scene")))?;
        let Some(captions) = line.captions else {
            let error = line.error.ok_or_else(|| in_line("missing field `captions`".to_owned()))?;
            left_out.add(format!("picture without a caption: {error}"), format!("line {number}"));
            continue;
        };
        if !seen.insert(name.clone().into_owned()) {
            left_out.add("picture that occurs again", format!("line {number}"));
            continue;
        }
        for word in captions.iter().take(1).flat_map(|caption| &caption.words) {
            let Some(shape) = shape_of(&word.text) else { continue };
            named += 1;
            let object = objects.iter().find(|object| object.shape == shape);
            shares.extend(object.map(|object| of_word(&word.attention, object)));
        }
    }
    let mean =
        |of: fn(&[f64; 2]) -> f64| shares.iter().map(of).sum::<f64>() / shares.len().max(1) as f64;
    let (mass, area) = (mean(|of| of[0]), mean(|of| of[1]));
    Ok((Looked { named, words: shares.len(), mass, area }, left_out))
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
