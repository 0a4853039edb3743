//! The vocabulary: the words that a captioner can generate, counted over the training captions only.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::corpus::{Corpus, CorpusImage};
use crate::{Error, Result, Split};
use common::{digest, files, text};

/// The index of a word in the vocabulary.
pub type WordId = u32;

/// Pads rows to equal length; never predicted.
pub const PAD: WordId = 0;
/// Begins every caption.
pub const START: WordId = 1;
/// Ends every caption.
pub const END: WordId = 2;
/// Stands for every word below the minimum count.
pub const UNK: WordId = 3;
/// Words that are never generated.
pub const UNSAID: [WordId; 3] = [PAD, START, UNK];

/// The words of [`PAD`], [`START`], [`END`] and [`UNK`].
pub const SPECIAL: [&str; 4] = ["<pad>", "<start>", "<end>", "<unk>"];
const FORMAT: &str = "showtell vocabulary 1";

/// Words with their indices: the special ones, then the others by decreasing count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    words: Vec<String>,
    index: HashMap<String, WordId>,
    min_count: usize,
    origin: Option<VocabularyOrigin>,
}

/// The captions that a vocabulary was counted over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VocabularyOrigin {
    /// The occurrences that a word needs.
    pub min_count: usize,
    /// The digest of the captions: [`PartDigest::captions_sha256`](crate::PartDigest). Of several data sets it is the
    /// SHA-256 of their digests in hexadecimal form, in their order, without separators.
    pub captions_sha256: String,
    /// The split of the captions, such as `train`.
    pub split: String,
}

/// The digest of the training captions of data sets.
fn digest_of_training(sets: &[&Corpus]) -> String {
    let digests = sets.iter().map(|set| &*set.digest(Split::Train).captions_sha256);
    let digests = digests.collect::<Vec<_>>();
    match &digests[..] {
        [one] => (*one).to_owned(),
        several => digest::of_bytes(several.concat().as_bytes()),
    }
}

#[derive(Serialize, Deserialize)]
struct File {
    format: String,
    min_count: usize,
    sha256: String,
    /// Missing in files of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<VocabularyOrigin>,
    words: Vec<String>,
}

