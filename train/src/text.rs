//! Captions without photos, from which a network learns language.

use std::collections::HashSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use common::{Size, SkippedEntries, digest, files, text};
use data::Vocabulary;
use data::tokens::tokenize;
use data::vocabulary::{UNK, WordId};
use flate2::read::MultiGzDecoder;
use rand::SeedableRng as _;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::dataset::Caption;
use crate::{Error, Result};

/// The largest file, and the largest text in a compressed one.
const LIMIT: Size = Size::mib(512);
/// The most captions that are kept: some 70 bytes each.
const MOST: usize = 5_000_000;
/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// Captions without photos.
#[derive(Debug)]
pub struct TextCaptions {
    captions: Vec<Caption>,
    /// Their record in the run.
    pub record: TextRecord,
    /// Captions that are not used.
    pub skipped_entries: SkippedEntries,
}

/// The record of captions without photos, `[text]` in `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextRecord {
    /// The file.
    pub path: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// Number of captions that are used.
    pub captions: usize,
}

impl TextCaptions {
    /// Reads a file with a caption a line; what precedes the last tab, such as the name of an image, is ignored. The file
    /// may be compressed with gzip. Captions with words outside the vocabulary, and those that are among `known`, are
    /// skipped and counted.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read or is not text, [`Error::Gzip`] if it is damaged, [`Error::TooMuchText`], and
    /// [`Error::NoText`] if no caption is left.
    pub fn read(path: &Path, vocabulary: &Vocabulary, known: &HashSet<&[WordId]>) -> Result<Self> {
        let bytes = files::read(path, LIMIT).map_err(Error::io(path))?;
        let sha256 = digest::of_bytes(&bytes);
        let lines = text::decode(decompress(bytes, path)?, path)?;
        let (mut captions, mut skipped_entries) = (Vec::new(), SkippedEntries::default());
        for (number, line) in (1..).zip(lines.lines()) {
            let caption = line.rsplit('\t').next().unwrap_or_default();
            let words = vocabulary.encode(&tokenize(caption));
            let caption = Caption::written(words);
            match reason_to_skip(&caption, known) {
                Some(reason) => skipped_entries.add(reason, format!("line {number}")),
                None if captions.len() == MOST => {
                    return Err(Error::TooMuchText { path: path.to_path_buf(), most: MOST });
                }
                None => captions.push(caption),
            }
        }
        if captions.is_empty() {
            return Err(Error::NoText { path: path.to_path_buf(), skipped_entries });
        }
        let record = TextRecord { path: path.to_path_buf(), sha256, captions: captions.len() };
        Ok(Self { captions, record, skipped_entries })
    }

    /// Draws captions for a step, which follow from the seed of the run and the number of the step.
    pub(crate) fn draw(&self, number: usize, seed: u64, step: u64) -> Vec<Caption> {
        // Another generator than those of dropout and order, and of sampled captions.
        let mut random = ChaCha8Rng::seed_from_u64(seed.rotate_left(32));
        random.set_stream(step);
        let number = number.min(self.captions.len());
        let drawn = index::sample(&mut random, self.captions.len(), number);
        drawn.into_iter().map(|at| self.captions[at].clone()).collect()
    }
}

/// The reason why a caption is not used, if there is one.
fn reason_to_skip(caption: &Caption, known: &HashSet<&[WordId]>) -> Option<&'static str> {
    if caption.words.len() == 1 {
        return Some("empty caption");
    }
    if caption.words.contains(&UNK) {
        return Some("caption with words outside the vocabulary");
    }
    known.contains(&*caption.words).then_some("caption of a photo of the data sets")
}

