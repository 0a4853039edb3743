//! Parsers for both forms of captions files.

use std::path::Path;

use csv::StringRecord;

use super::Captions;
use crate::{Error, Result};
use common::quotes;

/// Parses captions in either form; the first line that is not blank decides.
pub(super) fn read(text: &str, path: &Path) -> Result<Captions> {
    if is_token_form(text) { read_tokens(text, path) } else { read_csv(text, path) }
}

fn is_token_form(text: &str) -> bool {
    let first = text.lines().find(|line| !line.trim().is_empty());
    first.and_then(split_token_line).is_some()
}

fn split_token_line(line: &str) -> Option<(&str, &str)> {
    let (key, caption) = line.split_once('\t')?;
    let (image, number) = key.trim().rsplit_once('#')?;
    let image = image.trim_end();
    let is_numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_numbered && !image.is_empty()).then(|| (image, caption.trim()))
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
    quotes::check(text).map_err(|error| problem(path, error.line(), error.to_string()))?;
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut captions = Captions::default();
    let mut below_header = false;
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| csv_problem(path, &error))? {
        let line = record.position().map_or(0, |position| line_of(position, text));
        // The crate would allocate for each row to trim it.
        let fields = record.iter().map(str::trim).collect::<Vec<_>>();
        match fields[..] {
            [""] => {}
            [first, second] if !below_header && is_header(first, second) => below_header = true,
            _ if !below_header => {
                let found = format!("the header is `{}`", shorten(&fields.join(",")));
                return Err(problem(path, line, found));
            }
            ["", ""] => {
                captions
                    .skipped_entries
                    .add("row without image and caption", format!("line {line}"));
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

/// The line of a row. The position of the `csv` crate is before blank lines above the row.
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
    use super::*;
    use crate::captions::tests::read;

    #[test]
    fn csv_with_quotes_and_token_form_agree() {
        let csv = read("image,caption\na.jpg,\"A dog , \"\"Rex\"\" , runs .\"\na.jpg,A dog .\n");
        let tokens = read("a.jpg#0\tA dog , \"Rex\" , runs .\na.jpg#1\tA dog .\n");
        assert_eq!(csv.unwrap(), tokens.unwrap());
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
    fn rows_without_a_caption_are_skipped_entries_and_counted() {
        for text in [
            "image,caption\na.jpg,\nb.jpg,\" \"\na.jpg,one\n",
            "a.jpg#0\t\nb.jpg#0\t  \na.jpg#1\tone\n",
        ] {
            let captions = read(text).unwrap();
            assert_eq!((captions.len(), captions.skipped_entries().count()), (1, 2));
            assert!(
                captions
                    .skipped_entries()
                    .to_string()
                    .starts_with("2 skipped: empty caption (line ")
            );
        }
        let blank = read("image,caption\n\n\n,\na.jpg,one\n").unwrap();
        let said = "1 skipped: row without image and caption (line 4)";
        assert_eq!(blank.skipped_entries().to_string(), said);
        let none = read("image,caption\na.jpg,\n").unwrap_err().to_string();
        assert!(none.contains("no caption in it") && none.contains("line 2"), "{none}");
    }

    #[test]
    fn a_quoted_caption_may_hold_line_breaks_but_must_be_closed() {
        let captions = read("image,caption\na.jpg,\"one\ntwo\"\nb.jpg,three\n").unwrap();
        assert_eq!(captions.get("a.jpg").unwrap(), ["one\ntwo"]);
        let open = read("image,caption\na.jpg,one\na.jpg,\"two\nb.jpg,three\n").unwrap_err();
        assert!(open.to_string().contains("captions.txt, line 3: the quote"), "{open}");
    }
}
