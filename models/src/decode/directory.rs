//! The first directory of a TIFF file, whose end may be missing.

/// Maximum number of values of an entry that the decoder reads.
const MAX_VALUES: u32 = 1 << 18;

/// Entries of the first directory of a TIFF.
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
    /// Finds the directory. `None` if `bytes` are not a TIFF.
    pub(super) fn first(bytes: &'a [u8]) -> Option<Self> {
        let big_endian = match bytes.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        let mut directory = Self { bytes, big_endian, start: 0, count: 0 };
        let start = usize::try_from(directory.long(4)?).ok()?;
        directory.count = directory.short(start)?.into();
        directory.start = start + 2;
        Some(directory)
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
        let entry = self.entry(tag)?;
        let bytes = if entry.kind == 3 { 2 } else { 4 };
        let offset = if entry.count.checked_mul(bytes)? > 4 {
            usize::try_from(self.long(entry.offset)?).ok()?
        } else {
            entry.offset
        };
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
