//! Merging the files of one or several stores.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::files::{self, Access, Files, Opened, open_together};
use crate::header::{Header, Kind};
use crate::scratch::{Scratch, folder_of};
use crate::{Encoded, Error, FeatureStore, Origin, Provenance, Result, StoreWriter, layout};

/// Makes one store at `path` of the shards of a store, or of a store to which rows were added: a small file that points
/// to theirs. A merged store that is there is replaced at once or, after an error, a kill or a power loss, not at all; any
/// other file is left alone. A second merge into it at the same time is refused.
///
/// # Errors
/// Stores that do not fit together, and [`Error::WouldReplace`].
pub fn merge(path: &Path, stores: &[PathBuf], created_by: &str) -> Result<FeatureStore> {
    let scratch = scratch(path)?;
    let files = open_together(path, stores)?;
    let header = header(&files, created_by)?;
    let folder = folder_of(path);
    let first = files.iter().filter_map(|files| files.parts.first());
    let first = first.map(|part| seen_from(folder, &part.path)).collect::<Result<Vec<_>>>()?;
    let store = FeatureStore::from_files(path, None, files)?;
    let blocks = store.parts.iter().map(|part| Ok((seen_from(folder, &part.path)?, &part.block)));
    let blocks = blocks.collect::<Result<Vec<_>>>()?;
    layout::merge(&scratch, &header, &blocks, &first)?;
    drop(scratch.persist()?);
    FeatureStore::open(path)
}

/// Makes one store at `path` as [`merge`] does, by copying all images that have grids, each compared with its checksum.
/// A merged store that is there is replaced once all is copied; any other file is left alone.
///
/// # Errors
/// As [`merge`], and grids that are damaged.
pub fn merge_copy(path: &Path, stores: &[PathBuf], created_by: &str) -> Result<FeatureStore> {
    /// Images that are written at once.
    const BATCH: usize = 64;
    let scratch = scratch(path)?;
    let files = open_together(path, stores)?;
    let Header { provenance, device, .. } = header(&files, created_by)?;
    let store = FeatureStore::from_files(path, None, files)?;
    let origin = Origin { created_by: created_by.to_owned(), device };
    // In the order of the files: sorted by name, each would be in another file.
    let mut images = store.images();
    images.sort_unstable_by_key(|(_, row)| *row);
    let names = images.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    let mut writer = StoreWriter::create(path, scratch, &provenance, origin, &names)?;
    let rows = images.iter().map(|(_, row)| *row).collect::<Vec<_>>();
    for (number, batch) in rows.chunks(BATCH).enumerate() {
        let read = batch.iter().map(|&from| store.row(from)).collect::<Result<Vec<_>>>()?;
        let encoded = (number * BATCH..).zip(&read).map(|(row, read)| Encoded::from_row(row, read));
        writer.write(&encoded.collect::<Vec<_>>())?;
    }
    writer.finish()?;
    FeatureStore::open(path)
}

/// The header of a merged store.
fn header(files: &[Files], created_by: &str) -> Result<Header> {
    let devices = files.iter().flat_map(|files| &files.parts).map(|part| &*part.block.device);
    let devices = devices.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let Some(first) = files.first() else {
        return Err(Error::Missing { path: PathBuf::new() });
    };
    let provenance = first.header.provenance.clone();
    Ok(Header {
        kind: Kind::Merged,
        provenance: Provenance { created_by: created_by.to_owned(), ..provenance },
        device: devices.join("; "),
        shard: None,
        number: 0,
        first: 0,
    })
}

/// A scratch file for the store at `path`, if what is there may be replaced.
fn scratch(path: &Path) -> Result<Scratch> {
    check_replaceable(path)?;
    let scratch = Scratch::new(path)?;
    // Another merge may have ended since.
    check_replaceable(path)?;
    Ok(scratch)
}

/// Refuses to replace a store with rows: it may have taken days to fill.
fn check_replaceable(path: &Path) -> Result<()> {
    match files::open(path, Access::Read) {
        Ok(Opened::Merged(..)) | Err(Error::Missing { .. } | Error::OldMerged { .. }) => Ok(()),
        Ok(Opened::Rows(_)) => Err(Error::WouldReplace { path: path.to_path_buf() }),
        Err(error) => Err(error),
    }
}

/// The path of a file as seen from `folder`: its name if it is there, so that both can be moved together.
fn seen_from(folder: &Path, path: &Path) -> Result<String> {
    let whole = path.canonicalize().map_err(Error::io(path))?;
    let folder = folder.canonicalize().map_err(Error::io(folder))?;
    let is_beside = whole.parent() == Some(&folder);
    let name = whole.file_name().filter(|_| is_beside).map_or(whole.clone(), PathBuf::from);
    name.into_os_string().into_string().map_err(|_| Error::OutOfRange {
        path: path.to_path_buf(),
        what: "its path is not UTF-8".to_owned(),
    })
}
