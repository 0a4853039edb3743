//! Quotes in CSV. The `csv` crate reads a quote that is never closed as one field up to the end of the file.

/// A quote in CSV that is not closed at the end of its field. `opened` is the line where it opens, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// The quote is never closed.
    #[error("the quote that opens here is never closed")]
    NeverClosed {
        /// The line where it opens.
        opened: u64,
    },
    /// A row begins before the quote is closed.
    #[error("the quote that opens here is not closed before the row in line {row}")]
    RowInside {
        /// The line where it opens.
        opened: u64,
        /// The line of the row.
        row: u64,
    },
    /// Text follows the closing quote, in another line.
    #[error(
        "the quote that opens here is closed in the middle of line {closed}: close it in its own row, or write \"\" for \
         a quote that belongs to the text"
    )]
    TextAfter {
        /// The line where it opens.
        opened: u64,
        /// The line where it is closed.
        closed: u64,
    },
}

impl QuoteError {
    /// The line where the quote opens, counted from 1.
    #[must_use]
    pub fn line(self) -> u64 {
        match self {
            Self::NeverClosed { opened }
            | Self::RowInside { opened, .. }
            | Self::TextAfter { opened, .. } => opened,
        }
    }
}

/// The extensions of image files.
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
/// quoted field may contain line breaks.
///
/// # Errors
/// A [`QuoteError`] for the first quote that is not.
pub fn check(text: &str) -> Result<(), QuoteError> {
    if !text.contains('"') {
        return Ok(());
    }
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
                return Err(QuoteError::TextAfter { opened, closed: line });
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
        (State::Quoted, _) => Err(QuoteError::NeverClosed { opened }),
        (State::AfterQuote, Some(row)) => Err(QuoteError::RowInside { opened, row }),
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
    use super::{QuoteError, check};

    #[test]
    fn closed_quotes_are_accepted() {
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
    fn unclosed_quotes_are_reported_where_they_open() {
        let never = |opened| QuoteError::NeverClosed { opened };
        let after = |opened, closed| QuoteError::TextAfter { opened, closed };
        let inside = |opened, row| QuoteError::RowInside { opened, row };
        for (text, error) in [
            ("image,caption\nb.jpg,a cat\na.jpg,\"a dog", never(3)),
            ("image,caption\n\"a.jpg,a dog\nb.jpg,a cat\n", never(2)),
            ("x,y\na.jpg,\"two\nlines\"\nb.jpg,\"a cat\nc.jpg,a bird\n", never(4)),
            ("x,y\na.jpg,\"a dog\nb.jpg,\"a cat\"\n", after(2, 3)),
            ("x,y\na.jpg,\"a dog\nb.jpg,says \"hi\"\n", after(2, 3)),
            ("x,y\na.jpg,\"a dog\nb.PNG,5\"\nc.jpg,a bird\n", inside(2, 3)),
            ("x,y\na.jpg,\"a dog\nb.jpg,5\"", inside(2, 3)),
        ] {
            assert_eq!(check(text), Err(error), "{text}");
        }
    }
}
