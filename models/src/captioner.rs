//! Bytes of an image in, captions out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use data::Vocabulary;
use data::vocabulary::WordId;
use serde::Serialize;

use crate::decode::{Limits, memory_for};
use crate::encoder::EncoderOptions;
use crate::overlay::Overlay;
use crate::{
    Device, DeviceChoice, Encoder, Error, Hypothesis, Manifest, OnnxDecoder, Preprocess, Result,
    SearchOptions, decode, search,
};

/// A caption with what the network knows about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Caption {
    /// The words, joined by spaces.
    pub text: String,
    /// Natural logarithm of the caption's probability.
    pub log_probability: f32,
    /// By what captions are ordered: the log-probability divided by a power of the number of words, the end
    /// counted as one where there is one. The exponent is [`SearchOptions::length_exponent`], usually 0.7; an
    /// exponent of 1 would make it the mean of a word, 0 the log-probability. Never above zero; the greater,
    /// the better. Captions that the network ended come before others, whatever their score.
    pub score: f32,
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

/// Which encoder a captioner takes, and where both run.
#[derive(Debug, Clone, Default)]
pub struct CaptionerOptions {
    /// The encoder, if it is neither in the model folder nor in the folder above it.
    pub encoder: Option<PathBuf>,
    /// Where the encoder runs.
    pub device: DeviceChoice,
    /// Threads of its own. Where it is `None` all captioners share one for each core: the quickest way to
    /// one caption. For many captions several captioners with one thread each are quicker.
    pub threads: Option<usize>,
    /// What images are let in.
    pub limits: Limits,
}

/// An image as the encoder takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Photo {
    tensor: Vec<f32>,
    seen: [f64; 4],
}

impl Photo {
    /// The part of the image that the encoder sees, which the attention of words is about: left, top,
    /// width and height, as shares of the image's sides.
    #[must_use]
    pub fn seen(&self) -> [f64; 4] {
        self.seen
    }
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

/// Captions of several images and how long each part of the work took.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The captions of each image, the best first; never empty.
    pub captions: Vec<Vec<Caption>>,
    /// Tensors to grids.
    pub encode: Duration,
    /// Grids to captions.
    pub search: Duration,
}

/// An encoder, a decoder and a vocabulary that belong together. Threads may share it: while one image is
/// searched, the next one is encoded and others are decoded.
///
/// ```no_run
/// use std::path::Path;
///
/// use models::{Captioner, CaptionerOptions, SearchOptions};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let captioner = Captioner::open(Path::new("models/flickr8k"), &CaptionerOptions::default())?;
/// let photo = std::fs::read("photo.jpg")?;
/// let captioned = captioner.caption(&photo, &SearchOptions::default())?;
/// println!("{}", captioned.captions[0].text);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Captioner {
    manifest: Manifest,
    preprocess: Preprocess,
    encoder_name: String,
    device: Device,
    encoder: Mutex<Encoder>,
    decoder: Mutex<OnnxDecoder>,
    vocabulary: Vocabulary,
    limits: Limits,
}

impl Captioner {
    /// Opens the model in `folder`. Parts of different models are refused.
    pub fn open(folder: &Path, options: &CaptionerOptions) -> Result<Self> {
        let manifest = Manifest::load(folder)?;
        manifest.check_decoder(folder)?;
        let vocabulary = manifest.vocabulary(folder)?;
        let (path, sha256) = manifest.find_encoder(folder, options.encoder.as_deref())?;
        let CaptionerOptions { device, threads, limits, .. } = *options;
        let resize = Some(manifest.preprocess.resize);
        let options = EncoderOptions { device, threads, resize };
        let encoder = Encoder::open_hashed(&path, sha256, &options)?;
        let [height, width, channels] = manifest.grid;
        let decoder = OnnxDecoder::open(folder, [height * width, channels], threads)?;
        Ok(Self {
            manifest,
            preprocess: encoder.preprocess().clone(),
            encoder_name: encoder.name(),
            device: encoder.device(),
            encoder: Mutex::new(encoder),
            decoder: Mutex::new(decoder),
            vocabulary,
            limits,
        })
    }

