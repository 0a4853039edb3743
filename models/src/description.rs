//! What a captioner says of photos.

use std::time::Duration;

use ndarray::Array2;
use serde::{Serialize, Serializer};

use crate::{Style, Tag};

/// What a captioner says of a photo.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Description {
    /// The captions, the best first; never empty.
    pub captions: Vec<Caption>,
    /// The probable classes by the classifier that the encoder was made of; none where they were not asked for or the
    /// encoder has no head.
    pub tags: Option<Vec<Tag>>,
    /// Whether the most similar training image is less similar than it is for almost all dev photos, so that the caption
    /// has little to go by. Known only where captions have a confidence and the neighbour index has all training images.
    pub unfamiliar: bool,
}

/// The description of a photo and the duration of each stage.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptionedPhoto {
    /// The description.
    pub description: Description,
    /// Bytes to tensor.
    pub decode: Duration,
    /// Tensor to grid.
    pub encode: Duration,
    /// Grid to captions.
    pub search: Duration,
}

/// The descriptions of several photos and the duration of each stage.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptionedBatch {
    /// The descriptions, in the order of the photos.
    pub photos: Vec<Description>,
    /// Tensors to grids.
    pub encode: Duration,
    /// Grids to captions.
    pub search: Duration,
}

/// A caption with its probabilities and attention.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Caption {
    /// The words, joined by spaces.
    pub text: String,
    /// Natural logarithm of the caption's probability.
    pub log_probability: f32,
    /// The number by which captions are ordered: the log-probability divided by a power of the number of words, the end
    /// counted as one where there is one. The exponent is [`SearchOptions::length_exponent`], usually 0.7; with an
    /// exponent of 1 it is the mean of a word, with 0 the log-probability. With a neighbour index its consensus is added;
    /// without one it is never above zero. The greater, the better.
    ///
    /// [`SearchOptions::length_exponent`]: crate::SearchOptions::length_exponent
    /// Captions that the network ended come before others, whatever their score.
    pub score: f32,
    /// Whether the network ended it; else it was truncated at the maximum length.
    pub finished: bool,
    /// The calibrated probability that the best caption is right ([`confidence`](crate::confidence)); none for others, and
    /// for a search that the model was not calibrated for.
    pub confidence: Option<f32>,
    /// Its words.
    pub words: Vec<Word>,
}

impl Caption {
    /// The caption as a sentence: with a capital letter and a full stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        Style::Plain.sentence(self)
    }
}

/// A caption in results for programs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CaptionSummary<'a> {
    text: &'a str,
    sentence: String,
    log_probability: f32,
    score: f32,
    finished: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<&'a [Word]>,
}

impl<'a> CaptionSummary<'a> {
    /// The summary of a caption, with its sentence in a style, and its words if they are wanted.
    #[must_use]
    pub fn new(caption: &'a Caption, style: Style, with_words: bool) -> Self {
        Self {
            text: &caption.text,
            sentence: style.sentence(caption),
            log_probability: caption.log_probability,
            score: caption.score,
            finished: caption.finished,
            words: with_words.then_some(&caption.words[..]),
        }
    }
}

/// A word of a caption.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Word {
    /// The word.
    pub text: String,
    /// Its probability after the words before it.
    pub probability: f32,
    /// The attention of the network, `[h, w]`: a weight for each cell; they sum to one.
    #[serde(serialize_with = "rows")]
    pub attention: Array2<f32>,
}

/// Writes an array as a list of rows.
fn rows<S: Serializer>(array: &Array2<f32>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(array.outer_iter().map(|row| row.to_vec()))
}
