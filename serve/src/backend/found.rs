//! What was found out about a photo.

use models::Caption;
use models::captioner::Word;
use models::preprocess::Region;

/// The captions of a photo.
#[derive(Debug)]
pub(crate) struct Found {
    /// The best first; never empty.
    pub(crate) captions: Vec<Caption>,
    /// The part of the photo that the encoder sees and attention is about: left, top, width and height,
    /// as shares of its sides.
    pub(crate) seen: Region,
    bytes: u64,
}

impl Found {
    pub(super) fn new(captions: Vec<Caption>, seen: Region) -> Self {
        let bytes = captions.iter().map(bytes_of_caption).sum::<usize>() + size_of::<Self>();
        Self { captions, seen, bytes: bytes as u64 }
    }

    /// What it takes of memory.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn bytes_of_caption(caption: &Caption) -> usize {
    let words = caption.words.iter().map(bytes_of_word);
    size_of::<Caption>() + caption.text.len() + words.sum::<usize>()
}

fn bytes_of_word(word: &Word) -> usize {
    let attention = size_of::<f32>() * word.attention.len();
    size_of::<Word>() + word.text.len() + attention
}
