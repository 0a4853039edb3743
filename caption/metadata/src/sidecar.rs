//! Captions in a sidecar: an XMP file beside the photo.

use std::path::{Path, PathBuf};

use common::Size;

use crate::record::{Author, Record};
use crate::replacement::{Keep, Original};
use crate::xmp::{Texts, Xmp};
use crate::{Existing, Result, Text};

/// The most bytes of a sidecar.
const MAX_BYTES: Size = Size::mib(64);

/// The path of the sidecar of a photo: `photo.jpg.xmp` for `photo.jpg`.
#[must_use]
pub fn sidecar_path(photo: &Path) -> PathBuf {
    let mut path = photo.as_os_str().to_owned();
    path.push(".xmp");
    path.into()
}

/// A sidecar, which need not exist yet.
#[derive(Debug)]
pub struct Sidecar {
    original: Original,
    xmp: Xmp,
    texts: Texts,
}

impl Sidecar {
    /// Reads the sidecar at `path`.
    ///
    /// # Errors
    /// [`Error::File`](crate::Error::File) if it cannot be read, [`Error::Xmp`](crate::Error::Xmp) if it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let original = Original::read(path, MAX_BYTES)?;
        let xmp = original.bytes().map_or_else(|| Ok(Xmp::new()), Xmp::parse)?;
        let texts = xmp.texts();
        Ok(Self { original, xmp, texts })
    }

    /// Whether the treatment leaves its texts as they are.
    #[must_use]
    pub fn is_left_alone(&self, existing: Existing) -> bool {
        self.authors().into_iter().any(|author| author.is_left_alone(existing))
    }

    /// Writes a text, as description and as alt text. Everything else in the sidecar stays.
    ///
    /// # Errors
    /// [`Error::Xmp`](crate::Error::Xmp) if a change would lose something, and others if the file cannot be replaced.
    pub fn write(&self, text: &Text) -> Result<()> {
        let [description, alt_text] =
            self.authors().map(|author| Some(author.replaced(text.text, text.existing)));
        let record = Some(Record::new(text.model, text.text));
        let texts = Texts { description, alt_text, record };
        if texts != self.texts {
            self.original.replace(&self.xmp.with(&texts)?.to_bytes(), Keep::default())?;
        }
        Ok(())
    }

    /// Takes back what Showtell wrote; a sidecar without anything else is removed. Returns whether there was something.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn remove(&self) -> Result<bool> {
        if self.texts.record.is_none() {
            return Ok(false);
        }
        let [description, alt_text] =
            self.authors().map(|author| author.restored().map(str::to_owned));
        let xmp = self.xmp.with(&Texts { description, alt_text, record: None })?;
        if xmp.is_empty() {
            self.original.remove()?;
        } else {
            self.original.replace(&xmp.to_bytes(), Keep::default())?;
        }
        Ok(true)
    }

    fn authors(&self) -> [Author<'_>; 2] {
        let record = self.texts.record.as_ref();
        [&self.texts.description, &self.texts.alt_text]
            .map(|text| Author::from_text(text.as_deref(), record))
    }
}
