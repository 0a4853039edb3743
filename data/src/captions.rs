//! Captions files: the CSV form (`image,caption`, quoted where needed) and the original token form
//! of Flickr8k (`name.jpg#0<TAB>caption`).

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

use crate::{Error, Result, files};

/// An image with all its captions, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionedImage {
    /// The image's file name, without folder.
    pub image: String,
    /// Its captions as written.
    pub captions: Vec<String>,
}

/// The captions of a data set, grouped by image, in order of first appearance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captions {
    images: Vec<CaptionedImage>,
    index: HashMap<String, usize>,
}

impl Captions {
    /// Reads a captions file of either form, told apart by its first line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::io(path))?;
        let captions =
            if is_token_form(&text) { read_tokens(&text, path)? } else { read_csv(&text, path)? };
        if captions.images.is_empty() {
            return Err(Error::NoCaptions { path: path.to_path_buf() });
        }
        Ok(captions)
    }

    /// The images with their captions.
    pub fn iter(&self) -> std::slice::Iter<'_, CaptionedImage> {
        self.images.iter()
    }

    /// The captions of one image.
    #[must_use]
    pub fn of(&self, image: &str) -> Option<&[String]> {
        self.index.get(image).map(|&at| self.images[at].captions.as_slice())
    }

    /// The number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Writes them to `path` in the CSV form, and replaces what is there as a whole.
    pub fn save(&self, path: &Path) -> Result<()> {
        let lines = self.to_csv().map_err(Error::io(path))?;
        files::replace(path, &lines).map_err(Error::io(path))
    }

    fn to_csv(&self) -> io::Result<Vec<u8>> {
        let mut lines = csv::Writer::from_writer(Vec::new());
        lines.write_record(["image", "caption"])?;
        for of in self {
            for caption in &of.captions {
                lines.write_record([&of.image, caption])?;
            }
        }
        lines.into_inner().map_err(csv::IntoInnerError::into_error)
    }

    pub(crate) fn add(&mut self, image: &str, caption: &str) {
        let at = *self.index.entry(image.to_owned()).or_insert_with(|| {
            self.images.push(CaptionedImage { image: image.to_owned(), captions: Vec::new() });
            self.images.len() - 1
        });
        self.images[at].captions.push(caption.to_owned());
    }
}

impl<'a> IntoIterator for &'a Captions {
    type Item = &'a CaptionedImage;
    type IntoIter = std::slice::Iter<'a, CaptionedImage>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn is_token_form(text: &str) -> bool {
    text.lines().next().and_then(split_token_line).is_some()
}

fn split_token_line(line: &str) -> Option<(&str, &str)> {
    let (key, caption) = line.split_once('\t')?;
    let (image, number) = key.rsplit_once('#')?;
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (numbered && !image.is_empty()).then(|| (image, caption.trim()))
}

fn read_tokens(text: &str, path: &Path) -> Result<Captions> {
    let mut captions = Captions::default();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let (image, caption) = split_token_line(line)
            .ok_or_else(|| problem(path, number, format!("`{}`", shorten(line))))?;
        captions.add(image, caption);
    }
    Ok(captions)
}

fn read_csv(text: &str, path: &Path) -> Result<Captions> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| csv_problem(path, &error))?;
    if header != vec!["image", "caption"] {
        let found = header.iter().collect::<Vec<_>>().join(",");
        return Err(problem(path, 1, format!("the header is `{}`", shorten(&found))));
    }
    let mut captions = Captions::default();
    for record in reader.records() {
        let record = record.map_err(|error| csv_problem(path, &error))?;
        let line = record.position().map_or(0, csv::Position::line);
        match (&record[0], &record[1]) {
            ("", _) => return Err(problem(path, line, "a caption without an image".to_owned())),
            (image, caption) => captions.add(image, caption),
        }
    }
    Ok(captions)
}

fn csv_problem(path: &Path, error: &csv::Error) -> Error {
    problem(path, error.position().map_or(0, csv::Position::line), error.to_string())
}

fn problem(path: &Path, line: u64, problem: String) -> Error {
    Error::Captions { path: path.to_path_buf(), line, problem }
}

fn shorten(line: &str) -> String {
    line.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Captions> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.txt");
        fs::write(&path, text).unwrap();
        Captions::read(&path)
    }

    #[test]
    fn csv_with_quotes_and_token_form_agree() {
        let csv = read("image,caption\na.jpg,\"A dog , \"\"Rex\"\" , runs .\"\na.jpg,A dog .\n");
        let tokens = read("a.jpg#0\tA dog , \"Rex\" , runs .\na.jpg#1\tA dog .\n");
        assert_eq!(csv.unwrap(), tokens.unwrap());
    }

    #[test]
    fn what_is_written_is_read_again() {
        let captions = read("a.jpg#0\tA dog , \"Rex\" , runs .\nb.jpg#0\tÔng ấy cười\n").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("captions.txt");
        captions.save(&path).unwrap();
        assert_eq!(Captions::read(&path).unwrap(), captions);
        assert!(fs::read_to_string(&path).unwrap().starts_with("image,caption\n"));
    }

    #[test]
    fn captions_are_grouped_though_their_lines_are_not() {
        let captions = read("image,caption\na.jpg,one\nb.jpg,two\na.jpg,three\n").unwrap();
        assert_eq!(captions.len(), 2);
        assert_eq!(captions.of("a.jpg").unwrap(), ["one", "three"]);
        assert_eq!(captions.of("c.jpg"), None);
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        let wrong_header = read("file,text\na.jpg,one\n").unwrap_err().to_string();
        assert!(wrong_header.contains("captions.txt, line 1"), "{wrong_header}");
        assert!(wrong_header.contains("file,text"), "{wrong_header}");
        let short_row = read("image,caption\na.jpg,one\nb.jpg\n").unwrap_err().to_string();
        assert!(short_row.contains("line 3"), "{short_row}");
        let bad_token = read("a.jpg#0\tone\nnothing here\n").unwrap_err().to_string();
        assert!(bad_token.contains("line 2"), "{bad_token}");
        assert!(matches!(read("image,caption\n").unwrap_err(), Error::NoCaptions { .. }));
    }
}
