//! The description of a photo.

use common::Rect;
use models::{Caption, Description, Tag, Word};

/// The description of a photo, as it is cached.
#[derive(Debug)]
pub(crate) struct PhotoCaptions {
    pub(crate) description: Description,
    /// The part of the photo that the encoder sees and the attention covers.
    pub(crate) seen: Rect,
    bytes: u64,
}

impl PhotoCaptions {
    pub(super) fn new(description: Description, seen: Rect) -> Self {
        let captions = description.captions.iter().map(bytes_of_caption);
        let tags = description.tags.iter().flatten().map(bytes_of_tag);
        let bytes = captions.chain(tags).sum::<usize>() + size_of::<Self>();
        Self { description, seen, bytes: bytes as u64 }
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

fn bytes_of_tag(tag: &Tag) -> usize {
    size_of::<Tag>() + tag.name.len()
}

fn bytes_of_word(word: &Word) -> usize {
    let attention = size_of::<f32>() * word.attention.len();
    size_of::<Word>() + word.text.len() + attention
}
