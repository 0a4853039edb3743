//! Captions in the photo itself.

use std::path::Path;

use common::Size;
use img_parts::Bytes;

use crate::container::{self, Embedded};
use crate::record::{Author, Record};
use crate::replacement::{Keep, Original};
use crate::xmp::{Texts, Xmp};
use crate::{Error, Result, Text, iptc};

/// A photo with its metadata.
#[derive(Debug)]
pub struct Embedding {
    original: Original,
    bytes: Bytes,
    embedded: Embedded,
    xmp: Option<Xmp>,
    texts: Texts,
    /// The caption in IPTC records.
    iptc: Option<String>,
}

impl Embedding {
    /// Reads the photo at `path`, up to a size of `limit`.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Format`] if its format has no place for a caption, and others if its
    /// metadata are damaged.
    pub fn read(path: &Path, limit: Size) -> Result<Self> {
        let mut original = Original::read(path, limit)?;
        let bytes = original.take_bytes().ok_or(std::io::ErrorKind::NotFound.into());
        let bytes = Bytes::from(bytes.map_err(Error::io(path))?);
        let embedded = container::read(&bytes)?;
        let xmp = embedded.xmp.as_deref().map(Xmp::parse).transpose()?;
        let texts = xmp.as_ref().map(Xmp::texts).unwrap_or_default();
        let iptc = embedded.iptc.as_deref().map(iptc::caption).transpose()?.flatten();
        Ok(Self { original, bytes, embedded, xmp, texts, iptc })
    }

    /// The bytes of the photo.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Refuses a photo with signed provenance, which any change would break.
    ///
    /// # Errors
    /// [`Error::Signed`].
    pub fn check_unsigned(&self) -> Result<()> {
        let elsewhere = self.xmp.as_ref().is_some_and(Xmp::has_provenance);
        if self.embedded.is_signed || elsewhere { Err(Error::Signed) } else { Ok(()) }
    }

    /// Refuses a raw photo, which stays as the camera wrote it.
    ///
    /// # Errors
    /// [`Error::Raw`].
    pub(crate) fn check_not_raw(&self) -> Result<()> {
        if self.embedded.is_raw { Err(Error::Raw) } else { Ok(()) }
    }

    /// Writes a text: into XMP as description and as alt text, into EXIF, and into IPTC records where there are some.
    /// `elsewhere` is the text of a person in another place.
    ///
    /// # Errors
    /// [`Error::NoRoom`] if the text does not fit, [`Error::Xmp`] if a change would lose something, and others if the file
    /// cannot be replaced.
    pub fn write(&self, text: &Text, elsewhere: Option<&str>, keep: Keep) -> Result<()> {
        let [description, alt_text, iptc, exif] =
            self.authors().map(|author| Some(author.replaced(text.text, text.existing, elsewhere)));
        let record = Some(Record::new(text.model, text.text));
        let texts = Texts { description, alt_text, record };
        let iptc = self.embedded.iptc.as_ref().and(iptc);
        let is_there =
            texts == self.texts && exif == self.embedded.description && iptc == self.iptc;
        if is_there { Ok(()) } else { self.save(&texts, exif, iptc.as_deref(), keep) }
    }

    /// Takes back what Showtell wrote. Returns whether there was something.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn remove(&self, keep: Keep) -> Result<bool> {
        if self.texts.record.is_none() {
            return Ok(false);
        }
        let [description, alt_text, iptc, exif] =
            self.authors().map(|author| author.persons().map(str::to_owned));
        let texts = Texts { description, alt_text, record: None };
        self.save(&texts, exif, iptc.as_deref(), keep)?;
        Ok(true)
    }

    fn save(
        &self,
        texts: &Texts,
        description: Option<String>,
        caption: Option<&str>,
        keep: Keep,
    ) -> Result<()> {
        let xmp = self.xmp.clone().unwrap_or_else(Xmp::new).with(texts)?;
        let iptc = self.embedded.iptc.as_deref();
        let embedded = Embedded {
            xmp: (!xmp.is_empty()).then(|| xmp.to_bytes()),
            description,
            iptc: iptc.map(|iptc| iptc::with_caption(iptc, caption)).transpose()?,
            is_signed: false,
            is_raw: false,
        };
        self.original.replace(&container::write(&self.bytes, &embedded)?, keep)?;
        Ok(())
    }

    /// The authors of the description and the alt text in XMP, of the caption in IPTC, and of the description in EXIF: the
    /// order in which programs prefer them.
    pub(crate) fn authors(&self) -> [Author<'_>; 4] {
        let record = self.texts.record.as_ref();
        let Texts { description, alt_text, .. } = &self.texts;
        [description, alt_text, &self.iptc, &self.embedded.description]
            .map(|text| Author::from_text(text.as_deref(), record))
    }
}
