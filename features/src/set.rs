//! A store whose rows lie in shards: a small file that names them, for Showtell by its front page and for other
//! programs by HDF5's virtual datasets.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::append::{folder_of, scratch_name};
use crate::description::USER_BLOCK;
use crate::front::{self, Page};
use crate::part::Part;
use crate::provenance::Difference;
use crate::verify::Problem;
use crate::{Error, FeatureStore, Origin, Provenance, Result, Shard, layout};

/// The name under which a front page is known for one of a set.
pub(crate) const FORMAT: &str = "showtell feature set";
/// The version of the format that is written and read.
pub(crate) const VERSION: u32 = 1;

/// What the front page of a merged store says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Set {
    format: String,
    version: u32,
    provenance: Provenance,
    /// The files in the order of their numbers: by name where they lie beside this one, else by their whole path.
    shards: Vec<PathBuf>,
    /// CRC-32 of everything behind the front page.
    metadata_checksum: u32,
}

impl Set {
    /// What contradicts itself, if anything does.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.shards.is_empty() {
            return Some("it names no shards");
        }
        (!self.provenance.is_sane()).then_some("grid or views are out of range")
    }

    /// How many shards it has.
    pub(crate) fn len(&self) -> usize {
        self.shards.len()
    }
}

/// The file of a set, open.
#[derive(Debug)]
pub(crate) struct OpenSet {
    path: PathBuf,
    file: File,
    set: Set,
    damaged_descriptions: Vec<usize>,
}

impl OpenSet {
    pub(crate) fn new(path: &Path, file: File, set: Set, damaged_descriptions: Vec<usize>) -> Self {
        Self { path: path.to_path_buf(), file, set, damaged_descriptions }
    }

    /// Opens the shards, which must still be the ones that were merged.
    pub(crate) fn open_shards(&self) -> Result<Vec<Part>> {
        let shards = self.set.shards.iter().map(|shard| self.path.with_file_name(shard));
        let parts = open_shards(&self.path, &shards.collect::<Vec<_>>())?;
        for part in &parts {
            check(part, &self.path, &self.set.provenance)?;
        }
        Ok(parts)
    }

    /// Compares the file with its checksums; the shards are files of their own.
    pub(crate) fn verify(&self) -> Result<Vec<Problem>> {
        let path = || self.path.clone();
        let damaged = self.damaged_descriptions.iter();
        let damaged = damaged.map(|&number| Problem::Description { path: path(), number });
        let mut problems = damaged.collect::<Vec<_>>();
        let metadata = metadata(&self.file).map_err(Error::io(&self.path))?;
        if crc32fast::hash(&metadata) != self.set.metadata_checksum {
            problems.push(Problem::Metadata { path: path() });
        }
        Ok(problems)
    }
}

/// Opens files as the shards of one store: all of them, each once, of one encoder and preprocessing.
pub(crate) fn open_shards(store: &Path, shards: &[PathBuf]) -> Result<Vec<Part>> {
    let problem = |problem| Error::Shards { path: store.to_path_buf(), problem };
    let parts = shards.iter().map(|path| Part::open(path)).collect::<Result<Vec<_>>>()?;
    let mut numbered = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(shard) = part.description.shard else {
            let file = part.path.display();
            return Err(problem(format!(
                "{file} is no shard of a store\n  Shards are what `extract --shard I/N` fills."
            )));
        };
        numbered.push((shard, part));
    }
    numbered.sort_by_key(|(shard, _)| (shard.count(), shard.index()));
    for pair in numbered.windows(2) {
        let [(shard, part), (next_shard, next)] = pair else { continue };
        let pair = format!("{} and {}", part.path.display(), next.path.display());
        if shard.count() != next_shard.count() {
            return Err(problem(format!(
                "{pair} are of two sets, {shard} and {next_shard}\n  Move the files of one away."
            )));
        }
        if shard == next_shard {
            return Err(problem(format!("{pair} are both shard {shard}\n  Name one of them.")));
        }
        check(next, &part.path, &part.description.provenance)?;
    }
    if let Some(missing) = missing(&numbered) {
        return Err(problem(missing));
    }
    Ok(numbered.into_iter().map(|(_, part)| part).collect())
}

/// Refuses a shard that differs from another one in what the grids depend on.
fn check(part: &Part, other: &Path, expected: &Provenance) -> Result<()> {
    match part.description.provenance.difference(expected) {
        None => Ok(()),
        Some(Difference { what, found, expected }) => {
            let (path, other) = (part.path.clone(), other.to_path_buf());
            Err(Error::OtherShard { path, other, what, found, expected })
        }
    }
}

