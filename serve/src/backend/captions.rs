//! The captions of a photo.

use common::Rect;
use models::Caption;
use models::captioner::Word;

/// The captions of a photo, as they are cached.
#[derive(Debug)]
pub(crate) struct PhotoCaptions {
    /// The best first; never empty.
    pub(crate) captions: Vec<Caption>,
    /// The part of the photo that the encoder sees and the attention covers.
    pub(crate) seen: Rect,
    bytes: u64,
}

impl PhotoCaptions {
    pub(super) fn new(captions: Vec<Caption>, seen: Rect) -> Self {
        let bytes = captions.iter().map(bytes_of_caption).sum::<usize>() + size_of::<Self>();
        Self { captions, seen, bytes: bytes as u64 }
    }

    /// The memory it takes, in bytes.
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
