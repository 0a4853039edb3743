//! Pointing score of attention: the share that falls on the object that a word names.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;

use common::names::normal;
use common::{Rect, SkippedEntries, text};
use ndarray::{Array2, ArrayView2, s};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::captions::shape_of;
use super::scene::Object;
use crate::{Error, Result};

/// The share of attention that falls on named objects.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pointing {
    /// Words that name an object.
    pub named: usize,
    /// Those of them that name an object of the picture.
    pub words: usize,
    /// The mean share of the attention on the object's cells.
    pub mass: f64,
    /// The mean share of the object's cells among all cells: the mass of uniform attention.
    pub area: f64,
}

/// The attention of one word: the share of its mass and of its cells that belong to an object.
#[derive(Clone, Copy)]
struct Share {
    mass: f64,
    area: f64,
}

/// The objects of each picture, by its name.
#[derive(Deserialize)]
struct Objects(#[serde(deserialize_with = "text::unique_entries")] BTreeMap<String, Vec<Object>>);

/// A line of `caption --json --words`.
#[derive(Deserialize)]
struct Line {
    file: String,
    /// The captions, unless the picture could not be captioned.
    captions: Option<Vec<Caption>>,
    /// The reason why it could not be captioned.
    error: Option<String>,
}

#[derive(Deserialize)]
struct Caption {
    words: Vec<Word>,
}

#[derive(Deserialize)]
struct Word {
    text: String,
    /// `[h, w]`
    #[serde(deserialize_with = "nested_rows")]
    attention: Array2<f64>,
}

/// Reads the objects of scenes and the captions of their pictures (one JSON document per line, as `caption --json --words` prints
/// them) and scores the attention of the best captions. Pictures that could not be captioned, or that occur twice, are
/// skipped.
///
/// # Errors
/// Those of [`text::read`], and [`Error::Attention`] for a document of another form or a picture that is not a scene.
pub fn score_attention(objects: &Path, captions: &Path) -> Result<(Pointing, SkippedEntries)> {
    let error = |path: &Path, problem| Error::Attention { path: path.to_path_buf(), problem };
    let Objects(scenes) = serde_json::from_str(&text::read(objects)?)
        .map_err(|cause| error(objects, cause.to_string()))?;
    let mut scorer = Scorer { scenes, ..Scorer::default() };
    let lines = text::read(captions)?;
    for (number, line) in (1..).zip(lines.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        scorer
            .add(number, line)
            .map_err(|problem| error(captions, format!("line {number}: {problem}")))?;
    }
    Ok(scorer.finish())
}

#[derive(Default)]
struct Scorer {
    scenes: BTreeMap<String, Vec<Object>>,
    named: usize,
    shares: Vec<Share>,
    pictures: HashSet<String>,
    skipped_entries: SkippedEntries,
}

impl Scorer {
    /// Scores one line of the captions.
    fn add(&mut self, number: usize, line: &str) -> Result<(), serde_json::Error> {
        let line = serde_json::from_str::<Line>(line)?;
        let file_name = Path::new(&line.file).file_name().unwrap_or_default().to_string_lossy();
        let name = normal(&file_name).into_owned();
        let Some(objects) = self.scenes.get(&name) else {
            return Err(serde_json::Error::custom(format_args!("{name} is not a scene")));
        };
        let Some(captions) = line.captions else {
            let error = line.error.ok_or_else(|| serde_json::Error::missing_field("captions"))?;
            let reason = format!("picture without a caption: {error}");
            self.skipped_entries.add(reason, format_args!("line {number}"));
            return Ok(());
        };
        if !self.pictures.insert(name) {
            self.skipped_entries.add("picture that occurs twice", format_args!("line {number}"));
            return Ok(());
        }
        for word in captions.iter().take(1).flat_map(|caption| &caption.words) {
            let Some(shape) = shape_of(&word.text) else { continue };
            self.named += 1;
            let object = objects.iter().find(|object| object.shape == shape);
            self.shares.extend(object.map(|object| share(&word.attention.view(), object.bounds())));
        }
        Ok(())
    }

    fn finish(self) -> (Pointing, SkippedEntries) {
        let words = self.shares.len();
        let mean = |value: fn(&Share) -> f64| {
            self.shares.iter().map(value).sum::<f64>() / words.max(1) as f64
        };
        let (mass, area) = (mean(|share| share.mass), mean(|share| share.area));
        (Pointing { named: self.named, words, mass, area }, self.skipped_entries)
    }
}

/// The share of `attention` `[h, w]`, and of its cells, in the cells that `bounds` touches.
fn share(attention: &ArrayView2<f64>, bounds: Rect) -> Share {
    let (height, width) = attention.dim();
    let rows = touched_cells(bounds.top, bounds.bottom(), height);
    let columns = touched_cells(bounds.left, bounds.right(), width);
    let inside = attention.slice(s![rows, columns]);
    Share {
        mass: inside.sum() / attention.sum().max(f64::MIN_POSITIVE),
        area: inside.len() as f64 / attention.len().max(1) as f64,
    }
}

/// The cells between two positions on an axis of `cells` cells; positions are shares of its length.
fn touched_cells(from: f64, to: f64, cells: usize) -> Range<usize> {
    let end = ((to * cells as f64).ceil() as usize).min(cells);
    let start = (from * cells as f64).floor() as usize;
    start.min(end)..end
}

/// Reads an array of rows of equal length.
fn nested_rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Array2<f64>, D::Error> {
    let rows = Vec::<Vec<f64>>::deserialize(deserializer)?;
    let width = rows.first().map_or(0, Vec::len);
    if rows.iter().any(|row| row.len() != width) {
        return Err(D::Error::custom("rows of attention with different lengths"));
    }
    Array2::from_shape_vec((rows.len(), width), rows.concat()).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::touched_cells;

    #[test]
    fn cells_are_touched_if_any_part_of_them_is() {
        assert_eq!(touched_cells(0.25, 0.5, 4), 1..2);
        assert_eq!(touched_cells(0.24, 0.51, 4), 0..3);
        assert_eq!(touched_cells(-0.1, 1.1, 7), 0..7);
        assert_eq!(touched_cells(0.0, 1.0, 0), 0..0);
    }
}