impl Vocabulary {
    /// Counts the words of tokenized captions and keeps those that occur at least `min_count` times.
    pub fn build<'a>(captions: impl IntoIterator<Item = &'a [String]>, min_count: usize) -> Self {
        let mut counts = HashMap::<&str, usize>::new();
        for word in captions.into_iter().flatten() {
            *counts.entry(word).or_default() += 1;
        }
        Self::of_counts(counts, min_count)
    }

    /// Keeps the words with a count of at least `min_count`.
    fn of_counts(counts: HashMap<&str, usize>, min_count: usize) -> Self {
        let mut kept = counts
            .into_iter()
            .filter(|(word, count)| *count >= min_count && !SPECIAL.contains(word))
            .collect::<Vec<_>>();
        kept.sort_by(|(word_a, count_a), (word_b, count_b)| {
            count_b.cmp(count_a).then_with(|| word_a.cmp(word_b))
        });
        let words = SPECIAL.into_iter().chain(kept.into_iter().map(|(word, _)| word));
        Self::from_words(words.map(str::to_owned).collect(), min_count)
    }

    /// Counts the words of the training captions of data sets, and records the origin.
    ///
    /// # Errors
    /// [`Error::NoWords`] if no word occurs at least `min_count` times.
    pub fn from_training(sets: &[&Corpus], min_count: usize) -> Result<Self> {
        let mut counts = HashMap::<&str, usize>::new();
        let mut captions = 0;
        for set in sets {
            let tokens = set.tokens().collect::<Vec<_>>();
            let mut of_set = vec![0; tokens.len()];
            for caption in set.images(Split::Train).flat_map(CorpusImage::captions) {
                for &token in caption {
                    of_set[token as usize] += 1;
                }
                captions += 1;
            }
            for (token, count) in tokens.into_iter().zip(of_set).filter(|(_, count)| *count > 0) {
                *counts.entry(token).or_default() += count;
            }
        }
        let mut vocabulary = Self::of_counts(counts, min_count);
        if vocabulary.is_empty() {
            return Err(Error::NoWords { captions, min_count });
        }
        vocabulary.origin = Some(VocabularyOrigin {
            min_count,
            captions_sha256: digest_of_training(sets),
            split: Split::Train.to_string(),
        });
        Ok(vocabulary)
    }

    fn from_words(words: Vec<String>, min_count: usize) -> Self {
        let index = (0..).zip(&words).map(|(id, word)| (word.clone(), id)).collect();
        Self { words, index, min_count, origin: None }
    }

    /// Reads a vocabulary and verifies its checksum.
    ///
    /// # Errors
    /// Those of [`text::read`], and [`Error::Vocabulary`] if the file is not a vocabulary or was changed.
    pub fn load(path: &Path) -> Result<Self> {
        let problem = |problem: String| Error::Vocabulary { path: path.to_path_buf(), problem };
        let file: File = serde_json::from_str(&text::read(path)?)
            .map_err(|error| problem(format!("not a vocabulary: {error}")))?;
        if file.format != FORMAT {
            return Err(problem(format!("the format is `{}`, not `{FORMAT}`", file.format)));
        }
        if file.words.len() <= SPECIAL.len() || file.words[..SPECIAL.len()] != SPECIAL {
            return Err(problem(format!("it does not begin with {}", SPECIAL.join(" "))));
        }
        let vocabulary =
            Self { origin: file.origin, ..Self::from_words(file.words, file.min_count) };
        if vocabulary.index.len() != vocabulary.words.len() {
            return Err(problem("a word occurs twice".to_owned()));
        }
        if vocabulary.sha256() != file.sha256 {
            return Err(problem("checksum mismatch: the words were changed".to_owned()));
        }
        Ok(vocabulary)
    }

    /// Writes the vocabulary as JSON. After an error, a kill or a power loss the file is either the old or the new one.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let file = File {
            format: FORMAT.to_owned(),
            min_count: self.min_count,
            sha256: self.sha256(),
            origin: self.origin.clone(),
            words: self.words.clone(),
        };
        let mut json = serde_json::to_string_pretty(&file)
            .map_err(|error| Error::io(path)(std::io::Error::other(error)))?;
        json.push('\n');
        files::replace(path, json.as_bytes()).map_err(Error::io(path))
    }

    /// The SHA-256 of the words in order, one per line, by which a network names its vocabulary.
    #[must_use]
    pub fn sha256(&self) -> String {
        digest::of_bytes(self.words.join("\n").as_bytes())
    }

    /// The number of words, the special ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// The occurrences that a word needs.
    #[must_use]
    pub fn min_count(&self) -> usize {
        self.min_count
    }

    /// Whether there are only special words.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.len() <= SPECIAL.len()
    }

    /// The captions that were counted, if they are recorded, as by [`Self::from_training`].
    #[must_use]
    pub fn origin(&self) -> Option<&VocabularyOrigin> {
        self.origin.as_ref()
    }

    /// The indices of tokens, [`UNK`] for unknown ones, without start and end.
    #[must_use]
    pub fn encode(&self, tokens: &[String]) -> Vec<WordId> {
        tokens.iter().map(|token| self.index.get(token).copied().unwrap_or(UNK)).collect()
    }

    /// The indices of the distinct tokens of a corpus, [`UNK`] for unknown ones.
    #[must_use]
    pub fn encode_tokens(&self, corpus: &Corpus) -> Vec<WordId> {
        corpus.tokens().map(|token| self.index.get(token).copied().unwrap_or(UNK)).collect()
    }

    /// The word at an index; `<unk>` beyond the vocabulary.
    #[must_use]
    pub fn word(&self, id: WordId) -> &str {
        self.words.get(id as usize).map_or(SPECIAL[UNK as usize], String::as_str)
    }

    /// The words at these indices, joined by spaces.
    #[must_use]
    pub fn decode(&self, ids: &[WordId]) -> String {
        ids.iter().map(|&id| self.word(id)).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::part::digest_of_part;
    use crate::tokens::tokenize;
    use crate::{Captions, Splits};

    fn small() -> Vocabulary {
        let captions = ["a dog runs", "a dog <unk>", "a cat"].map(tokenize);
        Vocabulary::build(captions.iter().map(Vec::as_slice), 2)
    }

    #[test]
    fn words_are_kept_by_count_and_encoded() {
        let vocabulary = small();
        assert_eq!(vocabulary.words, ["<pad>", "<start>", "<end>", "<unk>", "a", "dog"]);
        assert_eq!(vocabulary.encode(&tokenize("A dog meows .")), [4, 5, UNK]);
        assert_eq!(vocabulary.decode(&[4, 5, UNK, 99]), "a dog <unk> <unk>");
    }

    #[test]
    fn a_saved_vocabulary_comes_back_and_a_changed_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join("vocabulary.json");
        small().save(&path).unwrap();
        assert_eq!(Vocabulary::load(&path).unwrap(), small());
        let changed = fs::read_to_string(&path).unwrap().replace("\"dog\"", "\"dig\"");
        fs::write(&path, changed).unwrap();
        let error = Vocabulary::load(&path).unwrap_err().to_string();
        assert!(error.contains("checksum mismatch"), "{error}");
    }

    #[test]
    fn the_origin_is_kept_and_may_be_missing() {
        let mut captions = Captions::default();
        captions.add("a.jpg", "a dog runs");
        captions.add("f.jpg", "not counted: in the test split");
        let digest = digest_of_part(&captions, &Splits::Hashed, Split::Train);
        let corpus = Corpus::new(captions, &Splits::Hashed);
        let trained = Vocabulary::from_training(&[&corpus], 1).unwrap();
        let origin = trained.origin().unwrap();
        assert_eq!(origin.captions_sha256, digest.captions_sha256);
        assert_eq!((origin.min_count, origin.split.as_str()), (1, "train"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vocabulary.json");
        trained.save(&path).unwrap();
        assert_eq!(Vocabulary::load(&path).unwrap(), trained);
        small().save(&path).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("origin"));
        assert_eq!(Vocabulary::load(&path).unwrap().origin(), None);
    }

    #[test]
    fn the_vocabulary_of_the_shipped_model_is_unchanged() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/showtell/vocabulary.json");
        let shipped = Vocabulary::load(&path).unwrap();
        let sha256 = "4473ffb022b2b778f973df1f7a1d87e6dbdfeba58f06fc4ce755f9733dba04a6";
        assert_eq!(shipped.sha256(), sha256);
        assert_eq!(shipped.origin().unwrap().split, "train");
    }
}
