//! Captions of images.

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use common::{Rect, View};
use data::Vocabulary;
use data::vocabulary::WordId;
use image::codecs::jpeg::JpegEncoder;
use ndarray::{
    Array, Array4, ArrayView, ArrayView1, ArrayView2, ArrayView4, Axis, CowArray, Dimension, Ix4,
    concatenate, s,
};

use crate::confidence::{CalibratedSearch, Calibration};
use crate::decode::{Limits, RgbImage, memory_for};
use crate::decoder::Products;
use crate::encoder::{EncoderOptions, cells_last};
use crate::overlay::{Overlay, scaled_down};
use crate::preprocess::visible_region;
use crate::view::{self, original_first};
use crate::{
    Caption, CaptionedBatch, CaptionedPhoto, Description, Device, DeviceChoice, Encoder, Error,
    Hypothesis, ImageError, Manifest, NeighbourChoice, NeighbourIndex, OnnxDecoder, Preprocess,
    Result, SearchOptions, Tag, Word, decode, head, search_views,
};

/// Number of views that are encoded at once: more take more memory and no less time.
const ENCODED_AT_ONCE: usize = 8;
/// The JPEG quality of small pictures.
const THUMBNAIL_QUALITY: u8 = 80;

/// Options of a captioner.
#[derive(Debug, Clone, Default)]
pub struct CaptionerOptions {
    /// The encoder, if it is neither in the model folder nor in the folder above it.
    pub encoder: Option<PathBuf>,
    /// The device of the encoder.
    pub device: DeviceChoice,
    /// Threads of its own; with `None` all captioners share one for each core, which gives the lowest latency. For
    /// throughput, several captioners with one thread each are faster.
    pub threads: Option<usize>,
    /// The views of an image whose word probabilities are averaged; `None` for those of the model. The original is always
    /// one of them.
    pub views: Option<Vec<View>>,
    /// The neighbour index.
    pub neighbours: NeighbourChoice,
    /// Whether photos get tags, if the encoder has a head.
    pub tags: bool,
    /// Whether the decoder multiplies 32-bit floats on every processor. Otherwise it multiplies 8-bit integers where that is
    /// faster: about one caption in 25 differs then, and CIDEr is equal within noise.
    pub exact: bool,
    /// Limits of images.
    pub limits: Limits,
}

/// An image as the input of the encoder.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// `[views, 3, H, W]`.
    tensors: Array4<f32>,
    visible_region: Rect,
}

impl Prepared {
    /// The part of the image that the encoder sees; the attention of words covers it.
    #[must_use]
    pub fn visible_region(&self) -> Rect {
        self.visible_region
    }
}

/// What the encoder says of photos.
struct EncodedPhotos {
    /// The grids, `[images, views, cells, C]`.
    grids: Array4<f32>,
    /// The tags of each photo, if the encoder has a head.
    tags: Vec<Option<Vec<Tag>>>,
}

/// An encoder, a decoder and a vocabulary that belong together. Threads may share it: while one image is searched, the
/// next one is encoded and others are decoded.
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
/// println!("{}", captioned.description.captions[0].text);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Captioner {
    manifest: Manifest,
    preprocess: Preprocess,
    encoder_name: String,
    /// The names of the encoder's classes, if photos get tags.
    classes: Option<Vec<String>>,
    device: Device,
    cuda_problem: Option<String>,
    encoder: Mutex<Encoder>,
    decoder: Mutex<OnnxDecoder>,
    views: Vec<View>,
    vocabulary: Vocabulary,
    neighbours: Option<NeighbourIndex>,
    limits: Limits,
}

