//! Captions in a text beside the photo, as programs that train on pictures expect them.

use std::path::{Path, PathBuf};

use common::Size;

use crate::record::Author;
use crate::replacement::{Keep, Original};
use crate::{Error, Existing, Result};

/// The most bytes of a text.
const MAX_BYTES: Size = Size::mib(1);

/// The path of the text of a photo: `photo.txt` for `photo.jpg`.
#[must_use]
pub fn text_path(photo: &Path) -> PathBuf {
    photo.with_extension("txt")
}

/// A text, which need not exist yet. It does not say who wrote it, so that every text counts as a person's.
#[derive(Debug)]
pub struct TextFile {
    original: Original,
    text: Option<String>,
}

impl TextFile {
    /// Reads the text at `path`.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self> {
        let mut original = Original::read(path, MAX_BYTES)?;
        let text = original.take_bytes().map(String::from_utf8).transpose();
        let text = text.map_err(|error| Error::io(path)(std::io::Error::other(error)))?;
        Ok(Self { original, text })
    }

    /// Whether `existing` leaves it as it is.
    #[must_use]
    pub fn is_left_alone(&self, existing: Existing) -> bool {
        self.author().is_left_alone(existing)
    }

    /// Writes `caption`, in one line. It is not appended to a text that ends with it.
    ///
    /// # Errors
    /// If the file cannot be replaced.
    pub fn write(&self, caption: &str, existing: Existing) -> Result<()> {
        let author = self.author();
        if author.has_appended(caption, existing) {
            return Ok(());
        }
        let text = format!("{}\n", author.replaced(caption, existing, None));
        self.original.replace(text.as_bytes(), Keep::default())?;
        Ok(())
    }

    fn author(&self) -> Author<'_> {
        Author::from_text(self.text.as_deref(), None)
    }
}
