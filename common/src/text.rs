//! Text files: UTF-8, with or without a byte-order mark, lines that end in LF, CRLF or CR.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};

use crate::names::normal;
use crate::{Error, Result, Size, files};

/// The largest text file that is read: the captions of tens of millions of photos.
const LIMIT: Size = Size::mib(4 << 10);

/// Reads the file at `path`, without a byte-order mark and with LF at the end of each line.
///
/// # Errors
/// [`Error::Io`] if it cannot be read or is not a regular file, [`Error::Text`] with the line if it is not UTF-8.
pub fn read(path: &Path) -> Result<String> {
    read_up_to(LIMIT, path)
}

/// Reads a file like [`read`], up to a size of `limit`.
///
/// # Errors
/// Those of [`read`], and [`Error::Io`] if it is larger.
pub fn read_up_to(limit: Size, path: &Path) -> Result<String> {
    decode(files::read(path, limit).map_err(Error::io(path))?, path)
}

/// Reads the document in the JSON file at `path`.
///
/// # Errors
/// Those of [`read`], and [`Error::Text`] with the line if it is not a `T`.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    serde_json::from_str(&read(path)?).map_err(|error| Error::json(path, &error))
}

/// Decodes `bytes` like [`read`]; errors name `path`.
///
/// # Errors
/// [`Error::Text`] with the line if they are not UTF-8.
pub fn decode(bytes: Vec<u8>, path: &Path) -> Result<String> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Error::text(path, 1, "UTF-16: save it as UTF-8"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = normalize_line_ends(&String::from_utf8_lossy(&error.as_bytes()[..valid]));
        let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
        let byte = error.as_bytes()[valid];
        let problem = format!(
            "byte 0x{byte:02X} is not UTF-8: convert the file, for example with `iconv -f latin1 -t utf-8`"
        );
        Error::text(path, line as u64, problem)
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        None if !text.contains('\r') => text,
        rest => normalize_line_ends(rest.unwrap_or(&text)),
    })
}

/// Reads the entries of a JSON object in the order of the file, with duplicate names; errors name the `expected` object.
///
/// # Errors
/// Those of `json`.
pub fn entries<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    json: D,
    expected: &'static str,
) -> Result<Vec<(String, T)>, D::Error> {
    json.deserialize_map(Entries { expected, values: PhantomData })
}

/// Reads a JSON object by its names in Unicode normal form C, each of which may occur once.
///
/// # Errors
/// Those of `json`, and one that names a duplicate.
pub fn unique_entries<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    json: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let mut unique = BTreeMap::new();
    for (name, value) in entries(json, "a JSON object")? {
        let name = normal(&name).into_owned();
        if unique.contains_key(&name) {
            return Err(D::Error::custom(format_args!("`{name}` occurs twice")));
        }
        unique.insert(name, value);
    }
    Ok(unique)
}

struct Entries<T> {
    expected: &'static str,
    values: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
    type Value = Vec<(String, T)>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str(self.expected)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

fn normalize_line_ends(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn decoded(bytes: &[u8]) -> Result<String> {
        decode(bytes.to_vec(), Path::new("a.txt"))
    }

    #[test]
    fn marks_and_line_ends_do_not_matter() {
        for bytes in [&b"one\ntwo\n"[..], b"\xEF\xBB\xBFone\r\ntwo\r\n", b"one\rtwo\r"] {
            assert_eq!(decoded(bytes).unwrap(), "one\ntwo\n");
        }
    }

    #[test]
    fn other_encodings_are_refused_with_the_line() {
        for bytes in [&b"one\r\ntwo\ncaf\xE9\n"[..], b"one\rtwo\rcaf\xE9"] {
            let error = decoded(bytes).unwrap_err().to_string();
            assert!(error.contains("a.txt, line 3") && error.contains("0xE9"), "{error}");
        }
        for bytes in [&b"\xFF\xFEa\0"[..], b"\xFE\xFF\0a"] {
            assert!(decoded(bytes).unwrap_err().to_string().contains("UTF-16"));
        }
    }

    #[test]
    fn json_may_have_a_mark_and_errors_name_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "\u{feff}[1,\r\n2]").unwrap();
        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), [1, 2]);
        fs::write(&path, "[1,\n2,\nx]").unwrap();
        let error = read_json::<Vec<u8>>(&path).unwrap_err().to_string();
        assert!(error.contains("a.json, line 3"), "{error}");
    }
}