impl Captioner {
    /// Opens the model in `folder`. Each file is read once.
    ///
    /// # Errors
    /// If a part is missing, cannot be read or belongs to another model, if ONNX Runtime is missing or refuses a network,
    /// or if the device is not available.
    pub fn open(folder: &Path, options: &CaptionerOptions) -> Result<Self> {
        let manifest = Manifest::load(folder)?;
        let vocabulary = manifest.vocabulary(folder)?;
        let products = Products::choose(options.exact);
        let (decoder, neighbours, encoder) = thread::scope(|scope| {
            let encoder = scope.spawn(|| open_encoder(&manifest, folder, options));
            let decoder = manifest
                .decoder(folder)
                .and_then(|files| OnnxDecoder::from_files(&files, options.threads, products));
            let neighbours = manifest.neighbours(folder, &options.neighbours, &vocabulary);
            (decoder, neighbours, encoder.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let (decoder, encoder, neighbours) = (decoder?, encoder?, neighbours?);
        Ok(Self {
            views: original_first(options.views.as_ref().unwrap_or(&manifest.views)),
            manifest,
            preprocess: encoder.preprocess().clone(),
            encoder_name: encoder.name(),
            classes: encoder.classes().map(<[String]>::to_vec),
            device: encoder.device(),
            cuda_problem: encoder.cuda_problem().map(str::to_owned),
            encoder: Mutex::new(encoder),
            decoder: Mutex::new(decoder),
            vocabulary,
            neighbours,
            limits: options.limits,
        })
    }

    /// The manifest of the model.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The file name of the encoder.
    #[must_use]
    pub fn encoder_name(&self) -> &str {
        &self.encoder_name
    }

    /// Whether photos get tags.
    #[must_use]
    pub fn has_tags(&self) -> bool {
        self.classes.is_some()
    }

    /// The device of the encoder.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// Why the encoder is on the CPU, although ONNX Runtime has a CUDA provider ([`Encoder::cuda_problem`]).
    #[must_use]
    pub fn cuda_problem(&self) -> Option<&str> {
        self.cuda_problem.as_deref()
    }

    /// The views of an image whose word probabilities are averaged, the original first.
    #[must_use]
    pub fn views(&self) -> &[View] {
        &self.views
    }

    /// Maximum memory in bytes that [`prepare`](Self::prepare) holds at one time in addition to `bytes`, according to the
    /// header of the image.
    ///
    /// # Errors
    /// [`Error::Image`] if the bytes are not an image, or one that is not supported or too large.
    pub fn decode_memory(&self, bytes: &[u8]) -> Result<u64> {
        let decoding = memory_for(bytes, self.limits, &self.preprocess, &self.views)?;
        Ok(decoding + self.tensor_memory())
    }

    /// The memory in bytes of an image that is [prepared](Self::prepare): a tensor for each view.
    #[must_use]
    pub fn tensor_memory(&self) -> u64 {
        (self.views.len() * self.preprocess.values() * size_of::<f32>()) as u64
    }

    /// Decodes the image whose file holds `bytes`.
    ///
    /// # Errors
    /// [`Error::Image`] if the image cannot be used.
    pub fn prepare(&self, bytes: &[u8]) -> Result<Prepared> {
        self.prepare_pixels(&decode(bytes, &self.limits)?)
    }

    /// Prepares an upright image that is decoded already.
    ///
    /// # Errors
    /// [`Error::Image`] if the image has no pixels, more than the limit, or cannot be resized.
    pub fn prepare_pixels(&self, image: &RgbImage) -> Result<Prepared> {
        self.limits.check([image.width(), image.height()])?;
        let visible_region = visible_region(&self.preprocess, image.width(), image.height());
        let mut tensors = self.black_tensors();
        for (&view, tensor) in self.views.iter().zip(tensors.outer_iter_mut()) {
            view::apply(view, image, &self.preprocess, tensor)?;
        }
        Ok(Prepared { tensors, visible_region })
    }

    /// `[views, 3, H, W]`.
    fn black_tensors(&self) -> Array4<f32> {
        let [channels, height, width] = self.preprocess.shape();
        Array4::zeros([self.views.len(), channels, height, width])
    }

    /// Captions a batch of black images, so that the first photos take neither more time nor more memory than others.
    ///
    /// # Errors
    /// Those of [`caption_all`](Self::caption_all).
    pub fn warm_up(&self, photos: usize, options: &SearchOptions) -> Result<()> {
        let photo = Prepared { tensors: self.black_tensors(), visible_region: Rect::WHOLE };
        self.caption_all(&vec![photo; photos], options).map(|_| ())
    }

    /// Captions the image whose file holds `bytes`. The durations include waiting for other threads.
    ///
    /// # Errors
    /// [`Error::Image`] if the image cannot be used; those of [`caption_all`](Self::caption_all).
    pub fn caption(&self, bytes: &[u8], options: &SearchOptions) -> Result<CaptionedPhoto> {
        let start = Instant::now();
        let photo = self.prepare(bytes)?;
        let decode = start.elapsed();
        let CaptionedBatch { photos, encode, search } = self.caption_all(&[photo], options)?;
        let description = photos.into_iter().next().unwrap_or_default();
        Ok(CaptionedPhoto { description, decode, encode, search })
    }

    /// Captions several photos in one batch, which takes less time than one after the other.
    ///
    /// # Errors
    /// [`Error::Run`] if a network fails.
    pub fn caption_all(
        &self,
        photos: &[Prepared],
        options: &SearchOptions,
    ) -> Result<CaptionedBatch> {
        let start = Instant::now();
        let EncodedPhotos { grids, tags } = self.encode(photos)?;
        let encoded = Instant::now();
        let found = self.search(grids.view(), options)?;
        let describe = |(found, tags): (&Vec<_>, _)| self.describe_all(found, tags, options);
        let photos = found.iter().zip(tags).map(describe).collect();
        Ok(CaptionedBatch { photos, encode: encoded - start, search: encoded.elapsed() })
    }

    /// Encodes photos; the tags of each are by the mean of its views.
    fn encode(&self, photos: &[Prepared]) -> Result<EncodedPhotos> {
        let views = self.views.len();
        let mut parts = Vec::new();
        let mut tags = Vec::with_capacity(photos.len());
        for photos in photos.chunks((ENCODED_AT_ONCE / views).max(1)) {
            let encoded = lock(&self.encoder).encode_and_classify(joined(photos).view())?;
            parts.push(cells_last(encoded.grids.view()));
            let of_photo = |at: usize| s![at * views..(at + 1) * views, ..];
            let classes = |at| encoded.classes.as_ref().map(|of| of.slice(of_photo(at)));
            tags.extend((0..photos.len()).map(|at| self.tags(classes(at))));
        }
        let grids = match parts.len() {
            1 => parts.swap_remove(0),
            _ => concatenate(Axis(0), &views_of(&parts)).unwrap_or_default(),
        };
        let (cells, channels) = (self.manifest.grid.cells(), self.manifest.grid.channels);
        let shape = [photos.len(), views, cells, channels];
        let grids = grids.into_shape_with_order(shape).unwrap_or_default();
        Ok(EncodedPhotos { grids, tags })
    }

    /// The tags by the probabilities of classes for each view, `[views, classes]`.
    fn tags(&self, probabilities: Option<ArrayView2<f32>>) -> Option<Vec<Tag>> {
        let mean = probabilities?.mean_axis(Axis(0))?;
        Some(head::tags(self.classes.as_ref()?, mean.view()))
    }

    /// Searches the captions of grids `[images, views, cells, C]`; with a neighbour index, in a beam that leaves it a choice.
    fn search(
        &self,
        grids: ArrayView4<f32>,
        options: &SearchOptions,
    ) -> Result<Vec<Vec<Hypothesis>>> {
        let Some(neighbours) = &self.neighbours else {
            return search_views(&mut *lock(&self.decoder), grids, options);
        };
        let widened = neighbours.widen(options);
        let mut found = search_views(&mut *lock(&self.decoder), grids, &widened)?;
        for (grids, captions) in grids.outer_iter().zip(&mut found) {
            neighbours.rerank(grids, captions, None);
        }
        Ok(found)
    }

    /// Draws the attention of each word of a caption on the image whose file holds `bytes`: a PNG each in `folder`, named
    /// by the word's index and the word.
    ///
    /// # Errors
    /// [`Error::Image`] if the image cannot be used, [`Error::Io`] if a drawing cannot be written.
    pub fn draw_attention(&self, bytes: &[u8], caption: &Caption, folder: &Path) -> Result<()> {
        let overlay = Overlay::new(&decode(bytes, &self.limits)?, &self.preprocess);
        fs::create_dir_all(folder).map_err(Error::io(folder))?;
        for (at, word) in caption.words.iter().enumerate() {
            let plain =
                word.text.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' });
            let path = folder.join(format!("{:02}-{}.png", at + 1, plain.collect::<String>()));
            let drawing = overlay.draw(word.attention.view());
            drawing
                .save(&path)
                .map_err(|error| Error::Io { path, source: std::io::Error::other(error) })?;
        }
        Ok(())
    }

    /// A small picture of the image whose file holds `bytes`, as JPEG; no side is longer than `max_side` pixels.
    ///
    /// # Errors
    /// [`Error::Image`] if the image cannot be used.
    pub fn thumbnail(&self, bytes: &[u8], max_side: u32) -> Result<Vec<u8>> {
        let picture = scaled_down(&decode(bytes, &self.limits)?, max_side);
        let mut jpeg = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut jpeg, THUMBNAIL_QUALITY);
        picture.write_with_encoder(encoder).map_err(ImageError::from)?;
        Ok(jpeg)
    }

    /// The description of a photo by the captions that were found, the first one with its confidence.
    fn describe_all(
        &self,
        found: &[Hypothesis],
        tags: Option<Vec<Tag>>,
        options: &SearchOptions,
    ) -> Description {
        let wanted = found.iter().take(options.n_best.max(1));
        let mut captions = wanted.map(|hypothesis| self.describe(hypothesis)).collect::<Vec<_>>();
        let calibration = self.calibration(options);
        if let Some(best) = captions.first_mut() {
            best.confidence = calibration.and_then(|of| of.confidence(found));
        }
        let unfamiliar = calibration.is_some_and(|of| of.is_unfamiliar(found));
        Description { captions, tags, unfamiliar }
    }

    /// The calibration of the model, if it holds for the search.
    fn calibration(&self, options: &SearchOptions) -> Option<&Calibration> {
        let neighbours = self.neighbours.as_ref()?;
        let calibration = self.manifest.confidence.as_ref()?;
        let widened = neighbours.widen(options);
        let search = CalibratedSearch::new(&self.views, &widened, neighbours.sha256());
        (calibration.search == search).then_some(calibration)
    }

    /// Whether captions of that search have a confidence.
    #[must_use]
    pub fn is_calibrated(&self, options: &SearchOptions) -> bool {
        self.calibration(options).is_some()
    }

    fn describe(&self, hypothesis: &Hypothesis) -> Caption {
        let grid = self.manifest.grid;
        let sides = [grid.height, grid.width];
        let word = |((&id, log_probability), attention): ((&WordId, &f32), ArrayView1<f32>)| Word {
            text: self.vocabulary.word(id).to_owned(),
            probability: log_probability.exp(),
            attention: attention.to_owned().into_shape_with_order(sides).unwrap_or_default(),
        };
        let words = hypothesis.words.iter().zip(&hypothesis.word_log_probabilities);
        Caption {
            text: self.vocabulary.decode(&hypothesis.words),
            log_probability: hypothesis.log_probability,
            score: hypothesis.score,
            finished: hypothesis.finished,
            confidence: None,
            words: words.zip(hypothesis.attention.outer_iter()).map(word).collect(),
        }
    }
}

/// Finds, reads and opens the encoder of the model in `folder`.
fn open_encoder(manifest: &Manifest, folder: &Path, options: &CaptionerOptions) -> Result<Encoder> {
    let path = manifest.find_encoder(folder, options.encoder.as_deref())?;
    let resize = Some(manifest.preprocess.resize);
    let CaptionerOptions { device, threads, tags: classify, .. } = *options;
    let options = EncoderOptions { device, threads, resize, classify, ..EncoderOptions::default() };
    Encoder::from_file(manifest.encoder(&path)?, &options)
}

/// The tensors of photos, `[photos · views, 3, H, W]`; those of a single photo are not copied.
fn joined(photos: &[Prepared]) -> CowArray<'_, f32, Ix4> {
    if let [photo] = photos {
        return photo.tensors.view().into();
    }
    let tensors = photos.iter().map(|photo| photo.tensors.view()).collect::<Vec<_>>();
    concatenate(Axis(0), &tensors).unwrap_or_default().into()
}

fn views_of<D: Dimension>(arrays: &[Array<f32, D>]) -> Vec<ArrayView<'_, f32, D>> {
    arrays.iter().map(|array| array.view()).collect()
}

/// Locks a network. A panic may leave it in any state, but each image starts from the beginning.
fn lock<T>(part: &Mutex<T>) -> MutexGuard<'_, T> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}