/// The content of a file that may be compressed with gzip.
fn decompress(bytes: Vec<u8>, path: &Path) -> Result<Vec<u8>> {
    if !bytes.starts_with(&GZIP) {
        return Ok(bytes);
    }
    let mut content = Vec::new();
    let decoder = MultiGzDecoder::new(bytes.as_slice());
    let read = decoder.take(LIMIT.bytes() + 1).read_to_end(&mut content);
    read.map_err(|error| Error::Gzip { path: path.to_path_buf(), flaw: flaw(&error) })?;
    if content.len() as u64 > LIMIT.bytes() {
        let message =
            format!("larger than {LIMIT} when decompressed, the limit of such a file; split it");
        return Err(Error::io(path)(io::Error::other(message)));
    }
    Ok(content)
}

/// The flaw of a gzip file.
fn flaw(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return "it ends too early".to_owned();
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn vocabulary() -> Vocabulary {
        let words = [tokenize("a dog runs in the red car")];
        Vocabulary::build(words.iter().map(Vec::as_slice), 1)
    }

    fn read(name: &str, content: &[u8]) -> Result<TextCaptions> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        #[expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")]
        std::fs::write(&path, content).unwrap();
        let vocabulary = vocabulary();
        let of_photo = Caption::written(vocabulary.encode(&tokenize("the red car")));
        TextCaptions::read(&path, &vocabulary, &HashSet::from([&*of_photo.words]))
    }

    const LINES: &str = "x/1.jpg\tA dog runs.\n2.jpg\tThe red car\na red dog\n\nx\ta blue dog\n";

    #[test]
    fn captions_with_known_words_that_no_photo_has_are_used() {
        let found = read("text.tsv", LINES.as_bytes()).unwrap();
        let vocabulary = vocabulary();
        let words =
            |caption: &Caption| vocabulary.decode(&caption.words[..caption.words.len() - 1]);
        assert_eq!(
            found.captions.iter().map(words).collect::<Vec<_>>(),
            ["a dog runs", "a red dog"]
        );
        assert_eq!((found.record.captions, found.skipped_entries.count()), (2, 3));
        let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
        compressed.write_all(LINES.as_bytes()).unwrap();
        let compressed = read("text.tsv.gz", &compressed.finish().unwrap()).unwrap();
        assert_eq!(compressed.captions, found.captions);
        assert_ne!(compressed.record.sha256, found.record.sha256);
    }

    #[test]
    fn a_step_draws_the_same_captions_again_and_another_step_others() {
        let lines = (0..64).map(|at| "red ".repeat(at) + "a dog").collect::<Vec<_>>().join("\n");
        let found = read("text.txt", lines.as_bytes()).unwrap();
        assert_eq!(found.draw(8, 1, 5), found.draw(8, 1, 5));
        assert_ne!(found.draw(8, 1, 5), found.draw(8, 1, 6));
        assert_ne!(found.draw(8, 1, 5), found.draw(8, 2, 5));
        assert_eq!(found.draw(100, 1, 5).len(), 64);
    }

    #[test]
    fn a_file_without_usable_captions_is_refused() {
        let error = read("text.txt", b"a cat\n\n").unwrap_err().to_string();
        assert!(
            error.contains("text.txt") && error.contains("1 skipped: empty caption"),
            "{error}"
        );
    }

    #[test]
    fn a_damaged_gzip_file_is_told_with_the_next_step() {
        let mut compressed = GzEncoder::new(Vec::new(), Compression::fast());
        compressed.write_all(LINES.as_bytes()).unwrap();
        let whole = compressed.finish().unwrap();
        let mut changed = whole.clone();
        changed[whole.len() - 6] ^= 1;
        for (bytes, flaw) in [
            (&whole[..whole.len() / 2], "text.gz: damaged gzip data: it ends too early\n"),
            (&changed, "text.gz: damaged gzip data: "),
            (&[0x1F, 0x8B, 1, 2], "text.gz: damaged gzip data: "),
        ] {
            let said = read("text.gz", bytes).unwrap_err().to_string();
            assert!(said.contains(flaw) && said.contains("(--text FILE)"), "{said}");
        }
    }
}
