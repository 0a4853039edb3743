//! Generated captions and their scores.

use std::collections::BTreeMap;

use data::Vocabulary;
use data::metrics::statistics::CaptionStatistics;
use data::metrics::{Item, Scores, Sums, score};
use features::{FeatureStore, ORIGINAL};
use models::{Decoder, Hypothesis, SearchOptions, search};
use tch::Device;

use crate::dataset::ScoredImage;
use crate::recipes::Network;
use crate::torch_decoder::TorchDecoder;
use crate::{Error, Result};

/// Images searched at once.
const BATCH: usize = 25;

/// The best caption of an image.
#[derive(Debug, Clone)]
pub struct Captioned {
    /// The image.
    pub image: String,
    /// What was found.
    pub hypothesis: Hypothesis,
    /// It as text.
    pub caption: String,
    /// What it contributes to the scores.
    pub sums: Sums,
}

/// The best captions of images, and their scores.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The scores.
    pub scores: Scores,
    /// The captions, in the order of the images.
    pub captioned: Vec<Captioned>,
    /// How many captions were cut off at the longest length.
    pub unfinished: usize,
    /// What the scores do not show of them.
    pub health: CaptionStatistics,
}

impl Evaluation {
    /// The captions by image.
    #[must_use]
    pub fn captions(&self) -> BTreeMap<&str, &str> {
        self.captioned.iter().map(|of| (of.image.as_str(), of.caption.as_str())).collect()
    }

    fn of(images: &[ScoredImage], found: Vec<Hypothesis>, vocabulary: &Vocabulary) -> Self {
        let words = |hypothesis: &Hypothesis| {
            hypothesis.words.iter().map(|&word| vocabulary.word(word).to_owned()).collect()
        };
        let items = images.iter().zip(&found).map(|(image, hypothesis)| Item {
            references: image.references.clone(),
            hypothesis: words(hypothesis),
        });
        let items = items.collect::<Vec<_>>();
        let sums = score(&items, None);
        let spoken = items.iter().map(|item| item.hypothesis.as_slice()).collect::<Vec<_>>();
        let scores = sums.iter().copied().sum::<Sums>().scores();
        let unfinished = found.iter().filter(|hypothesis| !hypothesis.finished).count();
        let health = CaptionStatistics::count(&spoken, None);
        let captioned = images.iter().zip(found).zip(sums).map(|((image, hypothesis), sums)| {
            let caption = vocabulary.decode(&hypothesis.words);
            Captioned { image: image.image.clone(), hypothesis, caption, sums }
        });
        Self { scores, captioned: captioned.collect(), unfinished, health }
    }
}

/// Captions all `images` from the store, with one network or the mean of several, and scores the
/// captions.
pub fn evaluate(
    networks: &[&dyn Network],
    vocabulary: &Vocabulary,
    images: &[ScoredImage],
    store: &FeatureStore,
    options: &SearchOptions,
    device: Device,
) -> Result<Evaluation> {
    let mut decoder = TorchDecoder::new(networks, store.grid_shape().channels as i64, device);
    let best = captions(&mut decoder, images, store, options)?;
    Ok(Evaluation::of(images, best, vocabulary))
}

/// The best caption of each image of the store.
pub(crate) fn captions<D: Decoder<Error: Into<Error>>>(
    decoder: &mut D,
    images: &[ScoredImage],
    store: &FeatureStore,
    options: &SearchOptions,
) -> Result<Vec<Hypothesis>> {
    let mut found = Vec::with_capacity(images.len());
    for part in images.chunks(BATCH) {
        let grids = grids(part, store)?;
        let hypotheses = search(decoder, &grids, part.len(), options).map_err(Into::into)?;
        found.extend(hypotheses.into_iter().map(|of_image| of_image.into_iter().next()));
    }
    let best = found.into_iter().collect::<Option<Vec<_>>>();
    best.ok_or_else(|| Error::Training("the search found no caption".to_owned()))
}

fn grids(images: &[ScoredImage], store: &FeatureStore) -> Result<Vec<f32>> {
    let values = store.grid_shape().values();
    let mut grids = vec![0.0; images.len() * values];
    let view = store.view(ORIGINAL)?;
    for (image, grid) in images.iter().zip(grids.chunks_exact_mut(values)) {
        store.read(image.row, view, grid)?;
    }
    Ok(grids)
}