    /// What the model says about itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The file name of the encoder.
    #[must_use]
    pub fn encoder_name(&self) -> &str {
        &self.encoder_name
    }

    /// Where the encoder runs.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// The most bytes of memory that [`prepare`](Self::prepare) holds at one time beside `bytes`, as the
    /// header of the image tells. What is no image, not read or too large is refused.
    pub fn decode_memory(&self, bytes: &[u8]) -> Result<u64> {
        Ok(memory_for(bytes, self.limits, &self.preprocess)?)
    }

    /// Decodes the image whose file holds `bytes`.
    pub fn prepare(&self, bytes: &[u8]) -> Result<Photo> {
        let image = decode(bytes, &self.limits)?;
        let mut tensor = vec![0.0; self.preprocess.values()];
        self.preprocess.apply(&image, &mut tensor)?;
        Ok(Photo { tensor, seen: self.preprocess.seen(image.width(), image.height()) })
    }

    /// Captions so many black images at once, so that the first photos take no longer than others, and no
    /// more memory.
    pub fn warm_up(&self, photos: usize, options: &SearchOptions) -> Result<()> {
        let tensor = vec![0.0; self.preprocess.values()];
        let photo = Photo { tensor, seen: [0.0, 0.0, 1.0, 1.0] };
        self.caption_all(&vec![photo; photos], options).map(|_| ())
    }

    /// Captions the image whose file holds `bytes`. The times it gives include waiting for other
    /// threads.
    pub fn caption(&self, bytes: &[u8], options: &SearchOptions) -> Result<Captioned> {
        let start = Instant::now();
        let photo = self.prepare(bytes)?;
        let decode = start.elapsed();
        let Batch { captions, encode, search } = self.caption_all(&[photo], options)?;
        let captions = captions.into_iter().next().unwrap_or_default();
        Ok(Captioned { captions, decode, encode, search })
    }

    /// Captions several photos at once, which takes less time than one after the other.
    pub fn caption_all(&self, photos: &[Photo], options: &SearchOptions) -> Result<Batch> {
        let start = Instant::now();
        let tensors = photos.iter().map(|photo| photo.tensor.as_slice()).collect::<Vec<_>>();
        let grids = locked(&self.encoder).encode(&tensors.concat(), photos.len())?;
        let encoded = Instant::now();
        let found = search(&mut *locked(&self.decoder), &grids, photos.len(), options)?;
        let describe = |of_photo: &Vec<Hypothesis>| {
            of_photo.iter().map(|hypothesis| self.describe(hypothesis)).collect()
        };
        let captions = found.iter().map(describe).collect();
        Ok(Batch { captions, encode: encoded - start, search: encoded.elapsed() })
    }

    /// Draws where the network looked for each word of a caption of the image whose file holds `bytes`:
    /// a PNG each in `folder`, named by the word's place and the word.
    pub fn draw_attention(&self, bytes: &[u8], caption: &Caption, folder: &Path) -> Result<()> {
        let overlay = Overlay::new(&decode(bytes, &self.limits)?, &self.preprocess);
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        for (at, word) in caption.words.iter().enumerate() {
            let plain =
                word.text.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' });
            let path = folder.join(format!("{:02}-{}.png", at + 1, plain.collect::<String>()));
            let drawn = overlay.draw(&word.attention);
            drawn
                .save(&path)
                .map_err(|error| Error::Io { path, source: std::io::Error::other(error) })?;
        }
        Ok(())
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
            score: hypothesis.score,
            finished: hypothesis.finished,
            words: words.zip(&hypothesis.attention).map(word).collect(),
        }
    }
}

/// One thread at a time. What a panic may have left behind is begun anew with each image.
fn locked<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
