//! The first directory of a TIFF structure (TIFF 6.0; EXIF 3.0): values are read, set and removed. Every other value stays at
//! its place, so that offsets into maker notes, thumbnails and pixels stay right.

use std::borrow::Cow;
use std::ops::Range;

use crate::{Error, Result};

/// The type of a text that ends in a zero byte.
pub(crate) const ASCII: u16 = 2;
/// The type of bytes.
pub(crate) const BYTE: u16 = 1;

/// The bytes of the header.
const HEADER: usize = 8;
/// The bytes of an entry: tag, type, count, and the value or its offset.
const ENTRY: usize = 12;
/// The bytes of a value that an entry itself holds.
const INLINE: usize = 4;

/// A TIFF structure.
pub(crate) struct Tiff<'a> {
    /// Borrowed until a value is changed.
    bytes: Cow<'a, [u8]>,
    is_big_endian: bool,
    /// The offset of the first directory.
    directory: usize,
    /// The number of its entries.
    entries: usize,
}

/// An entry of the directory.
struct Entry {
    /// Its offset.
    at: usize,
    /// Type of the value.
    kind: u16,
    /// The place of the value.
    value: Range<usize>,
}

impl<'a> Tiff<'a> {
    /// A structure with an empty directory, in the byte order of the machine's usual makers.
    pub(crate) fn new() -> Self {
        let bytes = Cow::Borrowed(&b"II*\0\x08\0\0\0\0\0\0\0\0\0"[..]);
        Self { bytes, is_big_endian: false, directory: 8, entries: 0 }
    }

