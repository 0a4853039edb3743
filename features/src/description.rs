//! What the front page says of a store: where everything lies.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{MAX_NAME_BYTES, Provenance, Shard};

/// The name under which a front page is known for one of this format.
pub(crate) const FORMAT: &str = "showtell features";
/// The version of the format that is written and read.
pub(crate) const VERSION: u32 = 2;
/// Bytes of a SHA-256.
pub(crate) const SOURCE_BYTES: usize = 32;
/// Bytes before the HDF5 part of the file: the front page.
pub(crate) const USER_BLOCK: u64 = 1 << 20;
/// Grids begin at a multiple of so many bytes, so that their values can be read in place.
const ROW_ALIGNMENT: u64 = 4;
/// The most bytes of HDF5's own that a file may have.
pub(crate) const MAX_METADATA_BYTES: u64 = 256 << 20;
/// Bytes of a checksum.
pub(crate) const CHECKSUM_BYTES: usize = size_of::<u32>();

/// A range of bytes of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extent {
    pub(crate) at: u64,
    pub(crate) length: u64,
}

impl Extent {
    pub(crate) fn end(self) -> Option<u64> {
        self.at.checked_add(self.length)
    }
}

/// Rows that were laid out at one time: where their datasets lie.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) rows: usize,
    /// Bytes of the longest name; shorter ones are filled up with zeros.
    pub(crate) name_bytes: usize,
    pub(crate) names: u64,
    /// CRC-32 of all names with their zeros.
    pub(crate) names_checksum: u32,
    pub(crate) sources: u64,
    pub(crate) states: u64,
    pub(crate) checksums: u64,
    /// One address a view.
    pub(crate) grids: Vec<u64>,
    /// The program that laid the rows out, and where its encoder ran.
    pub(crate) created_by: String,
    pub(crate) device: String,
}

impl Segment {
    /// Names, sources, states, checksums, and the grids of each view, as they were laid out.
    pub(crate) fn set_addresses(&mut self, addresses: &[u64]) {
        if let [names, sources, states, checksums, grids @ ..] = addresses {
            (self.names, self.sources) = (*names, *sources);
            (self.states, self.checksums) = (*states, *checksums);
            self.grids = grids.to_vec();
        }
    }

    /// Everything that is no HDF5 metadata; `None` where a size overflows.
    pub(crate) fn extents(&self, provenance: &Provenance) -> Option<Vec<Extent>> {
        let extent = |at, bytes_a_row: usize| {
            let length = u64::try_from(self.rows.checked_mul(bytes_a_row)?).ok()?;
            Some(Extent { at, length })
        };
        let views = provenance.views.len();
        let mut extents = vec![
            extent(self.names, self.name_bytes)?,
            extent(self.sources, SOURCE_BYTES)?,
            extent(self.states, 1)?,
            extent(self.checksums, views.checked_mul(CHECKSUM_BYTES)?)?,
        ];
        for &at in &self.grids {
            extents.push(extent(at, provenance.grid_bytes())?);
        }
        Some(extents)
    }
}

/// Bytes that describe the file to HDF5: all that is neither front page nor dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) extents: Vec<Extent>,
    /// CRC-32 of the extents' bytes, one extent after the other.
    pub(crate) checksum: u32,
}

impl Metadata {
    pub(crate) fn bytes(&self) -> u64 {
        self.extents.iter().map(|extent| extent.length).sum()
    }
}

/// The description of a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Description {
    pub(crate) format: String,
    pub(crate) version: u32,
    /// Rises with every change of the description.
    pub(crate) sequence: u64,
    /// Bytes of the file.
    pub(crate) length: u64,
    pub(crate) provenance: Provenance,
    /// Which part of a store in several files this is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<Shard>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) metadata: Metadata,
    /// Where the metadata's bytes wait to be copied to their extents, if they are not yet there.
    pub(crate) waiting: Option<u64>,
}

impl Description {
    /// A store without rows.
    pub(crate) fn empty(provenance: Provenance, shard: Option<Shard>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            sequence: 0,
            length: USER_BLOCK,
            provenance,
            shard,
            segments: Vec::new(),
            metadata: Metadata::default(),
            waiting: None,
        }
    }

    /// What contradicts itself, if anything does: no address may lead out of the file or into the
    /// front page, and no two parts may overlap.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if !self.provenance.is_sane() {
            return Some("grid or views are out of range");
        }
        if self.shard.is_some_and(|shard| Shard::new(shard.index(), shard.count()).is_none()) {
            return Some("there is no such shard as it says it is");
        }
        let views = self.provenance.views.len();
        if self.segments.iter().any(|segment| segment.grids.len() != views) {
            return Some("a view has no grids");
        }
        let in_range = |of: &Segment| of.rows == 0 || (1..=MAX_NAME_BYTES).contains(&of.name_bytes);
        if !self.segments.iter().all(in_range) {
            return Some("the length of a name is out of range");
        }
        let misaligned = |at: &u64| !at.is_multiple_of(ROW_ALIGNMENT);
        if self.segments.iter().flat_map(|segment| &segment.grids).any(misaligned) {
            return Some("grids cannot be read in place");
        }
        let extents = self.segments.iter().map(|segment| segment.extents(&self.provenance));
        let Some(extents) = extents.collect::<Option<Vec<_>>>() else {
            return Some("a size is out of range");
        };
        let mut extents = extents.concat();
        extents.extend(&self.metadata.extents);
        extents.retain(|extent| extent.length > 0);
        extents.sort_by_key(|extent| extent.at);
        let mut free = USER_BLOCK;
        for extent in extents {
            match extent.end() {
                Some(end) if extent.at >= free && end <= self.length => free = end,
                _ => return Some("two parts overlap or lie outside the file"),
            }
        }
        if self.metadata.bytes() > MAX_METADATA_BYTES {
            return Some("its HDF5 metadata is out of range");
        }
        match self.waiting {
            Some(at) if at < self.length || at.checked_add(self.metadata.bytes()).is_none() => {
                Some("waiting metadata lies among the rows")
            }
            _ => None,
        }
    }
}

/// The name under which a front page is known for one of a set.
pub(crate) const SET_FORMAT: &str = "showtell feature set";
/// The version of the format that is written and read.
pub(crate) const SET_VERSION: u32 = 1;

/// What the front page of a merged store says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Set {
    format: String,
    version: u32,
    pub(crate) provenance: Provenance,
    /// The files in the order of their numbers: by name where they lie beside this one, else by their whole path.
    pub(crate) shards: Vec<PathBuf>,
    /// CRC-32 of everything behind the front page.
    pub(crate) metadata_checksum: u32,
}

impl Set {
    pub(crate) fn new(
        provenance: Provenance,
        shards: Vec<PathBuf>,
        metadata_checksum: u32,
    ) -> Self {
        let format = SET_FORMAT.to_owned();
        Self { format, version: SET_VERSION, provenance, shards, metadata_checksum }
    }

    /// What contradicts itself, if anything does.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.shards.is_empty() {
            return Some("it names no shards");
        }
        (!self.provenance.is_sane()).then_some("grid or views are out of range")
    }
}
