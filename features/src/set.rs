//! A store whose rows lie in shards: a small file that names them, for Showtell by its front page and for other
//! programs by HDF5's virtual datasets.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::description::{MAX_METADATA_BYTES, Set, USER_BLOCK};
use crate::part::Part;
use crate::provenance::Difference;
use crate::{Error, Problem, Provenance, Result, Shard};

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
        // They agree with each other.
        if let Some(part) = parts.first() {
            check(part, &self.path, &self.set.provenance)?;
        }
        Ok(parts)
    }

    /// Compares the file with its checksums; the shards are files of their own.
    pub(crate) fn verify(&self) -> Result<Vec<Problem>> {
        let mut problems = Problem::of_descriptions(&self.path, &self.damaged_descriptions);
        let metadata = metadata(&self.file).map_err(Error::io(&self.path))?;
        if crc32fast::hash(&metadata) != self.set.metadata_checksum {
            problems.push(Problem::Metadata { path: self.path.clone() });
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

/// Everything behind the front page.
pub(crate) fn metadata(file: &File) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len().saturating_sub(USER_BLOCK);
    if length > MAX_METADATA_BYTES {
        return Err(std::io::Error::other("its HDF5 metadata is out of range"));
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, USER_BLOCK)?;
    Ok(bytes)
}
