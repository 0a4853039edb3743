//! Making one store of shards.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::append::folder_of;
use crate::description::Set;
use crate::front::{self, Page};
use crate::scratch::Scratch;
use crate::set::{metadata, open_shards};
use crate::{Error, FeatureStore, Origin, Provenance, Result, StoreWriter, layout};

/// Makes one store at `path` of shards, which stay where they are: a small file that points to them. A store of
/// shards that is there is replaced at once or, after an error, a kill or a power loss, not at all; any other file
/// is left alone. A second merge into it at the same time is refused.
pub fn merge(path: &Path, shards: &[PathBuf], created_by: &str) -> Result<FeatureStore> {
    let folder = folder_of(path);
    let scratch = scratch(path)?;
    let store = FeatureStore::of_parts(path, None, open_shards(path, shards)?)?;
    let io = || Error::io(path);
    let names = store.parts().iter().map(|part| named_from(folder, &part.path));
    let names = names.collect::<std::io::Result<Vec<_>>>().map_err(io())?;
    let provenance = Provenance { created_by: created_by.to_owned(), ..store.provenance().clone() };
    let descriptions = store.parts().iter().map(|part| &part.description).collect::<Vec<_>>();
    layout::link_shards(scratch.path(), &provenance, &devices(&store), &descriptions, &names)
        .map_err(|error| Error::io(path)(std::io::Error::other(error)))?;
    let file = File::options().read(true).write(true).open(scratch.path()).map_err(io())?;
    let metadata = metadata(&file).map_err(io())?;
    let set = Set::new(provenance, names, crc32fast::hash(&metadata));
    for place in [0, 1] {
        front::write(&file, place, &set, path)?;
    }
    file.sync_all().map_err(io())?;
    scratch.persist(path)?;
    FeatureStore::open(path)
}

/// Makes one store at `path` of shards by copying all images that have a grid, each compared with its checksum. A
/// store of shards that is there is replaced once all is copied; any other file is left alone.
pub fn merge_copy(path: &Path, shards: &[PathBuf], created_by: &str) -> Result<FeatureStore> {
    /// Images that are written at once.
    const BATCH: usize = 64;
    let copy = scratch(path)?;
    let store = FeatureStore::of_parts(path, None, open_shards(path, shards)?)?;
    let origin = Origin { created_by: created_by.to_owned(), device: devices(&store) };
    let file = File::options().read(true).write(true).open(copy.path());
    let file = file.map_err(Error::io(copy.path()))?;
    let mut writer = StoreWriter::fill(copy.path(), file, None, None, store.provenance(), origin)?;
    // As they lie: in the order of their names each would be in another file.
    let mut images = store.images();
    images.sort_unstable_by_key(|(_, row)| *row);
    let names = images.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    let places = writer.rows_for(&names)?;
    let places = places.into_iter().zip(images.iter().map(|(_, row)| *row)).collect::<Vec<_>>();
    for batch in places.chunks(BATCH) {
        let read = batch.iter().map(|&(row, from)| store.encoded(from, row));
        writer.write(&read.collect::<Result<Vec<_>>>()?)?;
    }
    writer.finish()?;
    copy.persist(path)?;
    FeatureStore::open(path)
}

/// Where the encoder ran, as one text.
fn devices(store: &FeatureStore) -> String {
    let devices = store.devices().collect::<BTreeSet<_>>();
    devices.into_iter().collect::<Vec<_>>().join("; ")
}

/// A file beside `path` to write into, if what is there may be replaced.
fn scratch(path: &Path) -> Result<Scratch> {
    refuse_other(path)?;
    let folder = folder_of(path);
    fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let scratch = Scratch::open(path, "merging")?;
    // Another merge may have ended since.
    refuse_other(path)?;
    Ok(scratch)
}

/// Refuses to replace what is no store of shards: it may have taken days to fill.
fn refuse_other(path: &Path) -> Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file.map_err(Error::io(path))?,
    };
    match front::read(&file, path)?.page {
        Page::Shards(_) => Ok(()),
        Page::Rows(_) => Err(Error::Shards {
            path: path.to_path_buf(),
            problem: "a store with rows of its own is there\n  \
                      Move it away, or name another file for the merged one."
                .to_owned(),
        }),
    }
}

/// How a file is called from `folder`: by its name alone where it lies there, so that both can be moved together.
fn named_from(folder: &Path, path: &Path) -> std::io::Result<PathBuf> {
    let whole = path.canonicalize()?;
    let beside = whole.parent() == Some(folder.canonicalize()?.as_path());
    Ok(whole.file_name().filter(|_| beside).map_or(whole.clone(), PathBuf::from))
}
