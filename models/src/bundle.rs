//! A model folder: which parts belong together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data::{Vocabulary, text};
use serde::{Deserialize, Serialize};

use crate::calibration::MADE_OF;
use crate::onnx::outline::Outline;
use crate::{Error, Preprocess, Result, identity};

/// File name of the manifest in a model folder.
pub const MANIFEST_FILE: &str = "manifest.json";
/// File name of the vocabulary in a model folder.
pub const VOCABULARY_FILE: &str = "vocabulary.json";
/// The format that is written and read.
pub const FORMAT: &str = "showtell model 1";

/// A file with its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The file's name, without folder.
    pub file: String,
    /// The SHA-256 of the file; of the vocabulary, that of its words; of a network with weights in other files,
    /// its [identity](identity::of_network).
    pub sha256: String,
}

/// What a model folder says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// The program and version that wrote it.
    pub created_by: String,
    /// The kind of decoder.
    pub network: String,
    /// The encoder whose grids the decoder was trained on.
    pub encoder: Part,
    /// How images become the encoder's input.
    pub preprocess: Preprocess,
    /// Height, width and channels of a grid.
    pub grid: [usize; 3],
    /// The vocabulary.
    pub vocabulary: Part,
    /// The init graph.
    pub decoder_init: Part,
    /// The step graph.
    pub decoder_step: Part,
    /// Scores of generated captions by name, as fractions, and the split they were measured on.
    pub scores: BTreeMap<String, f64>,
    /// The split the scores were measured on.
    pub scored_on: String,
    /// The licence of the photos and captions it was trained on, as whoever trained it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_licence: Option<String>,
}

impl Manifest {
    /// Reads the manifest of a model folder.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST_FILE);
        if !path.exists() {
            let problem = "no model here; train one (`make train`) or export it (`train export`)";
            return Err(Error::bundle(&path, problem));
        }
        let manifest: Self = serde_json::from_str(&text::read(&path)?)
            .map_err(|error| Error::bundle(&path, format!("not a manifest: {error}")))?;
        if manifest.format != FORMAT {
            let problem = format!("the format is `{}`, not `{FORMAT}`", manifest.format);
            return Err(Error::bundle(&path, problem));
        }
        Ok(manifest)
    }

    /// Reads the vocabulary of the folder and refuses another than the decoder was trained with.
    pub fn vocabulary(&self, folder: &Path) -> Result<Vocabulary> {
        let path = folder.join(&self.vocabulary.file);
        let vocabulary = Vocabulary::load(&path)?;
        check(&path, &vocabulary.sha256(), &self.vocabulary.sha256)?;
        Ok(vocabulary)
    }

    /// Refuses decoder graphs of another run.
    pub fn check_decoder(&self, folder: &Path) -> Result<()> {
        for part in [&self.decoder_init, &self.decoder_step] {
            let path = folder.join(&part.file);
            check(&path, &identity::of_network(&path)?, &part.sha256)?;
        }
        Ok(())
    }

    /// Finds the encoder: at `chosen`, in the model folder, in the folder above it; gives its path and
    /// SHA-256. One that was made of it and multiplies integers will do.
    pub fn find_encoder(&self, folder: &Path, chosen: Option<&Path>) -> Result<(PathBuf, String)> {
        let name = &self.encoder.file;
        let above = folder.canonicalize().map_err(Error::io(folder))?;
        let above = above.parent().unwrap_or(folder).join(name);
        let places = match chosen {
            Some(chosen) => vec![chosen.to_path_buf()],
            None => vec![folder.join(name), above],
        };
        if let Some(place) = places.iter().find(|place| place.exists()) {
            let sha256 = identity::of_network(place)?;
            let expected = &self.encoder.sha256;
            if sha256 != *expected && Outline::read(place)?.metadata(MADE_OF) != Some(expected) {
                check(place, &sha256, expected)?;
            }
            return Ok((place.clone(), sha256));
        }
        let places = places.iter().map(|place| place.display().to_string()).collect::<Vec<_>>();
        Err(Error::bundle(
            folder,
            format!(
                "its encoder `{name}` is not at {}\n  Name it with --encoder FILE (make: ENCODER=FILE); \
                 SHA-256 {}",
                places.join(" or "),
                self.encoder.sha256
            ),
        ))
    }
}

fn check(path: &Path, found: &str, expected: &str) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let problem =
        format!("belongs to another model: its SHA-256 is {found}, the manifest says {expected}");
    Err(Error::bundle(path, problem))
}
