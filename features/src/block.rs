//! Addresses of the datasets of a file.

use serde::Deserialize;

use crate::Provenance;

/// Maximum bytes of a name.
pub const MAX_NAME_BYTES: usize = 1 << 16;
/// Bytes of a SHA-256.
pub(crate) const SOURCE_BYTES: usize = 32;
/// Bytes of a stamp: size and modification time.
pub(crate) const STAMP_BYTES: usize = 2 * size_of::<u64>();
/// Bytes of a checksum.
pub(crate) const CHECKSUM_BYTES: usize = size_of::<u32>();

/// Rows that were laid out at one time: the byte addresses of their datasets. A file of version 2 has several, later
/// ones one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Block {
    pub(crate) rows: usize,
    /// Bytes of the longest name; shorter ones are padded with zeros.
    pub(crate) name_bytes: usize,
    pub(crate) names: u64,
    /// CRC-32 of the attributes, if they are included, and of all names with their padding.
    pub(crate) names_checksum: u32,
    /// CRC-32 of the attributes, with which that of the names begins.
    #[serde(skip)]
    pub(crate) names_seed: u32,
    pub(crate) sources: u64,
    /// Absent in version 2.
    #[serde(skip)]
    pub(crate) stamps: Option<u64>,
    pub(crate) states: u64,
    pub(crate) checksums: u64,
    /// One address per view.
    pub(crate) grids: Vec<u64>,
    /// Device of the encoder.
    pub(crate) device: String,
    /// Path of the group with the datasets, which ends in `/` unless it is the root.
    #[serde(skip)]
    pub(crate) group: String,
}

/// The reason why a block cannot be used.
#[derive(Debug, PartialEq)]
pub(crate) enum Flaw {
    /// It contradicts itself or a limit.
    Invalid(&'static str),
    /// The file should have at least this number of bytes.
    Truncated(u64),
}

impl Block {
    /// Address of each dataset, with the bytes of a row in it.
    fn datasets(&self, provenance: &Provenance) -> Vec<(u64, usize)> {
        let checksums = provenance.views.len() * CHECKSUM_BYTES;
        let mut datasets = vec![(self.names, self.name_bytes), (self.sources, SOURCE_BYTES)];
        datasets.extend(self.stamps.map(|at| (at, STAMP_BYTES)));
        datasets.extend([(self.states, 1), (self.checksums, checksums)]);
        datasets.extend(self.grids.iter().map(|&at| (at, provenance.grid_bytes())));
        datasets
    }

    /// Finds addresses outside a file of `length` bytes, datasets that overlap, and sizes out of range.
    pub(crate) fn flaw(&self, provenance: &Provenance, length: u64) -> Option<Flaw> {
        if self.grids.len() != provenance.views.len() {
            return Some(Flaw::Invalid("a view has no grids"));
        }
        if self.rows > 0 && !(1..=MAX_NAME_BYTES).contains(&self.name_bytes) {
            return Some(Flaw::Invalid("the length of a name is out of range"));
        }
        let mut datasets = self.datasets(provenance);
        datasets.sort_unstable();
        let mut free = 0;
        for (at, row_bytes) in datasets {
            if self.rows == 0 {
                break;
            }
            let end = (self.rows as u64).checked_mul(row_bytes as u64);
            match end.and_then(|bytes| at.checked_add(bytes)) {
                Some(end) if at >= free => free = end,
                _ => return Some(Flaw::Invalid("its datasets overlap or are out of range")),
            }
        }
        (free > length).then_some(Flaw::Truncated(free))
    }
}
