//! Generation of captions, and their scores.

use std::collections::BTreeMap;

use common::View;
use data::Vocabulary;
use data::metrics::statistics::CaptionStatistics;
use data::metrics::{Item, Scores, Sums, score};
use features::FeatureStore;
use models::{Decoder, Hypothesis, NeighbourIndex, SearchOptions, search_views};
use ndarray::Array4;
use tch::Device;

use crate::dataset::ScoredImage;
use crate::recipes::Network;
use crate::torch_decoder::TorchDecoder;
use crate::{Error, Result};

/// Number of images that are searched at once.
const BATCH: usize = 25;

/// An image with its best caption.
#[derive(Debug, Clone)]
pub struct CaptionedImage {
    /// The image.
    pub image: String,
    /// The caption as the search found it.
    pub(crate) hypothesis: Hypothesis,
    /// The caption as text.
    pub caption: String,
    /// Its contribution to the scores.
    pub sums: Sums,
}

/// The best captions of images, and their scores.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// The scores.
    pub scores: Scores,
    /// The captions, in the order of the images.
    pub captioned: Vec<CaptionedImage>,
    /// Number of captions that were truncated at the maximum length.
    pub unfinished: usize,
    /// Statistics of the captions.
    pub statistics: CaptionStatistics,
}

impl Evaluation {
    /// The captions by image.
    #[must_use]
    pub fn captions(&self) -> BTreeMap<&str, &str> {
        self.captioned.iter().map(|of| (of.image.as_str(), of.caption.as_str())).collect()
    }

    /// The words of each caption.
    pub(crate) fn words(&self, vocabulary: &Vocabulary) -> impl Iterator<Item = Vec<String>> {
        self.captioned.iter().map(|of| words(&of.hypothesis, vocabulary))
    }

    fn new(images: &[ScoredImage], found: Vec<Hypothesis>, vocabulary: &Vocabulary) -> Self {
        let items = images.iter().zip(&found).map(|(image, hypothesis)| Item {
            references: image.reference_tokens(),
            hypothesis: words(hypothesis, vocabulary),
        });
        let items = items.collect::<Vec<_>>();
        let sums = score(&items, None);
        let spoken = items.iter().map(|item| item.hypothesis.as_slice()).collect::<Vec<_>>();
        let scores = sums.iter().copied().sum::<Sums>().scores();
        let unfinished = found.iter().filter(|hypothesis| !hypothesis.finished).count();
        let statistics = CaptionStatistics::count(&spoken, None);
        let captioned = images.iter().zip(found).zip(sums).map(|((image, hypothesis), sums)| {
            let caption = vocabulary.decode(&hypothesis.words);
            CaptionedImage { image: image.image.clone(), hypothesis, caption, sums }
        });
        Self { scores, captioned: captioned.collect(), unfinished, statistics }
    }
}

/// The words of a caption.
pub(crate) fn words(hypothesis: &Hypothesis, vocabulary: &Vocabulary) -> Vec<String> {
    hypothesis.words.iter().map(|&word| vocabulary.word(word).to_owned()).collect()
}

/// How captions are searched, and chosen among.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The beam search.
    pub options: &'a SearchOptions,
    /// The views of an image whose word probabilities are averaged.
    pub views: &'a [View],
    /// The neighbours that choose among the captions of the beam.
    pub neighbours: Option<&'a NeighbourIndex>,
}

impl<'a> Search<'a> {
    /// A search of the original view alone, whose captions are ranked by the network alone.
    #[must_use]
    pub fn by_network(options: &'a SearchOptions) -> Self {
        Self { options, views: &[View::Original], neighbours: None }
    }
}

/// The setup of an evaluation.
#[derive(Debug, Clone, Copy)]
pub struct EvaluationSetup<'a> {
    /// The grids.
    pub store: &'a FeatureStore,
    /// The vocabulary of the networks.
    pub vocabulary: &'a Vocabulary,
    /// How captions are searched.
    pub search: Search<'a>,
    /// The device of the networks.
    pub device: Device,
}

/// Captions images with one network or the mean of several, and scores the captions.
///
/// # Errors
/// [`Error::Features`] if a grid cannot be read, [`Error::Torch`], and [`Error::NoCaption`] if the search finds none.
pub fn evaluate(
    networks: &[&dyn Network],
    images: &[ScoredImage],
    setup: EvaluationSetup,
) -> Result<Evaluation> {
    let EvaluationSetup { store, vocabulary, search, device } = setup;
    let mut decoder = TorchDecoder::new(networks, device);
    let best = captions(&mut decoder, images, store, search)?;
    Ok(Evaluation::new(images, best, vocabulary))
}

/// Finds the captions of images, the best first, with one network or the mean of several.
///
/// # Errors
/// As [`evaluate`].
pub fn hypotheses(
    networks: &[&dyn Network],
    images: &[ScoredImage],
    setup: EvaluationSetup,
) -> Result<Vec<Vec<Hypothesis>>> {
    let mut decoder = TorchDecoder::new(networks, setup.device);
    search_all(&mut decoder, images, setup.store, setup.search)
}

/// Searches the best caption of each image.
pub(crate) fn captions<D: Decoder<Error: Into<Error>>>(
    decoder: &mut D,
    images: &[ScoredImage],
    store: &FeatureStore,
    search: Search,
) -> Result<Vec<Hypothesis>> {
    let found = search_all(decoder, images, store, search)?.into_iter();
    let best = found.map(|of_image| of_image.into_iter().next()).collect::<Option<Vec<_>>>();
    best.ok_or(Error::NoCaption)
}

/// Searches the captions of each image, the best first.
fn search_all<D: Decoder<Error: Into<Error>>>(
    decoder: &mut D,
    images: &[ScoredImage],
    store: &FeatureStore,
    Search { options, views, neighbours }: Search,
) -> Result<Vec<Vec<Hypothesis>>> {
    let options = neighbours.map_or(*options, |index| index.widen(options));
    let mut found = Vec::with_capacity(images.len());
    for part in images.chunks(BATCH) {
        let grids = grids(part, store, views)?;
        let mut hypotheses = search_views(decoder, grids.view(), &options).map_err(Into::into)?;
        if let Some(index) = neighbours {
            for ((image, grids), captions) in
                part.iter().zip(grids.outer_iter()).zip(&mut hypotheses)
            {
                index.rerank(grids, captions, Some(&image.file));
            }
        }
        found.extend(hypotheses);
    }
    Ok(found)
}

/// The grids of images, `[images, views, cells, channels]`.
fn grids(images: &[ScoredImage], store: &FeatureStore, views: &[View]) -> Result<Array4<f32>> {
    let shape = store.grid_shape();
    let mut grids = Array4::zeros([images.len(), views.len(), shape.cells(), shape.channels]);
    for (image, mut of_image) in images.iter().zip(grids.outer_iter_mut()) {
        for (&view, grid) in views.iter().zip(of_image.outer_iter_mut()) {
            store.read_into(image.row, store.view(view)?, grid)?;
        }
    }
    Ok(grids)
}
