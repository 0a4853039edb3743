//! A photo that a network was trained on, as a line of `trained-on.jsonl`.

use std::borrow::Cow;
use std::io::{self, Write};

use common::digest::HashWriter;
use features::Source;
use serde::{Deserialize, Serialize};

use crate::run::TRAINED_ON_FILE;
use crate::{Error, Result};

/// A photo.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Photo {
    /// Its name in Unicode normal form C.
    pub(super) name: String,
    /// The SHA-256 of its file.
    pub(super) file: Source,
    /// Its data set.
    pub(super) set: usize,
}

/// A line: a JSON array of the name, the SHA-256 and the number of the data set, which is absent for the first one.
#[derive(Serialize, Deserialize)]
struct Line<'a>(
    Cow<'a, str>,
    #[serde(with = "hex")] Source,
    #[serde(default, skip_serializing_if = "is_first")] usize,
);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_first(set: &usize) -> bool {
    *set == 0
}

/// Writes a line for each photo.
pub(super) fn write_lines(photos: &[Photo], to: &mut impl Write) -> io::Result<()> {
    let mut line = Vec::new();
    for Photo { name, file, set } in photos {
        line.clear();
        serde_json::to_writer(&mut line, &Line(name.into(), *file, *set))?;
        line.push(b'\n');
        to.write_all(&line)?;
    }
    Ok(())
}

/// The SHA-256 of the lines of photos.
///
/// # Errors
/// [`Error::Content`] if a name cannot be written.
pub(super) fn digest_of_lines(photos: &[Photo]) -> Result<String> {
    let mut hash = HashWriter::default();
    write_lines(photos, &mut hash).map_err(Error::content(TRAINED_ON_FILE.as_ref()))?;
    Ok(hash.finish())
}

impl Photo {
    /// Parses a line.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let Line(name, file, set) = serde_json::from_str(line).ok()?;
        Some(Self { name: name.into_owned(), file, set })
    }
}

#[cfg(test)]
mod tests {
    use common::digest;

    use super::*;

    #[test]
    fn lines_are_read_back() {
        let photo = |set| Photo { name: "é,\"1.jpg".to_owned(), file: [7; 32], set };
        let photos = [photo(0), photo(2)];
        let mut text = Vec::new();
        write_lines(&photos, &mut text).unwrap();
        assert_eq!(digest_of_lines(&photos).unwrap(), digest::of_bytes(&text));
        let text = String::from_utf8(text).unwrap();
        assert!(text.lines().next().unwrap().ends_with("0707\"]"), "{text}");
        assert!(text.ends_with("0707\",2]\n"), "{text}");
        assert_eq!(
            text.lines().map(|line| Photo::parse(line).unwrap()).collect::<Vec<_>>(),
            photos
        );
        assert_eq!(Photo::parse("[\"a.jpg\",\"07\"]"), None);
    }
}
