//! A model folder and its manifest, which names the parts that belong together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{GridShape, View, text};
use data::Vocabulary;
use serde::{Deserialize, Serialize};

use crate::confidence::Calibration;
use crate::decoder::DecoderFiles;
use crate::error::check_sha256;
use crate::neighbours::NeighbourChoice;
use crate::network::NetworkFile;
use crate::{Error, NeighbourIndex, Preprocess, Result};

/// File name of the manifest in a model folder.
pub const MANIFEST_FILE: &str = "manifest.json";
/// File name of the vocabulary in a model folder.
pub const VOCABULARY_FILE: &str = "vocabulary.json";
/// The format that is written and read.
pub const FORMAT: &str = "showtell model 1";
/// The metadata key under which a quantized encoder names its float32 original, by its SHA-256.
pub const QUANTIZED_FROM: &str = "showtell.quantized_from";

/// A file with its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The file's name, without folder.
    pub file: String,
    /// The SHA-256 of the file; for the vocabulary that of its words, for a network its
    /// [identity](crate::identity::identify).
    pub sha256: String,
}

/// The manifest of a model folder.
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
    /// The views of an image whose word probabilities are averaged; the first one is the original.
    #[serde(default = "original", skip_serializing_if = "is_original")]
    pub views: Vec<View>,
    /// The shape of a grid.
    #[serde(with = "common::sides")]
    pub grid: GridShape,
    /// The vocabulary.
    pub vocabulary: Part,
    /// The init graph.
    pub decoder_init: Part,
    /// The step graph.
    pub decoder_step: Part,
    /// The neighbour index, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub neighbours: Option<Part>,
    /// How the confidence in a caption follows from its evidence, if that was fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Calibration>,
    /// Scores of generated captions by name, as fractions.
    pub scores: BTreeMap<String, f64>,
    /// The split the scores were measured on.
    pub scored_on: String,
    /// The licence of the training data, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_licence: Option<String>,
}

/// The views of a model that sees each image once.
fn original() -> Vec<View> {
    vec![View::Original]
}

fn is_original(views: &[View]) -> bool {
    views == [View::Original]
}

impl Manifest {
    /// The model as it is recorded with its captions: the program that exported it, and the beginning of its decoder's hash.
    #[must_use]
    pub fn record_name(&self) -> String {
        const DIGITS: usize = 12;
        let hash = &self.decoder_step.sha256;
        format!("{} {}", self.created_by, hash.get(..DIGITS).unwrap_or(hash))
    }

    /// Reads the manifest of a model folder.
    ///
    /// # Errors
    /// [`Error::NoModel`], [`Error::NotAManifest`] or [`Error::Format`]; [`Error::Data`] if the file cannot be read.
    pub fn load(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST_FILE);
        if !path.exists() {
            return Err(Error::NoModel { path });
        }
        match serde_json::from_str::<Self>(&text::read(&path)?) {
            Ok(manifest) if manifest.format == FORMAT => Ok(manifest),
            Ok(manifest) => Err(Error::Format { path, found: manifest.format, expected: FORMAT }),
            Err(source) => Err(Error::NotAManifest { path, source }),
        }
    }

    /// Reads the vocabulary of the folder, which must be the one that the decoder was trained with.
    pub(crate) fn vocabulary(&self, folder: &Path) -> Result<Vocabulary> {
        let path = folder.join(&self.vocabulary.file);
        let vocabulary = Vocabulary::load(&path)?;
        check_sha256(&path, &vocabulary.sha256(), &self.vocabulary.sha256)?;
        Ok(vocabulary)
    }

    /// Checks that the decoder graphs of the folder are of this run.
    ///
    /// # Errors
    /// [`Error::OtherModel`]; [`Error::Io`] if a file cannot be read.
    pub fn check_decoder(&self, folder: &Path) -> Result<()> {
        self.decoder(folder).map(drop)
    }

    /// Reads the decoder graphs of the folder, which must be of this run.
    pub(crate) fn decoder(&self, folder: &Path) -> Result<DecoderFiles> {
        let read = |part: &Part| {
            let file = NetworkFile::read(&folder.join(&part.file))?;
            check_sha256(file.path(), file.sha256(), &part.sha256)?;
            Ok::<_, Error>(file)
        };
        Ok(DecoderFiles { init: read(&self.decoder_init)?, step: read(&self.decoder_step)? })
    }

    /// Reads the neighbour index of a choice, which must have captions in the words of `vocabulary`.
    ///
    /// # Errors
    /// Those of [`NeighbourIndex::load`], and [`Error::OtherModel`] for another file than the one that the manifest names.
    pub fn neighbours(
        &self,
        folder: &Path,
        choice: &NeighbourChoice,
        vocabulary: &Vocabulary,
    ) -> Result<Option<NeighbourIndex>> {
        let (path, expected) = match (choice, &self.neighbours) {
            (NeighbourChoice::File(path), _) => (path.clone(), None),
            (NeighbourChoice::OfModel, Some(part)) => (folder.join(&part.file), Some(&part.sha256)),
            (NeighbourChoice::OfModel, None) | (NeighbourChoice::Off, _) => return Ok(None),
        };
        let index = NeighbourIndex::load(&path, vocabulary, self.grid.channels)?;
        if let Some(expected) = expected {
            check_sha256(&path, index.sha256(), expected)?;
        }
        Ok(Some(index))
    }

    /// Finds the encoder: at `chosen`, or in the model folder, or in the folder above it.
    ///
    /// # Errors
    /// [`Error::NoEncoder`]; [`Error::Io`] if the model folder is missing.
    pub fn find_encoder(&self, folder: &Path, chosen: Option<&Path>) -> Result<PathBuf> {
        let name = &self.encoder.file;
        let above = folder.canonicalize().map_err(Error::io(folder))?;
        let above = above.parent().unwrap_or(folder).join(name);
        let paths = match chosen {
            Some(chosen) => vec![chosen.to_path_buf()],
            None => vec![folder.join(name), above],
        };
        let found = paths.iter().find(|path| path.exists()).cloned();
        found.ok_or_else(|| {
            let (folder, sha256) = (folder.to_path_buf(), self.encoder.sha256.clone());
            Error::NoEncoder { folder, name: name.clone(), paths, sha256 }
        })
    }

    /// Reads the encoder at `path`, which must be the one of this model or a quantized form of it.
    pub(crate) fn encoder(&self, path: &Path) -> Result<NetworkFile> {
        let file = NetworkFile::read(path)?;
        let expected = &self.encoder.sha256;
        if file.outline().metadata(QUANTIZED_FROM) != Some(expected) {
            check_sha256(path, file.sha256(), expected)?;
        }
        Ok(file)
    }
}
