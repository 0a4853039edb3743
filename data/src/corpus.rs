//! The captions of a data set as tokens: tokenized once, and each distinct token kept once.

use std::panic::resume_unwind;
use std::thread;

use rustc_hash::FxHashMap;

use crate::part::digests_of_parts;
use crate::tokens::for_each_token;
use crate::{CaptionedImage, Captions, PartDigest, Split, Splits};

/// The number of a distinct token of a corpus.
pub type TokenId = u32;

/// The captions of a data set as tokens, the split of each image, and the digests of each split. The text of the captions is
/// not kept. A caption takes four bytes for each of its tokens, and eight more.
#[derive(Debug, Clone, PartialEq)]
pub struct Corpus {
    /// Each image with its split, in the order of the captions file.
    images: Vec<(String, Option<Split>)>,
    words: Words,
    digests: [PartDigest; 3],
}

/// The tokens of images with captions.
#[derive(Debug, Clone, Default, PartialEq)]
struct Words {
    /// The distinct tokens, in the order in which they occur first.
    tokens: Vec<Box<str>>,
    /// The tokens of all captions, one caption after the other.
    ids: Vec<TokenId>,
    /// The end of each caption in `ids`.
    ends: Vec<usize>,
    /// The end of the captions of each image in `ends`.
    images: Vec<usize>,
}

/// An image of a corpus.
#[derive(Debug, Clone, Copy)]
pub struct CorpusImage<'a> {
    /// Its name, as in the captions file.
    pub name: &'a str,
    words: &'a Words,
    at: usize,
}

impl Corpus {
    /// Tokenizes captions, on all cores.
    #[must_use]
    pub fn new(captions: Captions, splits: &Splits) -> Self {
        let (words, (split_of_each, digests)) = thread::scope(|scope| {
            let digests = scope.spawn(|| digests_of_parts(&captions, splits));
            let words = Words::of(captions.iter().as_slice());
            (words, digests.join().unwrap_or_else(|panic| resume_unwind(panic)))
        });
        let names = captions.into_iter().map(|image| image.image);
        Self { images: names.zip(split_of_each).collect(), words, digests }
    }

    /// The images of a split, in the order of the captions file.
    pub fn images(&self, split: Split) -> impl Iterator<Item = CorpusImage<'_>> {
        let images = self.images.iter().enumerate().filter(move |(_, of)| of.1 == Some(split));
        images.map(|(at, (name, _))| CorpusImage { name, words: &self.words, at })
    }

    /// The names of all images, those in no split included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.images.iter().map(|(name, _)| name.as_str())
    }

    /// The distinct tokens; a [`TokenId`] is an index into them.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        self.words.tokens.iter().map(|token| &**token)
    }

    /// The digests of the images of a split and of their captions.
    #[must_use]
    pub fn digest(&self, split: Split) -> &PartDigest {
        &self.digests[split as usize]
    }
}

impl<'a> CorpusImage<'a> {
    /// The tokens of each of its captions; captions without a word are left out.
    pub fn captions(self) -> impl Iterator<Item = &'a [TokenId]> {
        let Self { words, at, .. } = self;
        let start = at.checked_sub(1).map_or(0, |before| words.images[before]);
        let start_of = |caption: usize| caption.checked_sub(1).map_or(0, |at| words.ends[at]);
        (start..words.images[at])
            .map(move |caption| &words.ids[start_of(caption)..words.ends[caption]])
    }

    /// Whether it has a caption with a word.
    #[must_use]
    pub fn has_captions(self) -> bool {
        self.captions().next().is_some()
    }

    /// The same as text.
    pub fn texts(self) -> impl Iterator<Item = Vec<String>> + use<'a> {
        let tokens = &self.words.tokens;
        let text = move |id: &TokenId| String::from(&*tokens[*id as usize]);
        self.captions().map(move |caption| caption.iter().map(text).collect())
    }
}

