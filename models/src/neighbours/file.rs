//! The file of a neighbour index: one CBOR map (RFC 8949).

use std::io::{self, Read as _};
use std::path::Path;

use common::{Size, files};
use data::vocabulary::WordId;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{NeighbourSettings, Pooling, WordProfile};
use crate::{Error, Result};

/// File name of the neighbour index in a model folder.
pub const NEIGHBOURS_FILE: &str = "neighbours.cbor";
/// The largest file that is read.
const LIMIT: Size = Size::mib(1 << 10);
/// The format that is written and read.
const FORMAT: &str = "showtell neighbours 1";

/// All that a neighbour index is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct NeighbourData {
    /// How much neighbours count.
    pub settings: NeighbourSettings,
    /// SHA-256 of the words of the vocabulary, to which the numbers of words refer.
    pub vocabulary_sha256: String,
    /// The licence of the captions.
    pub licence: Option<String>,
    /// From a grid to a vector.
    pub pooling: Pooling,
    /// The vectors of the training images, `[N, D]`. The file has 8 bits a value.
    pub vectors: Array2<f32>,
    /// The names of the training images, N.
    pub names: Vec<String>,
    /// The captions of each training image, each with its end.
    pub captions: Vec<Vec<Vec<WordId>>>,
    /// The words that an image makes probable, if they were learned. The file has 8 bits a weight.
    pub profile: Option<WordProfile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: String,
    settings: NeighbourSettings,
    vocabulary_sha256: String,
    licence: Option<String>,
    mean: Vec<f32>,
    deviation: Vec<f32>,
    projection: Option<Rows>,
    vectors: Rows,
    names: Vec<String>,
    captions: Vec<Vec<Vec<WordId>>>,
    #[serde(default)]
    profile: Option<StoredProfile>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredProfile {
    rareness: Vec<f32>,
    mean: Vec<f32>,
    weights: Rows,
}

/// A matrix of 8-bit integers, row by row, and the value of 1 in each row.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    scales: Vec<f32>,
    values: ByteBuf,
}

impl NeighbourData {
    /// The bytes of the file.
    ///
    /// # Errors
    /// [`Error::Neighbours`] if it cannot be encoded.
    pub fn to_bytes(&self, path: &Path) -> Result<Vec<u8>> {
        let stored = Stored {
            format: FORMAT.to_owned(),
            settings: self.settings,
            vocabulary_sha256: self.vocabulary_sha256.clone(),
            licence: self.licence.clone(),
            mean: self.pooling.mean.to_vec(),
            deviation: self.pooling.deviation.to_vec(),
            projection: self.pooling.projection.as_ref().map(|of| Rows::quantize(of.view())),
            vectors: Rows::quantize(self.vectors.view()),
            names: self.names.clone(),
            captions: self.captions.clone(),
            profile: self.profile.as_ref().map(StoredProfile::new),
        };
        let mut bytes = Vec::new();
        ciborium::into_writer(&stored, &mut bytes).map_err(|error| refuse(path, error))?;
        Ok(bytes)
    }

    /// Reads the file at `path`, whose captions have the words of a vocabulary of `words`.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Neighbours`] if the file is damaged or of another format.
    pub fn load(path: &Path, words: usize) -> Result<Self> {
        Self::from_bytes(&Self::read(path)?, path, words)
    }

    /// Whether the file at `path` begins as a neighbour index.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn is_index(path: &Path) -> Result<bool> {
        let mut begin = Vec::new();
        let file = files::open(path).map_err(Error::io(path))?;
        file.take(64).read_to_end(&mut begin).map_err(Error::io(path))?;
        Ok(begin.windows(FORMAT.len()).any(|part| part == FORMAT.as_bytes()))
    }

    /// The bytes of the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
        files::read(path, LIMIT).map_err(Error::io(path))
    }

    /// Decodes the bytes of the file at `path`, as [`load`](Self::load) does.
    pub(super) fn from_bytes(bytes: &[u8], path: &Path, words: usize) -> Result<Self> {
        let mut rest = bytes;
        let stored = ciborium::from_reader::<Stored, _>(&mut rest);
        let stored = stored.map_err(|error| refuse(path, flaw(&error)))?;
        if !rest.is_empty() {
            return Err(refuse(path, format!("{} bytes follow its end", rest.len())));
        }
        stored.checked(words).ok_or_else(|| refuse(path, "its parts contradict each other"))
    }
}

