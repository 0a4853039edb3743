//! Adding rows to a store, so that a kill, an error or a power loss at any moment leaves either the
//! old store or the new one.
//!
//! libhdf5 changes its metadata here and there, which nobody can undo halfway. So it works on a
//! scratch file: a sparse copy of the store that holds the metadata alone. What it made of it is
//! written behind the last row of the store, then the front page says so, and only then are the
//! bytes copied to their places. A copy that was interrupted is done again by the next writer;
//! readers never look at the metadata, only at the front page.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::description::{Description, Extent, MAX_METADATA_BYTES, Metadata, Segment, USER_BLOCK};
use crate::scratch::scratch_name;
use crate::{Error, Result, front};

/// Lays out a segment for `names` in the store and gives the new description.
pub(crate) fn append(
    file: &File,
    path: &Path,
    old: &Description,
    mut segment: Segment,
    names: &[String],
) -> Result<Description> {
    let names = padded(names, segment.name_bytes);
    segment.names_checksum = crc32fast::hash(&names);
    let mut description = Description { sequence: old.sequence + 1, ..old.clone() };
    let metadata = lay_out(file, path, &mut description, segment)?;
    let [.., segment] = &description.segments[..] else {
        return Err(Error::not_a_store(path, "it has no rows"));
    };
    let end = description.length;
    // What an interrupted append left behind the old end must not pass for states of new rows.
    file.set_len(old.length)
        .and_then(|()| file.set_len(end))
        .and_then(|()| file.write_all_at(&names, segment.names))
        .and_then(|()| file.write_all_at(&metadata, end))
        .and_then(|()| file.sync_all())
        .map_err(Error::io(path))?;
    description.waiting = Some(end);
    front::write(file, 0, &description, path)?;
    settle(file, path, description)
}

/// Brings the metadata to its places, if it still waits, and both descriptions to the same state.
pub(crate) fn settle(
    file: &File,
    path: &Path,
    mut description: Description,
) -> Result<Description> {
    if let Some(at) = description.waiting.take() {
        let waiting = [Extent { at, length: description.metadata.bytes() }];
        let metadata =
            read(file, path, &Metadata { extents: waiting.into(), ..description.metadata })?;
        let mut rest = &metadata[..];
        for extent in &description.metadata.extents {
            let (part, after) = rest.split_at(extent.length as usize);
            file.write_all_at(part, extent.at).map_err(Error::io(path))?;
            rest = after;
        }
        file.sync_data().map_err(Error::io(path))?;
        description.sequence += 1;
    }
    front::write(file, 1, &description, path)?;
    front::write(file, 0, &description, path)?;
    file.set_len(description.length).map_err(Error::io(path))?;
    Ok(description)
}

/// The bytes of the metadata, compared with their checksum.
pub(crate) fn read(file: &File, path: &Path, metadata: &Metadata) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for extent in &metadata.extents {
        let start = bytes.len();
        bytes.resize(start + extent.length as usize, 0);
        file.read_exact_at(&mut bytes[start..], extent.at).map_err(Error::io(path))?;
    }
    if crc32fast::hash(&bytes) == metadata.checksum {
        return Ok(bytes);
    }
    Err(Error::Metadata { path: path.to_path_buf() })
}

/// Has libhdf5 lay the segment out in a scratch file; completes `description` and gives the bytes of
/// its metadata.
fn lay_out(
    file: &File,
    path: &Path,
    description: &mut Description,
    mut segment: Segment,
) -> Result<Vec<u8>> {
    let metadata = read(file, path, &description.metadata)?;
    // The lock on the store keeps it to one process; a kill leaves it for the next.
    let name = scratch_name(path, "layout").map_err(Error::io(path))?;
    let mut options = File::options();
    let scratch = options.read(true).write(true).create(true).truncate(true).open(&name);
    let scratch = scratch.map_err(Error::io(&name))?;
    scratch.set_len(description.length).map_err(Error::io(path))?;
    let mut rest = &metadata[..];
    for extent in &description.metadata.extents {
        let (part, after) = rest.split_at(extent.length as usize);
        scratch.write_all_at(part, extent.at).map_err(Error::io(path))?;
        rest = after;
    }
    crate::layout::add_segment(&name, description, &mut segment)
        .map_err(|error| Error::io(path)(std::io::Error::other(error)))?;
    description.segments.push(segment);
    description.length = scratch.metadata().map_err(Error::io(path))?.len();
    let extents =
        gaps(description).ok_or_else(|| Error::not_a_store(path, "it grows too large"))?;
    if extents.iter().map(|extent| extent.length).sum::<u64>() > MAX_METADATA_BYTES {
        return Err(Error::Full { path: path.to_path_buf() });
    }
    let mut metadata = Vec::new();
    for extent in &extents {
        let start = metadata.len();
        metadata.resize(start + extent.length as usize, 0);
        scratch.read_exact_at(&mut metadata[start..], extent.at).map_err(Error::io(path))?;
    }
    description.metadata = Metadata { extents, checksum: crc32fast::hash(&metadata) };
    Ok(metadata)
}

/// Everything between the front page and the end of the file that is not part of a dataset.
fn gaps(description: &Description) -> Option<Vec<Extent>> {
    let mut datasets = Vec::new();
    for segment in &description.segments {
        datasets.extend(segment.extents(&description.provenance)?);
    }
    datasets.push(Extent { at: description.length, length: 0 });
    datasets.sort_by_key(|extent| extent.at);
    let mut gaps = Vec::new();
    let mut free = USER_BLOCK;
    for dataset in datasets {
        let length = dataset.at.checked_sub(free)?;
        if length > 0 {
            gaps.push(Extent { at: free, length });
        }
        free = dataset.end()?;
    }
    Some(gaps)
}

fn padded(names: &[String], bytes: usize) -> Vec<u8> {
    let mut padded = Vec::with_capacity(names.len() * bytes);
    for name in names {
        padded.extend(name.as_bytes());
        padded.resize(padded.len() + bytes - name.len(), 0);
    }
    padded
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
