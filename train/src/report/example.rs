//! A caption with its photo, its references and where the network looked for each word.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;

use crate::dataset::ScoredImage;
use crate::evaluate::Captioned;

#[derive(Debug, Serialize)]
pub(super) struct Example {
    image: String,
    caption: String,
    cider: f64,
    references: Vec<String>,
    words: Vec<Word>,
    /// The photo as a `data:` address.
    photo: Option<String>,
}

#[derive(Debug, Serialize)]
struct Word {
    text: String,
    probability: f64,
    /// How light each cell is: its attention over that of the cell most looked at.
    cells: Vec<f64>,
}

impl Example {
    pub(super) fn new(
        image: &ScoredImage,
        captioned: &Captioned,
        photos: Option<&Path>,
        missing: &mut BTreeMap<String, String>,
    ) -> Self {
        let found = &captioned.hypothesis;
        let texts = captioned.caption.split(' ');
        let looks = found.attention.outer_iter().zip(&found.word_log_probabilities);
        let words = texts.zip(looks).map(|(text, (look, probability))| {
            let most = look.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
            Word {
                text: text.to_owned(),
                probability: f64::from(probability.exp()),
                cells: look.iter().map(|cell| f64::from(cell / most)).collect(),
            }
        });
        Self {
            image: image.image.clone(),
            caption: captioned.caption.clone(),
            cider: 100.0 * captioned.sums.scores().cider(),
            references: image.references.iter().map(|tokens| tokens.join(" ")).collect(),
            words: words.collect(),
            photo: photos.and_then(|folder| data_of(folder, &image.file, missing)),
        }
    }
}

/// A photo as a `data:` address, if it can be read.
fn data_of(folder: &Path, image: &str, missing: &mut BTreeMap<String, String>) -> Option<String> {
    let path = folder.join(image);
    let read = fs::read(&path).map_err(|error| {
        missing.insert(
            image.to_owned(),
            format!("photo of the page in {}: {error}", folder.display()),
        );
    });
    let bytes = read.ok()?;
    let kind = match path.extension().and_then(|extension| extension.to_str()) {
        Some("png") => "png",
        Some("webp") => "webp",
        Some("gif") => "gif",
        _ => "jpeg",
    };
    Some(format!("data:image/{kind};base64,{}", BASE64_STANDARD.encode(bytes)))
}
