//! The texts of a photo in all places, judged together: in its file, in its sidecar `NAME.EXT.xmp`, and in `NAME.xmp`, which
//! is read alone.

use std::path::Path;

use common::Size;

use crate::record::Author;
use crate::{Embedding, Existing, Keep, Result, Sidecar, Text, sidecar_path};

/// The places that captions are written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Places {
    /// The photo itself.
    pub embedded: bool,
    /// A sidecar beside it.
    pub sidecar: bool,
}

/// A photo with the texts in its file and beside it.
#[derive(Debug)]
pub struct Photo {
    places: Places,
    /// None if the metadata of the file cannot be read, and captions are not written there.
    embedding: Option<Embedding>,
    /// None if it cannot be read, and captions are not written there.
    sidecar: Option<Sidecar>,
    /// The sidecar as other programs name it, without the ending of the photo.
    other_sidecar: Option<Sidecar>,
}

impl Photo {
    /// Reads the photo at `path`, up to a size of `limit`, and its sidecars.
    ///
    /// # Errors
    /// Those of [`Embedding::read`] and [`Sidecar::read`], for the places that captions are written to.
    pub fn read(path: &Path, limit: Size, places: Places) -> Result<Self> {
        Ok(Self {
            places,
            sidecar: needed_if(places.sidecar, Sidecar::read(&sidecar_path(path)))?,
            other_sidecar: Sidecar::read(&path.with_extension("xmp")).ok(),
            embedding: needed_if(places.embedded, Embedding::read(path, limit))?,
        })
    }

    /// The bytes of the file, if it was read.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.embedding.as_ref().map(Embedding::bytes)
    }

    /// The places that `existing` does not leave as they are: none if a person wrote a text that it leaves alone, in
    /// whichever place; else those without a text of Showtell that it leaves alone.
    #[must_use]
    pub fn places_to_write(&self, existing: Existing) -> Places {
        if self.authors().any(|author| author.protects_photo(existing)) {
            return Places::default();
        }
        let is_free = |author: Author| !author.is_left_alone(existing);
        Places {
            embedded: self.places.embedded && self.embedded_authors().all(is_free),
            sidecar: self.places.sidecar && authors_of(self.sidecar.as_ref()).all(is_free),
        }
    }

    /// Refuses a photo with signed provenance, which a change would break.
    ///
    /// # Errors
    /// [`Error::Signed`](crate::Error::Signed).
    pub fn check_unsigned(&self) -> Result<()> {
        self.embedding.as_ref().map_or(Ok(()), Embedding::check_unsigned)
    }

    /// Writes a text to `places`, among those that the photo was read for. A place that fails does not keep it from the other.
    ///
    /// # Errors
    /// Those of [`Embedding::read`], [`Error::NoRoom`](crate::Error::NoRoom) if the text does not fit, and others if a file
    /// cannot be replaced.
    pub fn write(&self, text: &Text, places: Places, keep: Keep) -> Result<()> {
        let elsewhere = self.authors().find_map(Author::persons);
        let embedding = self.embedding.as_ref().filter(|_| places.embedded);
        let embedded = embedding.map_or(Ok(()), |of| of.write(text, elsewhere, keep));
        let sidecar = self.sidecar.as_ref().filter(|_| places.sidecar);
        embedded.and(sidecar.map_or(Ok(()), |of| of.write(text, elsewhere)))
    }

    /// The authors of all texts, in the order in which programs prefer them.
    fn authors(&self) -> impl Iterator<Item = Author<'_>> {
        let sidecars = [&self.sidecar, &self.other_sidecar].into_iter().flatten();
        sidecars.flat_map(Sidecar::authors).chain(self.embedded_authors())
    }

    fn embedded_authors(&self) -> impl Iterator<Item = Author<'_>> {
        self.embedding.iter().flat_map(Embedding::authors)
    }
}

fn authors_of(sidecar: Option<&Sidecar>) -> impl Iterator<Item = Author<'_>> {
    sidecar.into_iter().flat_map(Sidecar::authors)
}

/// A part that captions are written to, or that is looked at if it can be read.
fn needed_if<T>(is_needed: bool, part: Result<T>) -> Result<Option<T>> {
    match part {
        Err(_) if !is_needed => Ok(None),
        part => part.map(Some),
    }
}
