//! A photo that a network was trained on, as a line of `trained-on.jsonl`.

use features::Source;
use serde::{Deserialize, Serialize};

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
struct Line(
    String,
    #[serde(with = "hex")] Source,
    #[serde(default, skip_serializing_if = "is_first")] usize,
);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_first(set: &usize) -> bool {
    *set == 0
}

/// A line for each photo.
pub(super) fn lines<'a>(photos: impl IntoIterator<Item = &'a Photo>) -> Result<String> {
    let mut lines = String::new();
    for photo in photos {
        let line = Line(photo.name.clone(), photo.file, photo.set);
        lines += &serde_json::to_string(&line).map_err(Error::content(photo.name.as_ref()))?;
        lines.push('\n');
    }
    Ok(lines)
}

impl Photo {
    /// Parses a line.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let Line(name, file, set) = serde_json::from_str(line).ok()?;
        Some(Self { name, file, set })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_back() {
        let photo = |set| Photo { name: "é,\"1.jpg".to_owned(), file: [7; 32], set };
        let photos = [photo(0), photo(2)];
        let text = lines(&photos).unwrap();
        assert!(text.lines().next().unwrap().ends_with("0707\"]"), "{text}");
        assert!(text.ends_with("0707\",2]\n"), "{text}");
        assert_eq!(
            text.lines().map(|line| Photo::parse(line).unwrap()).collect::<Vec<_>>(),
            photos
        );
        assert_eq!(Photo::parse("[\"a.jpg\",\"07\"]"), None);
    }
}