impl Words {
    /// Tokenizes the captions of images, on all cores.
    fn of(images: &[CaptionedImage]) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let parts = images.chunks(images.len().div_ceil(cores).max(1));
        thread::scope(|scope| {
            let parts = parts.map(|part| scope.spawn(|| Self::of_part(part))).collect::<Vec<_>>();
            let parts = parts
                .into_iter()
                .map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic)));
            parts.reduce(Self::append).unwrap_or_default()
        })
    }

    fn of_part(images: &[CaptionedImage]) -> Self {
        let mut words = Self::default();
        let mut known = FxHashMap::<Box<str>, TokenId>::default();
        for image in images {
            for caption in &image.captions {
                let start = words.ids.len();
                for_each_token(caption, |token| {
                    let id = known.get(token).copied().unwrap_or_else(|| {
                        let id = words.tokens.len() as TokenId;
                        words.tokens.push(token.into());
                        known.insert(token.into(), id);
                        id
                    });
                    words.ids.push(id);
                });
                if words.ids.len() > start {
                    words.ends.push(words.ids.len());
                }
            }
            words.images.push(words.ends.len());
        }
        words
    }

    /// Appends the tokens of further images.
    fn append(mut self, other: Self) -> Self {
        let (ids, captions) = (self.ids.len(), self.ends.len());
        let numbers = self.tokens.iter().cloned().zip(0..);
        let mut known = numbers.collect::<FxHashMap<_, TokenId>>();
        let mut number = |token: Box<str>| {
            *known.entry(token).or_insert_with_key(|token| {
                self.tokens.push(token.clone());
                self.tokens.len() as TokenId - 1
            })
        };
        let numbers = other.tokens.into_iter().map(&mut number).collect::<Vec<_>>();
        self.ids.extend(other.ids.into_iter().map(|id| numbers[id as usize]));
        self.ends.extend(other.ends.into_iter().map(|end| ids + end));
        self.images.extend(other.images.into_iter().map(|end| captions + end));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::digest_of_part;
    use crate::tokens::tokenize;

    /// More images than cores, so that there are several parts.
    fn captions() -> Captions {
        let mut captions = Captions::default();
        for image in 0..300 {
            for caption in 0..image % 4 {
                let text = format!("A dog no. {} runs , it 's dog {caption} !", image / 7);
                captions.add(&format!("{image}.jpg"), &text);
            }
            captions.add(&format!("{image}.jpg"), "...");
        }
        captions
    }

    #[test]
    fn tokens_are_those_of_each_caption() {
        let captions = captions();
        let corpus = Corpus::new(captions.clone(), &Splits::Hashed);
        let mut seen = 0;
        for split in Split::ALL {
            for image in corpus.images(split) {
                assert_eq!(Splits::Hashed.split_of(image.name), Some(split));
                let expected = captions.get(image.name).unwrap().iter().map(|text| tokenize(text));
                let expected = expected.filter(|tokens| !tokens.is_empty()).collect::<Vec<_>>();
                assert_eq!(image.texts().collect::<Vec<_>>(), expected);
                assert_eq!(image.captions().count(), expected.len());
                seen += 1;
            }
            assert_eq!(*corpus.digest(split), digest_of_part(&captions, &Splits::Hashed, split));
        }
        assert_eq!((seen, corpus.names().count()), (300, 300));
        let tokens = corpus.tokens().collect::<Vec<_>>();
        let distinct = tokens.iter().collect::<std::collections::HashSet<_>>();
        assert_eq!(tokens.len(), distinct.len());
    }

    #[test]
    fn parts_are_joined_in_order() {
        let captions = captions();
        let images = captions.iter().as_slice();
        let whole = Words::of_part(images);
        let parts = images.chunks(7).map(Words::of_part);
        assert_eq!(parts.reduce(Words::append).unwrap(), whole);
        assert_eq!(Words::of(images), whole);
        assert_eq!(Words::of(&[]), Words::default());
    }
}
