//! Generated captions and their scores.

use std::collections::BTreeMap;

use data::Vocabulary;
use data::metrics::health::Health;
use data::metrics::{Item, Scores, Sums, score};
use features::{FeatureStore, ORIGINAL};
use models::{Hypothesis, SearchOptions, search};
use tch::Device;

use crate::dataset::ScoredImage;
use crate::recipes::Network;
use crate::torch_decoder::TorchDecoder;
use crate::{Error, Result};

/// Images searched at once.
const BATCH: usize = 25;

/// The best caption of each image, and their scores.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The scores.
    pub scores: Scores,
    /// The number of images.
    pub images: usize,
    /// The captions by image.
    pub captions: BTreeMap<String, String>,
    /// How many captions were cut off at the longest length.
    pub unfinished: usize,
    /// What the scores do not show of them.
    pub health: Health,
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
    let mut found = Vec::with_capacity(images.len());
    for part in images.chunks(BATCH) {
        let grids = grids(part, store)?;
        let hypotheses = search(&mut decoder, &grids, part.len(), options)?;
        found.extend(hypotheses.into_iter().map(|of_image| of_image.into_iter().next()));
    }
    let best = found.into_iter().collect::<Option<Vec<_>>>();
    let best = best.ok_or_else(|| Error::Training("the search found no caption".to_owned()))?;
    let items =
        images.iter().zip(&best).map(|(image, hypothesis)| item(image, hypothesis, vocabulary));
    let items = items.collect::<Vec<_>>();
    let scores = score(&items, None).into_iter().sum::<Sums>().scores();
    let captions = items.iter().map(|item| item.hypothesis.as_slice()).collect::<Vec<_>>();
    let health = Health::of(&captions, None);
    let unfinished = best.iter().filter(|hypothesis| !hypothesis.finished).count();
    let text = |hypothesis: &Hypothesis| vocabulary.decode(&hypothesis.words);
    let captions = images.iter().zip(&best).map(|(image, best)| (image.image.clone(), text(best)));
    Ok(Evaluation {
        scores,
        images: images.len(),
        captions: captions.collect(),
        unfinished,
        health,
    })
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

fn item(image: &ScoredImage, hypothesis: &Hypothesis, vocabulary: &Vocabulary) -> Item {
    Item {
        references: image.references.clone(),
        hypothesis: hypothesis.words.iter().map(|&word| vocabulary.word(word).to_owned()).collect(),
    }
}
