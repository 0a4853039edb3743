//! Generated captions and their scores.

use std::collections::BTreeMap;

use data::Vocabulary;
use data::metrics::{Item, bleu, cider};
use features::{FeatureStore, ORIGINAL};
use models::{Hypothesis, SearchOptions, search};
use serde::Serialize;
use tch::Device;

use crate::dataset::ScoredImage;
use crate::network::ShowAttendTell;
use crate::torch_decoder::TorchDecoder;
use crate::{Error, Result};

/// How the scores are counted, to be printed beside them.
pub const PROTOCOL: &str = "generated captions; lower case, no punctuation; \
                            BLEU and CIDEr-D as counted by pycocoevalcap 1.2";
/// Images searched at once.
const BATCH: usize = 25;

/// Scores over a split, as fractions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Score by name: `BLEU-1` to `BLEU-4` and `CIDEr`.
    #[serde(flatten)]
    pub by_name: BTreeMap<String, f64>,
    /// The number of images.
    pub images: usize,
}

impl Scores {
    /// CIDEr, by which checkpoints are chosen.
    #[must_use]
    pub fn cider(&self) -> f64 {
        self.by_name.get("CIDEr").copied().unwrap_or(0.0)
    }

    /// BLEU-4.
    #[must_use]
    pub fn bleu_4(&self) -> f64 {
        self.by_name.get("BLEU-4").copied().unwrap_or(0.0)
    }
}

/// The best caption of each image, and their scores.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The scores.
    pub scores: Scores,
    /// The captions by image.
    pub captions: BTreeMap<String, String>,
    /// How many captions were cut off at the longest length.
    pub unfinished: usize,
}

/// Captions all `images` from the store and scores the captions.
pub fn evaluate(
    network: &ShowAttendTell,
    vocabulary: &Vocabulary,
    images: &[ScoredImage],
    store: &FeatureStore,
    options: &SearchOptions,
    device: Device,
) -> Result<Evaluation> {
    let mut decoder = TorchDecoder::new(network, device);
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
    let scores = score(&items.collect::<Vec<_>>());
    let unfinished = best.iter().filter(|hypothesis| !hypothesis.finished).count();
    let text = |hypothesis: &Hypothesis| vocabulary.decode(&hypothesis.words);
    let captions = images.iter().zip(&best).map(|(image, best)| (image.image.clone(), text(best)));
    Ok(Evaluation { scores, captions: captions.collect(), unfinished })
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

fn score(items: &[Item]) -> Scores {
    let mut by_name = (1..)
        .zip(bleu(items))
        .map(|(n, score)| (format!("BLEU-{n}"), score))
        .collect::<BTreeMap<_, _>>();
    by_name.insert("CIDEr".to_owned(), cider(items));
    Scores { by_name, images: items.len() }
}
