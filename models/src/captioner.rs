//! Bytes of an image in, captions out.

use std::path::Path;
use std::time::{Duration, Instant};

use data::Vocabulary;
use data::vocabulary::WordId;
use serde::Serialize;

use crate::encoder::EncoderOptions;
use crate::{
    DeviceChoice, Encoder, Hypothesis, Manifest, OnnxDecoder, Result, SearchOptions, decode, search,
};

/// A caption with what the network knows about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Caption {
    /// The words, joined by spaces.
    pub text: String,
    /// Natural logarithm of the caption's probability.
    pub log_probability: f32,
    /// Whether the network ended it; else it was cut off at the longest length.
    pub finished: bool,
    /// Its words.
    pub words: Vec<Word>,
}

/// A word of a caption.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Its probability after the words before it.
    pub probability: f32,
    /// Where the network looked: a weight for each cell, row by row from the top; they sum to one.
    pub attention: Vec<Vec<f32>>,
}

/// Captions of an image and how long each part of the work took.
#[derive(Debug, Clone, PartialEq)]
pub struct Captioned {
    /// The captions, the best first; never empty.
    pub captions: Vec<Caption>,
    /// Bytes to tensor.
    pub decode: Duration,
    /// Tensor to grid.
    pub encode: Duration,
    /// Grid to captions.
    pub search: Duration,
}

/// An encoder, a decoder and a vocabulary that belong together.
#[derive(Debug)]
pub struct Captioner {
    manifest: Manifest,
    encoder: Encoder,
    decoder: OnnxDecoder,
    vocabulary: Vocabulary,
}

impl Captioner {
    /// Opens the model in `folder`. The encoder is looked for there and in the folder above it,
    /// unless `encoder` names it. Parts of different models are refused.
    pub fn open(folder: &Path, encoder: Option<&Path>, device: DeviceChoice) -> Result<Self> {
        let manifest = Manifest::load(folder)?;
        manifest.check_decoder(folder)?;
        let vocabulary = manifest.vocabulary(folder)?;
        let path = manifest.find_encoder(folder, encoder)?;
        let options = EncoderOptions {
            device,
            resize: Some(manifest.preprocess.resize),
            ..EncoderOptions::default()
        };
        let encoder = Encoder::open(&path, &options)?;
        let [height, width, channels] = manifest.grid;
        let decoder = OnnxDecoder::open(folder, [height * width, channels], None)?;
        Ok(Self { manifest, encoder, decoder, vocabulary })
    }

    /// What the model says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The encoder.
    #[must_use]
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Captions the image whose file holds `bytes`.
    pub fn caption(&mut self, bytes: &[u8], options: &SearchOptions) -> Result<Captioned> {
        let start = Instant::now();
        let preprocess = self.encoder.preprocess();
        let mut tensor = vec![0.0; preprocess.values()];
        preprocess.apply(&decode(bytes)?, &mut tensor)?;
        let decoded = Instant::now();
        let grid = self.encoder.encode(&tensor, 1)?;
        let encoded = Instant::now();
        let found = search(&mut self.decoder, &grid, 1, options)?;
        let captions = found.iter().flatten().map(|hypothesis| self.describe(hypothesis)).collect();
        Ok(Captioned {
            captions,
            decode: decoded - start,
            encode: encoded - decoded,
            search: encoded.elapsed(),
        })
    }

    fn describe(&self, hypothesis: &Hypothesis) -> Caption {
        let [_, width, _] = self.manifest.grid;
        let word = |((&id, log_probability), attention): ((&WordId, &f32), &Vec<f32>)| Word {
            text: self.vocabulary.word(id).to_owned(),
            probability: log_probability.exp(),
            attention: attention.chunks(width).map(<[f32]>::to_vec).collect(),
        };
        let words = hypothesis.words.iter().zip(&hypothesis.word_log_probabilities);
        Caption {
            text: self.vocabulary.decode(&hypothesis.words),
            log_probability: hypothesis.log_probability,
            finished: hypothesis.finished,
            words: words.zip(&hypothesis.attention).map(word).collect(),
        }
    }
}
