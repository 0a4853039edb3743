//! The directories of a TIFF file, whose end may be missing.

/// Maximum number of values of an entry that the decoder reads.
const MAX_VALUES: u32 = 1 << 18;

/// Maximum number of directories below a directory.
const MAX_BELOW: u32 = 16;

/// Entries of a directory of a TIFF.
pub(super) struct Directory<'a> {
    bytes: &'a [u8],
    big_endian: bool,
    /// Offset of its entries, 12 bytes each.
    start: usize,
    count: usize,
}

/// An entry: the type and number of its values, and the offset of its value or of the offset of its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    kind: u16,
    count: u32,
    offset: usize,
}

impl<'a> Directory<'a> {
    /// Finds the first directory. `None` if `bytes` are not a TIFF.
    pub(super) fn first(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        let head = Self { bytes, big_endian, start: 0, count: 0 };
        head.at(head.long(4)?)
    }

    /// The directory at an offset of the same file.
    pub(super) fn at(&self, offset: u32) -> Option<Self> {
        let offset = usize::try_from(offset).ok()?;
        Some(Self { count: self.short(offset)?.into(), start: offset + 2, ..*self })
    }

    /// The offsets of the next directory and of those below this one.
    pub(super) fn others(&self) -> Vec<u32> {
        const SUB_DIRECTORIES: u16 = 330;
        let next = self.long(self.start + 12 * self.count).filter(|&next| next != 0);
        let entry = self.entry(SUB_DIRECTORIES);
        let below = entry.into_iter().flat_map(|entry| {
            let below = (0..entry.count.min(MAX_BELOW)).map(move |at| self.value(entry, at));
            below.map_while(|offset| offset)
        });
        next.into_iter().chain(below).collect()
    }

    /// Whether every entry that the decoder reads has a reasonable number of values.
    pub(super) fn is_reasonable(&self) -> bool {
        // Higher tags are metadata.
        self.all().all(|(tag, entry)| tag > 600 || tag == 700 || entry.count <= MAX_VALUES)
    }

    pub(super) fn entry(&self, tag: u16) -> Option<Entry> {
        self.all().find(|(found, _)| *found == tag).map(|(_, entry)| entry)
    }

    /// The first value of an entry of 16- or 32-bit numbers.
    pub(super) fn number(&self, tag: u16) -> Option<u32> {
        self.value(self.entry(tag)?, 0)
    }

    /// The only value of an entry of 16- or 32-bit numbers.
    pub(super) fn only_number(&self, tag: u16) -> Option<u32> {
        let entry = self.entry(tag).filter(|entry| entry.count == 1)?;
        self.value(entry, 0)
    }

    /// A value of an entry of 16- or 32-bit numbers.
    fn value(&self, entry: Entry, at: u32) -> Option<u32> {
        let bytes = if entry.kind == 3 { 2 } else { 4 };
        let start = if entry.count.checked_mul(bytes)? > 4 {
            usize::try_from(self.long(entry.offset)?).ok()?
        } else {
            entry.offset
        };
        let offset = start.checked_add(usize::try_from(at.checked_mul(bytes)?).ok()?)?;
        if entry.kind == 3 { self.short(offset).map(u32::from) } else { self.long(offset) }
    }

    /// The bytes of a text entry.
    pub(super) fn text(&self, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entry(tag)?;
        let count = usize::try_from(entry.count).ok()?;
        let start =
            if count > 4 { usize::try_from(self.long(entry.offset)?).ok()? } else { entry.offset };
        self.bytes.get(start..start.checked_add(count)?)
    }

    fn all(&self) -> impl Iterator<Item = (u16, Entry)> + '_ {
        (0..self.count).map_while(|at| {
            let at = self.start + 12 * at;
            let entry =
                Entry { kind: self.short(at + 2)?, count: self.long(at + 4)?, offset: at + 8 };
            Some((self.short(at)?, entry))
        })
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes = [*self.bytes.get(at)?, *self.bytes.get(at.checked_add(1)?)?];
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let first = u32::from(self.short(at)?);
        let second = u32::from(self.short(at.checked_add(2)?)?);
        Some(if self.big_endian { first << 16 | second } else { second << 16 | first })
    }
}
