//! Captions files: the CSV form (`image,caption`, quoted where needed) and the original token form
//! of Flickr8k (`name.jpg#0<TAB>caption`).

use std::collections::HashMap;
use std::io;
use std::path::Path;

use crate::names::normal;
use crate::{Error, LeftOut, Result, quotes, text};

/// An image with all its captions, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptionedImage {
    /// The image's path below the folder of the images, as it is written where it occurs first.
    pub image: String,
    /// Its captions as written.
    pub captions: Vec<String>,
}

/// The captions of a data set, grouped by image, in order of first appearance. Names that are the same in Unicode
/// normal form C are one image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captions {
    images: Vec<CaptionedImage>,
    /// By name in normal form C.
    index: HashMap<String, usize>,
    left_out: LeftOut,
}

impl Captions {
    /// Reads a captions file of either form, told apart by its first line that is not blank. Rows without a caption
    /// are left out and counted.
    ///
    /// # Errors
    /// Those of [`text::read`], [`Error::Captions`] with the line that is of neither form, and [`Error::NoCaptions`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = text::read(path)?;
        let captions =
            if is_token_form(&text) { read_tokens(&text, path)? } else { read_csv(&text, path)? };
        if captions.images.is_empty() {
            let left_out = captions.left_out;
            return Err(Error::NoCaptions { path: path.to_path_buf(), left_out });
        }
        Ok(captions)
    }

    /// Rows that were left out, and images whose name is written in several ways.
    #[must_use]
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The images with their captions.
    pub fn iter(&self) -> std::slice::Iter<'_, CaptionedImage> {
        self.images.iter()
    }

    /// The captions of one image.
    #[must_use]
    pub fn of(&self, image: &str) -> Option<&[String]> {
        self.index.get(&*normal(image)).map(|&at| self.images[at].captions.as_slice())
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

    /// Them in the CSV form.
    pub(crate) fn to_csv(&self) -> io::Result<Vec<u8>> {
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
        let at = *self.index.entry(normal(image).into_owned()).or_insert_with(|| {
            self.images.push(CaptionedImage { image: image.to_owned(), captions: Vec::new() });
            self.images.len() - 1
        });
        if self.images[at].image != image {
            let remark = "name in another Unicode form than before, taken as the same image";
            self.left_out.note(remark, image);
        }
        self.images[at].captions.push(caption.to_owned());
    }

    /// Adds the caption of a row, or counts the row as left out if it has none.
    fn add_row(&mut self, image: &str, caption: &str, line: u64) {
        if caption.is_empty() {
            self.left_out.add("empty caption", format!("line {line}"));
        } else {
            self.add(image, caption);
        }
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
    let first = text.lines().find(|line| !line.trim().is_empty());
    first.and_then(split_token_line).is_some()
}

fn split_token_line(line: &str) -> Option<(&str, &str)> {
    let (key, caption) = line.split_once('\t')?;
    let (image, number) = key.trim().rsplit_once('#')?;
    let image = image.trim_end();
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (numbered && !image.is_empty()).then(|| (image, caption.trim()))
}

fn read_tokens(text: &str, path: &Path) -> Result<Captions> {
    let mut captions = Captions::default();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let (image, caption) = split_token_line(line)
            .ok_or_else(|| problem(path, number, format!("`{}`", shorten(line))))?;
        captions.add_row(image, caption, number);
    }
    Ok(captions)
}

fn read_csv(text: &str, path: &Path) -> Result<Captions> {
    quotes::check(text).map_err(|(line, found)| problem(path, line, found))?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut captions = Captions::default();
    let mut below_header = false;
    for record in reader.records() {
        let record = record.map_err(|error| csv_problem(path, &error))?;
        let line = record.position().map_or(0, |position| line_of(position, text));
        let fields = record.iter().collect::<Vec<_>>();
        match fields[..] {
            [""] => {}
            [first, second] if !below_header && is_header(first, second) => below_header = true,
            _ if !below_header => {
                let found = format!("the header is `{}`", shorten(&fields.join(",")));
                return Err(problem(path, line, found));
            }
            ["", ""] => {
                captions.left_out.add("row without image and caption", format!("line {line}"));
            }
            ["", _] => return Err(problem(path, line, "a caption without an image".to_owned())),
            [image, caption] => captions.add_row(image, caption, line),
            [field] => {
                return Err(problem(path, line, format!("no comma in `{}`", shorten(field))));
            }
            _ => {
                let found = format!(
                    "{} fields instead of 2; put a caption that holds a comma in quotes",
                    fields.len()
                );
                return Err(problem(path, line, found));
            }
        }
    }
    Ok(captions)
}