impl Stored {
    /// The data, if sizes and numbers agree.
    fn checked(self, words: usize) -> Option<NeighbourData> {
        let (channels, images) = (self.mean.len(), self.names.len());
        let projection = match self.projection {
            Some(projection) => Some(projection.matrix(channels)?),
            None => None,
        };
        let dimensions = projection.as_ref().map_or(channels, Array2::nrows);
        let vectors = self.vectors.matrix(dimensions)?;
        let are_finite = self.mean.iter().chain(&self.deviation).all(|value| value.is_finite());
        let is_known = |word: &WordId| (*word as usize) < words;
        let is_sound = self.format == FORMAT
            && self.settings.are_usable()
            && self.deviation.len() == channels
            && vectors.nrows() == images
            && self.captions.len() == images
            && are_finite
            && self.deviation.iter().all(|&deviation| deviation > 0.0)
            && self.captions.iter().flatten().flatten().all(is_known);
        let profile = match self.profile {
            Some(profile) => Some(profile.checked(words, dimensions)?),
            None => None,
        };
        is_sound.then(|| NeighbourData {
            settings: self.settings,
            vocabulary_sha256: self.vocabulary_sha256,
            licence: self.licence,
            pooling: Pooling {
                mean: Array1::from(self.mean),
                deviation: Array1::from(self.deviation),
                projection,
            },
            vectors,
            names: self.names,
            captions: self.captions,
            profile,
        })
    }
}

impl StoredProfile {
    fn new(profile: &WordProfile) -> Self {
        Self {
            rareness: profile.rareness.to_vec(),
            mean: profile.mean.to_vec(),
            weights: Rows::quantize(profile.weights.view()),
        }
    }

    /// The profile, if it is of a vocabulary of `words` and of vectors of `dimensions` values.
    fn checked(self, words: usize, dimensions: usize) -> Option<WordProfile> {
        let weights = self.weights.matrix(dimensions)?;
        let mut values = self.rareness.iter().chain(&self.mean);
        let is_sound = weights.nrows() == words
            && self.rareness.len() == words
            && self.mean.len() == words
            && values.all(|value| value.is_finite());
        is_sound.then(|| WordProfile {
            rareness: Array1::from(self.rareness),
            mean: Array1::from(self.mean),
            weights,
        })
    }
}

impl Rows {
    /// Rounds each row of a matrix to steps of a 127th of its largest magnitude.
    fn quantize(matrix: ArrayView2<f32>) -> Self {
        let largest = |row: &f32, value: &f32| row.max(value.abs());
        let scales = matrix.fold_axis(Axis(1), 0.0, largest).mapv(|largest| largest / LARGEST);
        let mut values = Vec::with_capacity(matrix.len());
        for (row, &scale) in matrix.outer_iter().zip(&scales) {
            let step = if scale > 0.0 { scale } else { 1.0 };
            values.extend(row.iter().map(|value| (value / step).round() as i8 as u8));
        }
        Self { scales: scales.to_vec(), values: ByteBuf::from(values) }
    }

    /// The matrix with rows of `columns` values, if there are so many.
    fn matrix(&self, columns: usize) -> Option<Array2<f32>> {
        let values = self.values.iter().map(|&byte| f32::from(byte as i8)).collect::<Vec<_>>();
        let mut matrix = Array2::from_shape_vec([self.scales.len(), columns], values).ok()?;
        for (mut row, &scale) in matrix.outer_iter_mut().zip(&self.scales) {
            row *= scale.is_finite().then_some(scale)?;
        }
        Some(matrix)
    }
}

/// The largest magnitude of a quantized value.
const LARGEST: f32 = 127.0;

/// The flaw of a file that cannot be decoded.
fn flaw(error: &ciborium::de::Error<io::Error>) -> String {
    use ciborium::de::Error;
    match error {
        Error::Io(_) => "it ends too early".to_owned(),
        Error::Syntax(at) => format!("it is damaged at byte {at}"),
        Error::Semantic(..) | Error::RecursionLimitExceeded => {
            "it is damaged, or of another version".to_owned()
        }
    }
}

fn refuse(path: &Path, reason: impl ToString) -> Error {
    Error::Neighbours { path: path.to_path_buf(), reason: reason.to_string() }
}
