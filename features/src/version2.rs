//! Reading stores of version 2, whose HDF5 data come after a checksummed description in JSON.
//!
//! The description is at byte 0 and again at 524,288: eight bytes of signature, length and CRC-32 of the JSON (u32,
//! little-endian), and the JSON. The valid one with the higher `sequence` counts.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::Deserialize;

use crate::block::Block;
use crate::header::{Header, Kind};
use crate::{Error, Provenance, Result, Shard};

const SIGNATURE: &[u8; 8] = b"\x89SFS\r\n\x1a\n";
const OFFSETS: [u64; 2] = [0, 512 << 10];
const MAX_JSON_BYTES: usize = 500 << 10;

#[derive(Deserialize)]
struct Description {
    format: String,
    version: u64,
    #[serde(default)]
    sequence: u64,
    #[serde(default)]
    shard: Option<Shard>,
    provenance: Provenance,
    #[serde(default)]
    segments: Vec<Block>,
}

/// Whether the file has a description at one of the offsets.
pub(crate) fn is_version2(file: &File) -> bool {
    OFFSETS.iter().any(|&at| starts_with_signature(file, at))
}

fn starts_with_signature(file: &File, at: u64) -> bool {
    let mut start = [0; SIGNATURE.len()];
    file.read_exact_at(&mut start, at).is_ok() && start == *SIGNATURE
}

/// Reads the description and the addresses of all rows.
///
/// # Errors
/// Both descriptions are damaged, or the file is a merged store, which must be merged again.
pub(crate) fn read(file: &File, path: &Path) -> Result<(Header, Vec<Block>)> {
    let descriptions = OFFSETS.iter().filter_map(|&at| read_at(file, at));
    let Some(description) = descriptions.max_by_key(|description| description.sequence) else {
        return Err(Error::not_a_store(path, "its header is damaged"));
    };
    let Description { format, version, shard, provenance, mut segments, .. } = description;
    if format != crate::header::FORMAT {
        return Err(Error::OldMerged { path: path.to_path_buf() });
    }
    if version != 2 {
        return Err(Error::Version { path: path.to_path_buf(), found: version });
    }
    if !provenance.is_in_range() {
        return Err(Error::not_a_store(path, "its grid or views are out of range"));
    }
    for (number, segment) in segments.iter_mut().enumerate() {
        segment.group = format!("segments/{number:05}/");
    }
    let device = segments.first().map(|segment| segment.device.clone()).unwrap_or_default();
    Ok((Header { kind: Kind::Rows, provenance, device, shard, number: 0, first: 0 }, segments))
}

fn read_at(file: &File, at: u64) -> Option<Description> {
    if !starts_with_signature(file, at) {
        return None;
    }
    let number = |offset| {
        let mut bytes = [0; size_of::<u32>()];
        file.read_exact_at(&mut bytes, at + offset).ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    let length = number(8)? as usize;
    let mut json = vec![0; (length <= MAX_JSON_BYTES).then_some(length)?];
    file.read_exact_at(&mut json, at + 16).ok()?;
    (crc32fast::hash(&json) == number(12)?).then(|| serde_json::from_slice(&json).ok())?
}