fn is_header(image: &str, caption: &str) -> bool {
    image.eq_ignore_ascii_case("image") && caption.eq_ignore_ascii_case("caption")
}

/// The line of a row. The `csv` crate says where it began to read, which is above blank lines before the row.
fn line_of(position: &csv::Position, text: &str) -> u64 {
    let rest = text.as_bytes().get(position.byte() as usize..).unwrap_or_default();
    position.line() + rest.iter().take_while(|byte| **byte == b'\n').count() as u64
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
    use std::fs;

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
        fs::write(&path, captions.to_csv().unwrap()).unwrap();
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
    #[test]
    fn marks_blank_lines_and_line_ends_do_not_matter() {
        let csv = read("image,caption\na.jpg,one\nb.jpg,two\n").unwrap();
        for text in [
            "\u{feff}\r\n  \r\n Image , CAPTION\r\na.jpg, one\r\n \r\nb.jpg,two",
            "image,caption\ra.jpg,one\rb.jpg,two\r",
            "\u{feff}\n\t\na.jpg#0\tone\nb.jpg#0\ttwo\n",
            "a.jpg#0\tone\r\r b.jpg#12\t two \r",
        ] {
            assert_eq!(read(text).unwrap(), csv, "{text:?}");
        }
    }

    #[test]
    fn rows_without_a_caption_are_left_out_and_counted() {
        for text in [
            "image,caption\na.jpg,\nb.jpg,\" \"\na.jpg,one\n",
            "a.jpg#0\t\nb.jpg#0\t  \na.jpg#1\tone\n",
        ] {
            let captions = read(text).unwrap();
            assert_eq!((captions.len(), captions.left_out().count()), (1, 2));
            assert!(
                captions.left_out().to_string().starts_with("2 left out: empty caption (line ")
            );
        }
        let blank = read("image,caption\n\n\n,\na.jpg,one\n").unwrap();
        let said = "1 left out: row without image and caption (line 4)";
        assert_eq!(blank.left_out().to_string(), said);
        let none = read("image,caption\na.jpg,\n").unwrap_err().to_string();
        assert!(none.contains("no caption in it") && none.contains("line 2"), "{none}");
    }

    #[test]
    fn a_quoted_caption_may_hold_line_breaks_but_must_be_closed() {
        let captions = read("image,caption\na.jpg,\"one\ntwo\"\nb.jpg,three\n").unwrap();
        assert_eq!(captions.of("a.jpg").unwrap(), ["one\ntwo"]);
        let open = read("image,caption\na.jpg,one\na.jpg,\"two\nb.jpg,three\n").unwrap_err();
        assert!(open.to_string().contains("captions.txt, line 3: the quote"), "{open}");
    }

    #[test]
    fn names_are_one_in_both_unicode_forms_and_that_is_noted() {
        for text in [
            "image,caption\nma\u{301}.jpg,one\nm\u{e1}.jpg,two\n",
            "ma\u{301}.jpg#0\tone\nm\u{e1}.jpg#1\ttwo\n",
        ] {
            let captions = read(text).unwrap();
            assert_eq!(captions.iter().next().unwrap().image, "ma\u{301}.jpg");
            for name in ["ma\u{301}.jpg", "m\u{e1}.jpg"] {
                assert_eq!(captions.of(name).unwrap(), ["one", "two"]);
            }
            assert_eq!(captions.left_out().count(), 0);
            assert!(captions.left_out().to_string().contains("m\u{e1}.jpg"));
        }
    }
}
