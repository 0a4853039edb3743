//! The caption in IPTC-IIM records (IIM 4.2, data set 2:120), which older programs prefer to XMP.

use std::borrow::Cow;

use crate::{Error, Result};

/// The first byte of a data set.
const MARKER: u8 = 0x1C;
/// Record and data set of the character set, and its value for UTF-8.
const CHARACTER_SET: [u8; 2] = [1, 90];
const UTF8: &[u8] = b"\x1B%G";
/// Record and data set of the caption.
const CAPTION: [u8; 2] = [2, 120];
/// The most bytes of a caption.
const MAX_CAPTION: usize = 2000;
/// The largest size of a data set that is written in two bytes.
const MAX_SHORT: usize = 0x7FFF;

/// A data set: its record and number, all its bytes, and its value.
struct DataSet<'a> {
    number: [u8; 2],
    bytes: &'a [u8],
    value: &'a [u8],
}

/// The caption in IPTC-IIM records, if they have one.
///
/// # Errors
/// [`Error::Iptc`] if they are damaged.
pub(crate) fn caption(iptc: &[u8]) -> Result<Option<String>> {
    let sets = parse(iptc)?;
    let is_utf8 = is_utf8(&sets);
    let caption = sets.iter().find(|set| set.number == CAPTION);
    Ok(caption.map(|set| decode(set.value, is_utf8).into_owned()))
}

/// The records with another caption, or without one.
///
/// # Errors
/// [`Error::Iptc`] if they are damaged, or cannot hold the caption.
pub(crate) fn with_caption(iptc: &[u8], caption: Option<&str>) -> Result<Vec<u8>> {
    let sets = parse(iptc)?;
    let caption = caption.map(|caption| encode(caption, is_utf8(&sets))).transpose()?;
    let mut bytes = Vec::with_capacity(iptc.len() + caption.as_ref().map_or(0, Vec::len) + 5);
    let before = |set: &&DataSet| set.number <= CAPTION;
    let others = || sets.iter().filter(|set| set.number != CAPTION);
    bytes.extend(others().filter(before).flat_map(|set| set.bytes));
    if let Some(caption) = caption {
        bytes.extend([MARKER, CAPTION[0], CAPTION[1]]);
        bytes.extend((caption.len() as u16).to_be_bytes());
        bytes.extend(caption);
    }
    bytes.extend(others().filter(|set| !before(set)).flat_map(|set| set.bytes));
    Ok(bytes)
}

fn is_utf8(sets: &[DataSet]) -> bool {
    sets.iter().any(|set| set.number == CHARACTER_SET && set.value == UTF8)
}

fn decode(value: &[u8], is_utf8: bool) -> Cow<'_, str> {
    match str::from_utf8(value) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) if is_utf8 => String::from_utf8_lossy(value),
        Err(_) => value.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// A caption in UTF-8 if that is declared or makes no difference, else in Latin-1, as programs read it.
fn encode(caption: &str, is_utf8: bool) -> Result<Vec<u8>> {
    let bytes = if is_utf8 || caption.is_ascii() {
        Some(caption.as_bytes().to_vec())
    } else {
        caption.chars().map(|letter| u8::try_from(letter).ok()).collect()
    };
    let bytes = bytes
        .ok_or(Error::Iptc("its texts are not in UTF-8, and the caption has other letters"))?;
    if bytes.len() > MAX_CAPTION {
        return Err(Error::Iptc("the text is longer than the 2,000 bytes of its caption"));
    }
    Ok(bytes)
}

/// Splits records into data sets. Zeros after them are padding.
fn parse(mut bytes: &[u8]) -> Result<Vec<DataSet<'_>>> {
    let mut sets = Vec::new();
    while bytes.iter().any(|&byte| byte != 0) {
        let damaged = || Error::Iptc("it is damaged");
        let [MARKER, record, number, high, low, ..] = *bytes else { return Err(damaged()) };
        let size = usize::from(u16::from_be_bytes([high, low]));
        let (header, size) = if size > MAX_SHORT {
            let digits = bytes.get(5..5 + (size & MAX_SHORT)).filter(|digits| digits.len() <= 4);
            let digits = digits.ok_or_else(damaged)?;
            let add = |size, &digit| (size << 8) | usize::from(digit);
            (5 + digits.len(), digits.iter().fold(0, add))
        } else {
            (5, size)
        };
        let (set, rest) = bytes.split_at_checked(header + size).ok_or_else(damaged)?;
        sets.push(DataSet { number: [record, number], bytes: set, value: &set[header..] });
        bytes = rest;
    }
    Ok(sets)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const KEYWORD: &[u8] = b"\x1C\x02\x19\0\x03dog";
    const CREDIT: &[u8] = b"\x1C\x02\x6E\0\x02me";
    const EDITOR: &[u8] = b"\x1C\x02\x7A\0\x02it";

    #[test]
    fn the_caption_takes_its_place_among_the_other_data_sets() {
        let iptc = [KEYWORD, CREDIT, EDITOR, b"\0\0\0"].concat();
        assert_eq!(caption(&iptc).unwrap(), None);
        let with = with_caption(&iptc, Some("A dog runs.")).unwrap();
        let expected = [KEYWORD, CREDIT, b"\x1C\x02\x78\0\x0BA dog runs.", EDITOR].concat();
        assert_eq!(with, expected);
        assert_eq!(caption(&with).unwrap().unwrap(), "A dog runs.");
        let other = with_caption(&with, Some("A cat.")).unwrap();
        assert_eq!(caption(&other).unwrap().unwrap(), "A cat.");
        assert_eq!(with_caption(&other, None).unwrap(), [KEYWORD, CREDIT, EDITOR].concat());
    }

    #[test]
    fn letters_are_written_in_the_character_set_of_the_records() {
        let utf8 = [b"\x1C\x01\x5A\0\x03\x1B%G", KEYWORD].concat();
        for text in ["Một con chó.", "A café."] {
            let with = with_caption(&utf8, Some(text)).unwrap();
            assert_eq!(caption(&with).unwrap().unwrap(), text);
        }
        let latin = with_caption(KEYWORD, Some("A café.")).unwrap();
        assert!(latin.ends_with(b"A caf\xE9."));
        assert_eq!(caption(&latin).unwrap().unwrap(), "A café.");
        assert!(with_caption(KEYWORD, Some("Một con chó.")).is_err());
        assert!(with_caption(KEYWORD, Some(&"a".repeat(2001))).is_err());
    }

    #[test]
    fn large_data_sets_are_kept_and_damaged_ones_refused() {
        let large = [b"\x1C\x02\xCA\x80\x04\0\0\0\x05".as_slice(), b"bytes"].concat();
        let with = with_caption(&large, Some("A dog.")).unwrap();
        assert!(with.ends_with(&large));
        for damaged in [&KEYWORD[..6], b"\x1D\x02\x19\0\0", b"\x1C\x02\x19\x80\x09123456789"] {
            assert!(caption(damaged).is_err(), "{damaged:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..60)) {
            let _ = with_caption(&[KEYWORD, &bytes].concat(), Some("A dog."));
        }
    }
}
