//! The texts of a photo in all places, judged together: in its file, in its sidecar `NAME.EXT.xmp`, and in `NAME.xmp`, which
//! is read alone.

use std::path::Path;

use common::Size;

use crate::record::Author;
use crate::{Embedding, Error, Existing, Keep, Result, Sidecar, Text, sidecar_path};

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
    /// Where captions are written to.
    places: Places,
    /// None if the file was not needed, or its metadata cannot be read and captions are not written there.
    embedding: Option<Embedding>,
    /// None if it cannot be read, and captions are not written there.
    sidecar: Option<Sidecar>,
    /// Whether captions were to be written to the file as well, whose format cannot hold them.
    is_sidecar_alone: bool,
    /// The sidecar as other programs name it, without the ending of the photo.
    other_sidecar: Option<Sidecar>,
}

impl Photo {
    /// Reads the sidecars of the photo at `path`, and its file, up to a size of `limit`, unless they settle that it is left as
    /// it is. Captions are written to those of `places` that `existing` does not leave as they are: none if a person wrote a
    /// text that it leaves alone, in whichever place; else those without a text of Showtell that it leaves alone.
    ///
    /// # Errors
    /// Those of [`Embedding::read`] and [`Sidecar::read`], for the places that captions are written to, and
    /// [`Error::Raw`](crate::Error::Raw).
    pub fn read(path: &Path, limit: Size, places: Places, existing: Existing) -> Result<Self> {
        let mut photo = Self {
            places,
            sidecar: needed_if(places.sidecar, Sidecar::read(&sidecar_path(path)))?,
            other_sidecar: Sidecar::read(&path.with_extension("xmp")).ok(),
            embedding: None,
            is_sidecar_alone: false,
        };
        photo.leave_alone(existing);
        if photo.places != Places::default() {
            photo.read_file(path, limit)?;
            photo.leave_alone(existing);
        }
        Ok(photo)
    }

    /// Reads the file. If its format cannot hold captions, they are written to the sidecar alone, if at all.
    fn read_file(&mut self, path: &Path, limit: Size) -> Result<()> {
        let read = Embedding::read(path, limit);
        let can_hold = match &read {
            Ok(embedding) => embedding.check_not_raw(),
            Err(Error::Format) => Err(Error::Format),
            Err(_) => Ok(()),
        };
        if self.places.embedded && self.places.sidecar && can_hold.is_err() {
            self.places.embedded = false;
            self.is_sidecar_alone = true;
        } else if self.places.embedded {
            can_hold?;
        }
        self.embedding = needed_if(self.places.embedded, read)?;
        Ok(())
    }

    /// Whether captions were to be written to the file as well, whose format cannot hold them.
    #[must_use]
    pub fn is_sidecar_alone(&self) -> bool {
        self.is_sidecar_alone
    }

    /// Where captions are written to.
    #[must_use]
    pub fn places(&self) -> Places {
        self.places
    }

    /// The bytes of the file, if it was read.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.embedding.as_ref().map(Embedding::bytes)
    }

    /// Refuses a photo with signed provenance, which a change would break.
    ///
    /// # Errors
    /// [`Error::Signed`](crate::Error::Signed).
    pub fn check_unsigned(&self) -> Result<()> {
        self.embedding.as_ref().map_or(Ok(()), Embedding::check_unsigned)
    }

    /// Writes a text to its places. A place that fails does not keep it from the other.
    ///
    /// # Errors
    /// Those of [`Embedding::read`], [`Error::NoRoom`](crate::Error::NoRoom) if the text does not fit, and others if a file
    /// cannot be replaced.
    pub fn write(&self, text: &Text, keep: Keep) -> Result<()> {
        let elsewhere = self.authors().find_map(Author::persons);
        let embedding = self.embedding.as_ref().filter(|_| self.places.embedded);
        let embedded = embedding.map_or(Ok(()), |of| of.write(text, elsewhere, keep));
        let sidecar = self.sidecar.as_ref().filter(|_| self.places.sidecar);
        embedded.and(sidecar.map_or(Ok(()), |of| of.write(text, elsewhere)))
    }

    /// Takes out the places that the texts that were read leave as they are.
    fn leave_alone(&mut self, existing: Existing) {
        let is_protected = self.authors().any(|author| author.protects_photo(existing));
        let is_free = |author: Author| !author.is_left_alone(existing);
        let embedded = self.embedding.iter().flat_map(Embedding::authors).all(is_free);
        let sidecar = self.sidecar.iter().flat_map(Sidecar::authors).all(is_free);
        let Places { embedded: was_embedded, sidecar: was_sidecar } = self.places;
        self.places = Places {
            embedded: was_embedded && embedded && !is_protected,
            sidecar: was_sidecar && sidecar && !is_protected,
        };
    }

    /// The authors of all texts, in the order in which programs prefer them.
    fn authors(&self) -> impl Iterator<Item = Author<'_>> {
        let sidecars = [&self.sidecar, &self.other_sidecar].into_iter().flatten();
        let embedded = self.embedding.iter().flat_map(Embedding::authors);
        sidecars.flat_map(Sidecar::authors).chain(embedded)
    }
}

/// A part that captions are written to, or that is looked at if it can be read.
fn needed_if<T>(is_needed: bool, part: Result<T>) -> Result<Option<T>> {
    match part {
        Err(_) if !is_needed => Ok(None),
        part => part.map(Some),
    }
}
