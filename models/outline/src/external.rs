//! Weights in other files.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path};

/// A part of another file, which holds the values of a weight.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExternalData {
    /// The file, relative to the folder of the ONNX file.
    pub location: String,
    /// Where the values begin, in bytes.
    pub offset: u64,
    /// Length of the values in bytes; `None` up to the end of the file.
    pub length: Option<u64>,
}

impl ExternalData {
    /// Reads the entries of a tensor, keys and values. `None` where a number cannot be read.
    pub fn from_entries<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Self> {
        let entries = entries.collect::<Vec<_>>();
        let value = |key| entries.iter().find(|entry| entry.0 == key).map(|entry| entry.1);
        let number = |key| value(key).map(|value| value.parse::<u64>().ok());
        Some(Self {
            location: value("location").unwrap_or_default().to_owned(),
            offset: number("offset").unwrap_or(Some(0))?,
            length: match number("length") {
                Some(length) => Some(length?),
                None => None,
            },
        })
    }

    /// Opens the file in `folder` at the first value; returns the length of the values in bytes as well.
    ///
    /// # Errors
    /// If the file is outside `folder`, is missing, is not a regular file or is too short.
    pub fn open(&self, folder: &Path) -> io::Result<(File, u64)> {
        let location = Path::new(&self.location);
        let is_below = |part: Component| matches!(part, Component::Normal(_) | Component::CurDir);
        if self.location.is_empty() || !location.components().all(is_below) {
            return Err(io::Error::other("not a file in the folder of the network"));
        }
        let path = folder.join(location);
        // Opening a pipe would block until another process writes into it.
        if !fs::metadata(&path)?.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let length = self.length.unwrap_or_else(|| size.saturating_sub(self.offset));
        if self.offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(io::Error::other(format!(
                "the file is too short: it has {size} bytes, the network needs {length} from byte {}",
                self.offset
            )));
        }
        file.seek(SeekFrom::Start(self.offset))?;
        Ok((file, length))
    }

    /// Reads the values from the file in `folder`.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and failures to read.
    pub fn read(&self, folder: &Path) -> io::Result<Vec<u8>> {
        let (file, length) = self.open(folder)?;
        let mut values = Vec::new();
        file.take(length).read_to_end(&mut values)?;
        Ok(values)
    }
}
