//! Captions in `metadata.jsonl`, as image folders of Hugging Face have it: a line per image, with its name below the folder
//! and its text.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use common::Size;
use serde_json::{Map, Value};

use crate::record::Author;
use crate::replacement::{Keep, Original};
use crate::{Error, Existing, Result};

/// The name of the file.
const FILE: &str = "metadata.jsonl";
/// The most bytes of it.
const MAX_BYTES: Size = Size::mib(1 << 10);
/// The member with the name of an image, and that with its text.
const NAME: &str = "file_name";
const TEXT: &str = "text";

/// The path of the captions of a folder of images.
#[must_use]
pub fn image_folder_path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// The captions of a folder of images.
#[derive(Debug)]
pub struct ImageFolder {
    folder: PathBuf,
    original: Original,
    /// The lines, without line ends.
    lines: Vec<String>,
    /// The lines of further images, in the order of their names: captions come in no order.
    added: BTreeMap<String, String>,
    /// The line of each image, unless it was added, and its text.
    images: HashMap<String, (Option<usize>, Option<String>)>,
    is_changed: bool,
}

impl ImageFolder {
    /// Reads `metadata.jsonl` of a folder, which need not exist yet.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Line`] if a line is not a document with the name of an image,
    /// [`Error::Repeated`] if it names one that another line names.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = image_folder_path(folder);
        let mut original = Original::read(&path, MAX_BYTES)?;
        let bytes = original.take_bytes().unwrap_or_default();
        let text = String::from_utf8(bytes);
        let text = text.map_err(|error| Error::io(&path)(std::io::Error::other(error)))?;
        let mut images = HashMap::new();
        let mut lines = Vec::new();
        for (at, line) in text.lines().enumerate() {
            lines.push(line.to_owned());
            if line.trim().is_empty() {
                continue;
            }
            let (name, text) = parse(line)
                .ok_or_else(|| Error::Line { path: path.clone(), line: at as u64 + 1 })?;
            if images.insert(name, (Some(at), text)).is_some() {
                return Err(Error::Repeated { path, line: at as u64 + 1 });
            }
        }
        let (folder, added) = (folder.to_owned(), BTreeMap::new());
        Ok(Self { folder, original, lines, added, images, is_changed: false })
    }

    /// Whether `existing` leaves the text of the photo at `path` as it is.
    ///
    /// # Errors
    /// [`Error::Name`] if its name is not UTF-8.
    pub fn is_left_alone(&self, path: &Path, existing: Existing) -> Result<bool> {
        Ok(self.author(&self.name(path)?).is_left_alone(existing))
    }

    /// Adds the caption of the photo at `path`, or replaces its text. It is not appended to a text that ends with it.
    /// [`save`](Self::save) writes it.
    ///
    /// # Errors
    /// [`Error::Name`] if its name is not UTF-8.
    pub fn set(&mut self, path: &Path, caption: &str, existing: Existing) -> Result<()> {
        let name = self.name(path)?;
        let author = self.author(&name);
        if author.has_appended(caption, existing) {
            return Ok(());
        }
        let text = author.replaced(caption, existing, None);
        let at = self.images.get(&name).and_then(|&(at, _)| at);
        let line = at.map_or_else(|| self.added.get(&name), |at| self.lines.get(at));
        let line = line.map_or("{}", String::as_str);
        let mut members = serde_json::from_str::<Map<_, _>>(line).unwrap_or_default();
        members.insert(NAME.to_owned(), Value::from(name.as_str()));
        members.insert(TEXT.to_owned(), Value::from(text.as_str()));
        let line = Value::Object(members).to_string();
        match at {
            Some(at) => self.lines[at] = line,
            None => drop(self.added.insert(name.clone(), line)),
        }
        self.images.insert(name, (at, Some(text)));
        self.is_changed = true;
        Ok(())
    }

    /// Replaces the file, if there are changes.
    ///
    /// # Errors
    /// If it cannot be replaced.
    pub fn save(&mut self) -> Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let lines = self.lines.iter().chain(self.added.values());
        let text = lines.flat_map(|line| [line, "\n"]).collect::<String>();
        self.original = self.original.replace(text.as_bytes(), Keep::default())?;
        self.is_changed = false;
        Ok(())
    }

    fn author(&self, name: &str) -> Author<'_> {
        Author::from_text(self.images.get(name).and_then(|(_, text)| text.as_deref()), None)
    }

    /// The name of a photo below the folder, with slashes.
    fn name(&self, path: &Path) -> Result<String> {
        let below = path.strip_prefix(&self.folder).unwrap_or(path);
        let name = below.to_str().ok_or_else(|| Error::Name { path: path.to_owned() })?;
        Ok(name.to_owned())
    }
}

/// The name and the text of a line.
fn parse(line: &str) -> Option<(String, Option<String>)> {
    let members = serde_json::from_str::<Map<_, _>>(line).ok()?;
    let text = members.get(TEXT).and_then(Value::as_str).map(str::to_owned);
    Some((members.get(NAME)?.as_str()?.to_owned(), text))
}