/// Which shards are not among those that lie in order, and what to do.
fn missing(shards: &[(Shard, Part)]) -> Option<String> {
    /// Of a long list only so many are named.
    const NAMED: usize = 20;
    let count = shards.first()?.0.count();
    let is_there = |index: u32| shards.binary_search_by_key(&index, |(of, _)| of.index()).is_ok();
    let missing = (0..count).filter(|&index| !is_there(index)).take(NAMED).collect::<Vec<_>>();
    let first = missing.first()?;
    let named = missing.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let number = count as usize - shards.len();
    let more = if number > NAMED { ", …" } else { "" };
    Some(format!(
        "{number} of its {count} shards are missing: {named}{more}\n  \
         Run `extract` for each of them, beginning with --shard {first}/{count}."
    ))
}

/// Makes one store at `path` of shards, which stay where they are: a small file that points to them. A store of
/// shards that is there is replaced at once or, after an error, a kill or a power loss, not at all; any other file
/// is left alone.
pub fn merge(path: &Path, shards: &[PathBuf], created_by: &str) -> Result<FeatureStore> {
    refuse_other(path)?;
    let store = FeatureStore::of_parts(path, None, open_shards(path, shards)?)?;
    let folder = folder_of(path);
    let io = || Error::io(path);
    // Readable for whom any new file would be.
    let scratch = tempfile::Builder::new()
        .prefix(".merge-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(io())?;
    let names = store.parts().iter().map(|part| named_from(folder, &part.path));
    let names = names.collect::<std::io::Result<Vec<_>>>().map_err(io())?;
    let provenance = Provenance { created_by: created_by.to_owned(), ..store.provenance().clone() };
    layout::link_shards(scratch.path(), &provenance, store.parts(), &names)
        .map_err(|error| Error::io(path)(std::io::Error::other(error)))?;
    let file = File::options().read(true).write(true).open(scratch.path()).map_err(io())?;
    let metadata = metadata(&file).map_err(io())?;
    let set = Set {
        format: FORMAT.to_owned(),
        version: VERSION,
        provenance,
        shards: names,
        metadata_checksum: crc32fast::hash(&metadata),
    };
    for place in [0, 1] {
        front::write(&file, place, &set, path)?;
    }
    file.sync_all().map_err(io())?;
    scratch.persist(path).map_err(|error| Error::io(path)(error.error))?;
    sync(folder)?;
    FeatureStore::open(path)
}

/// Makes one store at `path` of shards by copying all images that have a grid, each compared with its checksum. A
/// store of shards that is there is replaced once all is copied; any other file is left alone.
pub fn merge_copy(path: &Path, shards: &[PathBuf], created_by: &str) -> Result<FeatureStore> {
    /// Images that are written at once.
    const BATCH: usize = 64;
    refuse_other(path)?;
    let store = FeatureStore::of_parts(path, None, open_shards(path, shards)?)?;
    let folder = folder_of(path);
    let copy = scratch_name(path, "merging").map_err(Error::io(path))?;
    // What a copy that was killed has left.
    match fs::remove_file(&copy) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::io(&copy)(error));
        }
        _ => {}
    }
    let devices = store.devices().collect::<std::collections::BTreeSet<_>>();
    let device = devices.into_iter().collect::<Vec<_>>().join("; ");
    let origin = Origin { created_by: created_by.to_owned(), device };
    let mut writer = crate::StoreWriter::open(&copy, store.provenance(), origin)?;
    let images = store.images();
    let names = images.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>();
    let places = writer.rows_for(&names)?;
    let places = places.into_iter().zip(images.iter().map(|(_, row)| *row)).collect::<Vec<_>>();
    for batch in places.chunks(BATCH) {
        let read = batch.iter().map(|&(row, from)| store.encoded(from, row));
        writer.write(&read.collect::<Result<Vec<_>>>()?)?;
    }
    writer.finish()?;
    copy.persist(path).map_err(|error| Error::io(path)(error.error))?;
    sync(folder)?;
    FeatureStore::open(path)
}

/// Refuses to replace what is no store of shards: it may have taken days to fill.
fn refuse_other(path: &Path) -> Result<()> {
    let file = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
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

/// Everything behind the front page.
fn metadata(file: &File) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len().saturating_sub(USER_BLOCK);
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, USER_BLOCK)?;
    Ok(bytes)
}

/// Hands a renamed file's new name to the disk.
fn sync(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Error::io(folder))
}
