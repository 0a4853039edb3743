//! Captions in a sidecar: an XMP file beside the photo.

use std::path::{Path, PathBuf};

use common::Size;

use crate::record::{Author, Record};
use crate::replacement::{Keep, Original};
use crate::xmp::{Texts, Xmp};
use crate::{Error, Result, Text};

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
    path: PathBuf,
    original: Original,
    xmp: Xmp,
    texts: Texts,
}

impl Sidecar {
    /// Reads the sidecar at `path`.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Sidecar`] if it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let original = Original::read(path, MAX_BYTES)?;
        let bytes = original.bytes().filter(|bytes| !bytes.is_empty());
        let xmp = bytes.map_or_else(|| Ok(Xmp::new()), Xmp::parse);
        let xmp = xmp.map_err(Error::in_sidecar(path))?;
        let texts = xmp.texts();
        Ok(Self { path: path.to_owned(), original, xmp, texts })
    }

    /// The bytes of a new sidecar with a text, as description and as alt text. `model` is recorded as its author; without one
    /// it counts as your own. Characters that XML does not allow become spaces.
    ///
    /// # Errors
    /// [`Error::Xmp`] if the sidecar cannot be made.
    pub fn create(text: &str, model: Option<&str>) -> Result<Vec<u8>> {
        let is_forbidden = |of: char| of.is_control() || matches!(of, '\u{FFFE}' | '\u{FFFF}');
        let text = text.split(is_forbidden).collect::<Vec<_>>().join(" ");
        let text = text.as_str();
        let record = model.map(|model| Record::new(model, text));
        let [description, alt_text] = [Some(text.to_owned()), Some(text.to_owned())];
        Ok(Xmp::new().with(&Texts { description, alt_text, record })?.to_bytes())
    }

    /// Writes a text, as description and as alt text. Everything else in the sidecar stays. `elsewhere` is the text of a
    /// person in another place.
    ///
    /// # Errors
    /// [`Error::Sidecar`] if a change would lose something, and others if the file cannot be replaced.
    pub fn write(&self, text: &Text, elsewhere: Option<&str>) -> Result<()> {
        let [description, alt_text] =
            self.authors().map(|author| Some(author.replaced(text.text, text.existing, elsewhere)));
        let record = Some(Record::new(text.model, text.text));
        let texts = Texts { description, alt_text, record };
        if texts != self.texts {
            self.original.replace(&self.with(&texts)?.to_bytes(), Keep::default())?;
        }
        Ok(())
    }

    /// Takes back what Showtell wrote; a sidecar without anything else is removed. Returns whether there was something.
    ///
    /// # Errors
    /// [`Error::Sidecar`] if a change would lose something, and others if the file cannot be replaced.
    pub fn remove(&self) -> Result<bool> {
        if self.texts.record.is_none() {
            return Ok(false);
        }
        let [description, alt_text] =
            self.authors().map(|author| author.persons().map(str::to_owned));
        let xmp = self.with(&Texts { description, alt_text, record: None })?;
        if xmp.is_empty() {
            self.original.remove()?;
        } else {
            self.original.replace(&xmp.to_bytes(), Keep::default())?;
        }
        Ok(true)
    }

    fn with(&self, texts: &Texts) -> Result<Xmp> {
        self.xmp.with(texts).map_err(Error::in_sidecar(&self.path))
    }

    /// The authors of the description and the alt text.
    pub(crate) fn authors(&self) -> [Author<'_>; 2] {
        let record = self.texts.record.as_ref();
        [&self.texts.description, &self.texts.alt_text]
            .map(|text| Author::from_text(text.as_deref(), record))
    }
}
