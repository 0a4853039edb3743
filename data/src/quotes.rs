//! Quotes in CSV. The `csv` crate takes a quote that is never closed as one that the end of the file closes, and so
//! makes one field of all rows in between.

/// A quote that does not belong there: the line where it opens, counted from 1, and what is wrong.
pub(crate) type Problem = (u64, String);

/// Names of images end in one of these.
const IMAGES: [&str; 10] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff"];

#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote inside a quoted field: it ends the field, or the next quote makes it a quote of the text.
    AfterQuote,
}

/// Checks that each quote that opens a field of `text` is closed at the end of a field, and before the next row. A
/// quoted field may hold line breaks.
pub(crate) fn check(text: &str) -> Result<(), Problem> {
    let (mut line, mut opened, mut row_inside) = (1, 1, None);
    let mut state = State::FieldStart;
    for (at, byte) in text.bytes().enumerate() {
        state = match (state, byte) {
            (State::FieldStart, b'"') => {
                (opened, row_inside) = (line, None);
                State::Quoted
            }
            (State::Quoted, b'"') => State::AfterQuote,
            (State::AfterQuote, b'"') | (State::Quoted, _) => State::Quoted,
            (State::AfterQuote, b',' | b'\n') if row_inside.is_some() => break,
            (_, b',' | b'\n') => State::FieldStart,
            (State::AfterQuote, _) if line > opened => {
                let problem = format!(
                    "the quote that opens here is closed in the middle of line {line}; close it in its own row, or write \"\" for a quote that belongs to the text"
                );
                return Err((opened, problem));
            }
            (State::FieldStart | State::Unquoted | State::AfterQuote, _) => State::Unquoted,
        };
        if byte == b'\n' {
            line += 1;
            if state == State::Quoted && looks_like_row(&text[at + 1..]) {
                row_inside.get_or_insert(line);
            }
        }
    }
    match (state, row_inside) {
        (State::Quoted, _) => Err((opened, "the quote that opens here is never closed".to_owned())),
        (State::AfterQuote, Some(row)) => Err((
            opened,
            format!("the quote that opens here is not closed before the row in line {row}"),
        )),
        _ => Ok(()),
    }
}

/// Whether a line begins with the name of an image and a comma.
fn looks_like_row(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let name = line.split_once(',').and_then(|(name, _)| name.trim_end().rsplit_once('.'));
    name.is_some_and(|(stem, extension)| {
        !stem.is_empty() && IMAGES.iter().any(|known| known.eq_ignore_ascii_case(extension))
    })
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn quotes_that_are_closed_are_right() {
        for text in [
            "image,caption\na.jpg,\"a dog, \"\"Rex\"\", runs\"\nb.jpg,a cat\n",
            "image,caption\na.jpg,\"a dog\nruns\n\n\"\nb.jpg,\"\"\n",
            "a.jpg,\"\"\"Rex\"\" runs\"\na.jpg,a 5\" dog\na.jpg,\"Rex\" runs\na.jpg,\"last\"",
            "a.jpg,\"a dog at a table, with\na.b, c\"\n",
            "",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn quotes_that_are_not_closed_in_their_row_are_found_where_they_open() {
        for (text, line, said) in [
            ("image,caption\nb.jpg,a cat\na.jpg,\"a dog", 3, "never closed"),
            ("image,caption\n\"a.jpg,a dog\nb.jpg,a cat\n", 2, "never closed"),
            ("x,y\na.jpg,\"two\nlines\"\nb.jpg,\"a cat\nc.jpg,a bird\n", 4, "never closed"),
            ("x,y\na.jpg,\"a dog\nb.jpg,\"a cat\"\n", 2, "middle of line 3"),
            ("x,y\na.jpg,\"a dog\nb.jpg,says \"hi\"\n", 2, "middle of line 3"),
            ("x,y\na.jpg,\"a dog\nb.PNG,5\"\nc.jpg,a bird\n", 2, "before the row in line 3"),
            ("x,y\na.jpg,\"a dog\nb.jpg,5\"", 2, "before the row in line 3"),
        ] {
            let (found, problem) = check(text).unwrap_err();
            assert!(found == line && problem.contains(said), "{text}: {found} {problem}");
        }
    }
}
