//! Shards: a store in several files, each filled by a task of its own.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::scratch::folder_of;
use crate::{Error, Result};

/// A shard of a store: its index and the number of shards. An image belongs to the shard that its name hashes to,
/// independently of other images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    index: u32,
    count: u32,
}

impl Shard {
    /// Shard `index` of `count`, counted from 0; `None` where there is no such one.
    #[must_use]
    pub fn new(index: u32, count: u32) -> Option<Self> {
        (index < count).then_some(Self { index, count })
    }

    /// Counted from 0.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// The number of shards.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether the image or archive of that name belongs to this shard: bytes 8 to 15 of the name's SHA-256,
    /// as a big-endian number, modulo the number of shards. (Byte 0 decides about splits.)
    #[must_use]
    pub fn holds(self, name: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(name).into();
        let number = hash[8..16].iter().fold(0, |number, &byte| number << 8 | u64::from(byte));
        number % u64::from(self.count) == u64::from(self.index)
    }

    /// The path of this shard of a store: `features/flickr8k.3-of-8.h5` for `features/flickr8k.h5`.
    #[must_use]
    pub fn path(self, store: &Path) -> PathBuf {
        let (stem, extension) = parts(store);
        let mut name = stem;
        name.push(format!(".{}-of-{}", self.index, self.count));
        name.push(extension);
        store.with_file_name(name)
    }

    /// The shard whose path is `path`, if it is one of `store`.
    fn of_path(path: &Path, store: &Path) -> Option<Self> {
        let stem = path.file_stem()?.to_str()?;
        let (_, numbers) = stem.rsplit_once('.')?;
        let (index, count) = numbers.split_once("-of-")?;
        let shard = Self::new(index.parse().ok()?, count.parse().ok()?)?;
        (shard.path(store) == path).then_some(shard)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/');
        let numbers = numbers.and_then(|(index, count)| index.parse().ok().zip(count.parse().ok()));
        let shard = numbers.and_then(|(index, count)| Self::new(index, count));
        shard.ok_or_else(|| format!("`{text}` is not I/N with I from 0 to N − 1"))
    }
}

/// `flickr8k` and `.h5`.
fn parts(store: &Path) -> (OsString, OsString) {
    let stem = store.file_stem().unwrap_or_default().to_owned();
    let mut extension = OsString::new();
    if let Some(of_store) = store.extension() {
        extension.push(".");
        extension.push(of_store);
    }
    (stem, extension)
}

/// The shards of a store in its folder, sorted by index.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read.
pub fn shards_of(store: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder_of(store);
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io(folder))?,
    };
    for entry in entries {
        let path = store.with_file_name(entry.map_err(Error::io(folder))?.file_name());
        found.extend(Shard::of_path(&path, store).map(|shard| ((shard.count, shard.index), path)));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}