    /// Reads the header and the directory.
    ///
    /// # Errors
    /// [`Error::Exif`] if it is damaged, or of the kind for large files.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self> {
        let is_big_endian = match bytes.get(..4) {
            Some(b"II*\0") => false,
            Some(b"MM\0*") => true,
            Some(b"II+\0" | b"MM\0+") => {
                return Err(Error::Exif("a BigTIFF, which is not changed"));
            }
            _ => return Err(Error::Exif("its header is damaged")),
        };
        let bytes = Cow::Borrowed(bytes);
        let mut tiff = Self { bytes, is_big_endian, directory: 0, entries: 0 };
        let beyond_end = Error::Exif("its directory lies beyond its end");
        tiff.directory = tiff.u32(4).ok_or(beyond_end)? as usize;
        let entries = tiff.u16(tiff.directory).map(usize::from);
        // The offset of the next directory follows.
        let fits = |entries: &usize| tiff.u32(tiff.directory + 2 + entries * ENTRY).is_some();
        tiff.entries = entries.filter(fits).ok_or(Error::Exif("its directory is cut off"))?;
        Ok(tiff)
    }

    /// The bytes of the whole structure.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_owned()
    }

    /// The bytes of a value, if there is one.
    ///
    /// # Errors
    /// [`Error::Exif`] if it lies beyond the end.
    pub(crate) fn value(&self, tag: u16) -> Result<Option<&[u8]>> {
        Ok(self.entry(tag)?.map(|entry| &self.bytes[entry.value]))
    }

    /// The text of a value of type ASCII, without what follows its first zero byte.
    ///
    /// # Errors
    /// Those of [`value`](Self::value).
    pub(crate) fn text(&self, tag: u16) -> Result<Option<String>> {
        let text = |value: &[u8]| {
            let text = value.split(|&byte| byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(text).into_owned()
        };
        Ok(self.value(tag)?.map(text))
    }

    /// The only number of a value of 16 or 32 bits.
    ///
    /// # Errors
    /// Those of [`value`](Self::value).
    pub(crate) fn only_number(&self, tag: u16) -> Result<Option<u32>> {
        let value = self.entry(tag)?.map(|entry| entry.value);
        Ok(value.and_then(|value| match value.len() {
            2 => self.u16(value.start).map(u32::from),
            4 => self.u32(value.start),
            _ => None,
        }))
    }

    /// Whether the directory has entries.
    pub(crate) fn has_entries(&self) -> bool {
        self.entries > 0
    }

    /// A number of four bytes in this byte order; zero if there are others.
    pub(crate) fn number(&self, bytes: &[u8]) -> u32 {
        let bytes = <[u8; 4]>::try_from(bytes).unwrap_or_default();
        if self.is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// The four bytes of a number in this byte order.
    pub(crate) fn number_bytes(&self, number: u32) -> [u8; 4] {
        if self.is_big_endian { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    /// Replaces a value by another of the same size, at its place.
    ///
    /// # Errors
    /// Those of [`value`](Self::value).
    pub(crate) fn replace(&mut self, tag: u16, value: &[u8]) -> Result<()> {
        if let Some(entry) = self.entry(tag)?
            && entry.value.len() == value.len()
        {
            self.bytes.to_mut()[entry.value].copy_from_slice(value);
        }
        Ok(())
    }

    /// Sets a value of a type whose items are single bytes. An entry that exists keeps its type if its items are of one
    /// byte or are padded to `u32`.
    ///
    /// # Errors
    /// [`Error::Exif`] if the structure would be too large or is damaged.
    pub(crate) fn set(&mut self, tag: u16, kind: u16, value: &[u8]) -> Result<()> {
        let Some(entry) = self.entry(tag)? else { return self.add(tag, kind, value) };
        // IPTC in TIFF has often the type of 32-bit numbers.
        let unit = item_size(entry.kind).unwrap_or(1);
        let (kind, unit) = if unit == 4 { (entry.kind, 4) } else { (kind, 1) };
        let mut value = value.to_vec();
        value.resize(value.len().next_multiple_of(unit), 0);
        let is_shared = self.is_shared(&entry);
        let place = if value.len() <= INLINE {
            entry.at + 8
        } else if value.len() <= entry.value.len() && !is_shared {
            entry.value.start
        } else {
            self.append(&value)?
        };
        if !is_shared {
            self.bytes.to_mut()[entry.value].fill(0);
        }
        self.write_entry(entry.at, tag, kind, value.len() / unit);
        self.write_value(entry.at, place, &value);
        Ok(())
    }

    /// Removes an entry; its value becomes zeros.
    ///
    /// # Errors
    /// Those of [`value`](Self::value).
    pub(crate) fn remove(&mut self, tag: u16) -> Result<()> {
        let Some(entry) = self.entry(tag)? else { return Ok(()) };
        if !self.is_shared(&entry) {
            self.bytes.to_mut()[entry.value].fill(0);
        }
        let end = self.directory().end;
        self.bytes.to_mut().copy_within(entry.at + ENTRY..end, entry.at);
        self.bytes.to_mut()[end - ENTRY..end].fill(0);
        self.entries -= 1;
        self.write_u16(self.directory, self.entries as u16);
        Ok(())
    }

    /// Adds an entry: the directory is written anew at the end.
    fn add(&mut self, tag: u16, kind: u16, value: &[u8]) -> Result<()> {
        let before = self.offsets().filter(|&at| self.u16(at) < Some(tag)).count();
        let mut directory = self.bytes[self.directory()].to_vec();
        let at = 2 + before * ENTRY;
        directory.splice(at..at, [0; ENTRY]);
        let place = if value.len() > INLINE { Some(self.append(value)?) } else { None };
        self.directory = self.append(&directory)?;
        self.entries += 1;
        self.write_u32(4, self.directory as u32);
        let count =
            u16::try_from(self.entries).map_err(|_| Error::Exif("its directory is full"))?;
        self.write_u16(self.directory, count);
        let at = self.directory + at;
        self.write_entry(at, tag, kind, value.len());
        self.write_value(at, place.unwrap_or(at + 8), value);
        Ok(())
    }

    /// Appends bytes at an even offset; returns it.
    fn append(&mut self, bytes: &[u8]) -> Result<usize> {
        let at = self.bytes.len().next_multiple_of(2);
        let end = at + bytes.len();
        u32::try_from(end).map_err(|_| Error::Exif("larger than 4 GiB with a caption"))?;
        let all = self.bytes.to_mut();
        all.resize(at, 0);
        all.extend_from_slice(bytes);
        Ok(at)
    }

    fn write_entry(&mut self, at: usize, tag: u16, kind: u16, count: usize) {
        self.write_u16(at, tag);
        self.write_u16(at + 2, kind);
        self.write_u32(at + 4, count as u32);
    }

    /// Writes the value of the entry at `at` to `place`: into the entry itself, or where its offset points to.
    fn write_value(&mut self, at: usize, place: usize, value: &[u8]) {
        if place == at + 8 {
            self.write_u32(place, 0);
        } else {
            self.write_u32(at + 8, place as u32);
        }
        self.bytes.to_mut()[place..place + value.len()].copy_from_slice(value);
    }

    fn entry(&self, tag: u16) -> Result<Option<Entry>> {
        let Some(at) = self.offsets().find(|&at| self.u16(at) == Some(tag)) else {
            return Ok(None);
        };
        let entry = self.entry_at(at);
        entry.map(Some).ok_or(Error::Exif("one of its values lies beyond its end"))
    }

    /// The bytes of the directory: the number of entries, the entries, the offset of the next directory.
    fn directory(&self) -> Range<usize> {
        self.directory..self.directory + 2 + self.entries * ENTRY + 4
    }

    /// The offsets of all entries.
    fn offsets(&self) -> impl Iterator<Item = usize> + use<> {
        let first = self.directory + 2;
        (0..self.entries).map(move |index| first + index * ENTRY)
    }

    fn entry_at(&self, at: usize) -> Option<Entry> {
        let (kind, count) = (self.u16(at + 2)?, self.u32(at + 4)? as usize);
        let size = item_size(kind)?.checked_mul(count)?;
        let start = if size <= INLINE { at + 8 } else { self.u32(at + 8)? as usize };
        let value = start..start.checked_add(size)?;
        self.bytes.get(value.clone())?;
        Some(Entry { at, kind, value })
    }

    /// Whether a value lies in the header, in the directory, or in another value, as in files that were made by hand.
    fn is_shared(&self, entry: &Entry) -> bool {
        let value = &entry.value;
        if value.start == entry.at + 8 {
            return false;
        }
        let others = self.offsets().filter(|&at| at != entry.at);
        let others = others.filter_map(|at| Some(self.entry_at(at)?.value));
        let mut parts = others.chain([0..HEADER, self.directory()]);
        parts.any(|part| part.start < value.end && value.start < part.end)
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..)?.first_chunk().copied()?;
        Some(if self.is_big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<u32> {
        Some(self.number(self.bytes.get(at..at.checked_add(4)?)?))
    }

    fn write_u16(&mut self, at: usize, value: u16) {
        let bytes = if self.is_big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        self.bytes.to_mut()[at..at + 2].copy_from_slice(&bytes);
    }

    fn write_u32(&mut self, at: usize, value: u32) {
        let bytes = self.number_bytes(value);
        self.bytes.to_mut()[at..at + 4].copy_from_slice(&bytes);
    }
}

/// The bytes of an item of a type.
fn item_size(kind: u16) -> Option<usize> {
    match kind {
        1 | 2 | 6 | 7 | 129 => Some(1),
        3 | 8 => Some(2),
        4 | 9 | 11 | 13 => Some(4),
        5 | 10 | 12 => Some(8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const DESCRIPTION: u16 = 0x010E;

    /// Big-endian: make, a maker note's offset with 8 bytes, and a second directory.
    fn of_a_camera() -> Vec<u8> {
        let mut bytes = b"MM\0*\0\0\0\x08\0\x02".to_vec();
        bytes.extend(b"\x01\x0F\0\x02\0\0\0\x06\0\0\0\x26");
        bytes.extend(b"\x87\x69\0\x04\0\0\0\x01\0\0\0\x2C");
        bytes.extend(b"\0\0\0\x40");
        bytes.extend(b"Canon\0maker note and thumbnail");
        bytes
    }

    #[test]
    fn a_text_is_added_changed_and_removed_and_everything_else_keeps_its_place() {
        let before = of_a_camera();
        let mut bytes = before.clone();
        assert_eq!(Tiff::parse(&bytes).unwrap().text(0x010F).unwrap().unwrap(), "Canon");
        for text in ["A dog runs.", "A", "A much longer text than before.", "A dog."] {
            let mut tiff = Tiff::parse(&bytes).unwrap();
            tiff.set(DESCRIPTION, ASCII, format!("{text}\0").as_bytes()).unwrap();
            bytes = tiff.into_bytes();
            let tiff = Tiff::parse(&bytes).unwrap();
            assert_eq!(tiff.text(DESCRIPTION).unwrap().unwrap(), text);
            assert_eq!(tiff.text(0x010F).unwrap().unwrap(), "Canon");
            assert_eq!(tiff.bytes[8..before.len()], before[8..], "no byte of before is changed");
        }
        let mut tiff = Tiff::parse(&bytes).unwrap();
        let tags = tiff.offsets().map(|at| tiff.u16(at).unwrap()).collect::<Vec<_>>();
        assert_eq!(tags, [DESCRIPTION, 0x010F, 0x8769], "sorted");
        let end = tiff.directory + 2 + 3 * ENTRY;
        assert_eq!(tiff.u32(end), Some(0x40), "the next directory");
        tiff.remove(DESCRIPTION).unwrap();
        let bytes = tiff.into_bytes();
        let tiff = Tiff::parse(&bytes).unwrap();
        assert_eq!((tiff.entries, tiff.text(DESCRIPTION).unwrap()), (2, None));
        assert_eq!(tiff.u32(tiff.directory + 2 + 2 * ENTRY), Some(0x40));
        assert!(!tiff.bytes.windows(5).any(|part| part == b"A dog"), "no text stays behind");
    }

    /// A value of another that is cleared would be lost.
    #[test]
    fn a_value_that_others_share_is_not_overwritten() {
        let mut bytes = of_a_camera();
        bytes[10..12].copy_from_slice(&DESCRIPTION.to_be_bytes());
        bytes[22..24].copy_from_slice(&0x010F_u16.to_be_bytes());
        bytes.copy_within(12..22, 24);
        let mut tiff = Tiff::parse(&bytes).unwrap();
        tiff.set(DESCRIPTION, ASCII, b"Dogs.\0").unwrap();
        assert_eq!(tiff.text(0x010F).unwrap().unwrap(), "Canon");
        tiff.remove(DESCRIPTION).unwrap();
        assert_eq!(tiff.text(0x010F).unwrap().unwrap(), "Canon");
    }

    #[test]
    fn a_new_structure_and_damaged_ones() {
        let mut tiff = Tiff::new();
        tiff.set(DESCRIPTION, ASCII, b"A dog.\0").unwrap();
        tiff.set(700, BYTE, b"<x/>").unwrap();
        let bytes = tiff.into_bytes();
        let tiff = Tiff::parse(&bytes).unwrap();
        assert_eq!(tiff.text(DESCRIPTION).unwrap().unwrap(), "A dog.");
        assert_eq!(tiff.value(700).unwrap().unwrap(), b"<x/>");
        let whole = of_a_camera();
        for length in 0..38 {
            assert!(Tiff::parse(&whole[..length]).is_err(), "{length} bytes");
        }
        assert!(Tiff::parse(&whole[..40]).unwrap().text(0x010F).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200), text in vec(any::<u8>(), 0..20)) {
            let bytes = [&b"II*\0\x08\0\0\0"[..], &bytes].concat();
            if let Ok(mut tiff) = Tiff::parse(&bytes) {
                let tag = tiff.u16(10).unwrap_or_default();
                let _ = tiff.set(tag, ASCII, &text);
                let _ = tiff.set(DESCRIPTION, ASCII, &text);
                let _ = tiff.remove(tag);
            }
        }
    }
}
