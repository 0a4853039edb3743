//! The files of a store.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::block::{Block, MAX_NAME_BYTES};
use crate::header::{Header, Kind};
use crate::part::{Part, read_names};
use crate::plain::{self, Contents};
use crate::scratch::folder_of;
use crate::{Error, Result, Shard, version2};

/// The content of a file of a store.
pub(crate) enum Opened {
    Rows(Files),
    /// A merged store and the files with its rows.
    Merged(Header, Vec<PathBuf>),
}

/// A store or a shard: its first file and those that were appended.
#[derive(Debug)]
pub(crate) struct Files {
    /// Of the first file.
    pub(crate) header: Header,
    pub(crate) parts: Vec<Part>,
    /// Number of files.
    pub(crate) count: u64,
}

/// Whether files are opened for writing as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

impl Access {
    /// # Errors
    /// [`Error::Missing`] if there is no such file.
    pub(crate) fn open(self, path: &Path) -> Result<File> {
        // Opening a pipe would block until it has a writer.
        if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            return Err(Error::not_a_store(path, "it is not a regular file"));
        }
        match File::options().read(true).write(self == Self::Write).open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(Error::Missing { path: path.to_path_buf() })
            }
            file => file.map_err(Error::io(path)),
        }
    }
}

/// Opens the file at `path` and, if it holds rows, those that were appended.
///
/// # Errors
/// [`Error::Missing`] if there is none; all errors of its contents.
pub(crate) fn open(path: &Path, access: Access) -> Result<Opened> {
    let file = Arc::new(access.open(path)?);
    let (header, blocks) = read(&file, path)?;
    if header.kind == Kind::Merged {
        let files = read_files(&file, path, &blocks)?;
        return Ok(Opened::Merged(header, files));
    }
    if header.number != 0 {
        return Err(Error::NotFirst { path: path.to_path_buf(), number: header.number });
    }
    let parts = parts(&file, path, &header, blocks, access)?;
    let mut files = Files { header, parts, count: 1 };
    loop {
        let next = numbered(path, files.count);
        let file = match access.open(&next) {
            Ok(file) => Arc::new(file),
            Err(Error::Missing { .. }) => break,
            Err(error) => return Err(error),
        };
        files.add(&next, &file, access, path)?;
    }
    check_gap(path, files.count)?;
    Ok(Opened::Rows(files))
}

/// The path of a store, symbolic links resolved: its other files are in the folder of the file itself.
///
/// # Errors
/// [`Error::Io`] for a broken link.
pub(crate) fn resolved(path: &Path) -> Result<Cow<'_, Path>> {
    if path.is_symlink() {
        path.canonicalize().map(Cow::Owned).map_err(Error::io(path))
    } else {
        Ok(Cow::Borrowed(path))
    }
}

/// The checksum by which files that are added refer to the first one.
pub(crate) fn first_checksum(parts: &[Part]) -> u64 {
    parts.first().map_or(0, |part| u64::from(part.block.names_checksum))
}

/// Refuses a store of which `count` files were found, if there are others of a higher number.
///
/// # Errors
/// [`Error::MissingFile`].
pub(crate) fn check_gap(path: &Path, count: u64) -> Result<()> {
    let folder = folder_of(path);
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Error::io(folder))?,
    };
    for entry in entries {
        let name = entry.map_err(Error::io(folder))?.file_name();
        let stem = Path::new(&name).file_stem().and_then(|stem| stem.to_str());
        let number = stem.and_then(|stem| stem.rsplit_once('+')?.1.parse().ok());
        let next = path.with_file_name(&name);
        if number.is_some_and(|number| number >= count.max(1) && numbered(path, number) == next) {
            return Err(Error::MissingFile { path: numbered(path, count), next });
        }
    }
    Ok(())
}

impl Files {
    fn add(&mut self, path: &Path, file: &Arc<File>, access: Access, first: &Path) -> Result<()> {
        let (header, blocks) = read(file, path)?;
        header.check_same(path, &self.header, first)?;
        let is_next = header.number == self.count && header.first == first_checksum(&self.parts);
        if !is_next || header.shard != self.header.shard {
            let (path, first) = (path.to_path_buf(), first.to_path_buf());
            return Err(Error::Misplaced { path, first });
        }
        self.parts.extend(parts(file, path, &header, blocks, access)?);
        self.count += 1;
        Ok(())
    }
}

/// Opens a file that holds rows itself, and those that were appended.
///
/// # Errors
/// [`Error::Merged`] for a merged store.
pub(crate) fn open_rows(path: &Path, access: Access) -> Result<Files> {
    match open(path, access)? {
        Opened::Rows(files) => Ok(files),
        Opened::Merged(_, files) => {
            Err(Error::Merged { path: path.to_path_buf(), files: files.len() })
        }
    }
}

/// Reads the header of a file and the addresses of its rows.
pub(crate) fn read(file: &Arc<File>, path: &Path) -> Result<(Header, Vec<Block>)> {
    if version2::is_version2(file) {
        return version2::read(file, path);
    }
    let Contents { header, block } = plain::read(file, path)?;
    Ok((header, vec![block]))
}

/// The rows of a file. A writer brings a truncated one back to its length: zeros match no checksum.
fn parts(
    file: &Arc<File>,
    path: &Path,
    header: &Header,
    blocks: Vec<Block>,
    access: Access,
) -> Result<Vec<Part>> {
    let part = |block: Block| match Part::read(
        path,
        Arc::clone(file),
        &header.provenance,
        block.clone(),
    ) {
        Err(Error::Truncated { length, expected, .. }) if access == Access::Write => {
            file.set_len(expected).map_err(Error::io(path))?;
            let mut part = Part::read(path, Arc::clone(file), &header.provenance, block)?;
            part.lose_rows_after(length);
            Ok(part)
        }
        part => part,
    };
    blocks.into_iter().map(part).collect()
}

/// The files of a merged store; those in its folder are listed without a folder.
fn read_files(file: &File, path: &Path, blocks: &[Block]) -> Result<Vec<PathBuf>> {
    let length = file.metadata().map_err(Error::io(path))?.len();
    let mut files = Vec::new();
    for block in blocks {
        let bytes = (block.rows as u64).checked_mul(block.name_bytes as u64);
        let end = bytes.and_then(|bytes| bytes.checked_add(block.names));
        if block.name_bytes > MAX_NAME_BYTES || end.is_none_or(|end| end > length) {
            return Err(Error::not_a_store(path, "the list of its files is out of range"));
        }
        let (names, ends) = read_names(file, path, block)?;
        let mut start = 0;
        for end in ends {
            files.push(path.with_file_name(&names[start..end]));
            start = end;
        }
    }
    Ok(files)
}

/// Path of a file of the store at `path`: itself for 0, `flickr8k+1.h5` for 1 of `flickr8k.h5`.
pub(crate) fn numbered(path: &Path, number: u64) -> PathBuf {
    if number == 0 {
        return path.to_path_buf();
    }
    let mut name = path.file_stem().map_or_else(OsString::new, OsString::from);
    name.push(format!("+{number}"));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Opens `paths` as one store: all shards of it, each once, of one encoder and preprocessing; or a single store.
///
/// # Errors
/// Shards that are missing, that are there twice, of two sets, or that differ.
pub(crate) fn open_together(store: &Path, paths: &[PathBuf]) -> Result<Vec<Files>> {
    if let [single] = paths {
        match open(single, Access::Read)? {
            Opened::Merged(_, files) => return open_together(store, &files),
            Opened::Rows(files) if files.header.shard.is_none() => return Ok(vec![files]),
            Opened::Rows(_) => {}
        }
    }
    let opened = paths.iter().map(|path| Ok((path, open_rows(path, Access::Read)?)));
    let mut opened = opened.collect::<Result<Vec<_>>>()?;
    let path = || store.to_path_buf();
    if let Some((file, _)) = opened.iter().find(|(_, files)| files.header.shard.is_none()) {
        return Err(Error::NotAShard { path: path(), file: (*file).clone() });
    }
    let mut shards = Vec::with_capacity(opened.len());
    for (file, files) in opened.drain(..) {
        shards.extend(files.header.shard.map(|shard| (shard, file, files)));
    }
    shards.sort_by_key(|(shard, ..)| (shard.count(), shard.index()));
    for pair in shards.windows(2) {
        let [(shard, file, files), (next_shard, next_file, next)] = pair else { continue };
        let [one, other] = [file, next_file].map(|file| (*file).clone());
        if shard.count() != next_shard.count() {
            let (one, other) = ((one, *shard), (other, *next_shard));
            return Err(Error::TwoSets { path: path(), one, other });
        }
        if shard == next_shard {
            return Err(Error::SameShard { path: path(), one, other, shard: *shard });
        }
        next.header.check_same(next_file, &files.header, file)?;
    }
    let held = shards.iter().map(|(shard, ..)| *shard).collect::<Vec<_>>();
    check_complete(store, &held)?;
    Ok(shards.into_iter().map(|(.., files)| files).collect())
}

/// Refuses a set in which shards are missing.
fn check_complete(store: &Path, shards: &[Shard]) -> Result<()> {
    let Some(count) = shards.first().map(|shard| shard.count()) else {
        return Err(Error::Missing { path: store.to_path_buf() });
    };
    let is_missing = |index: &u32| !shards.iter().any(|shard| shard.index() == *index);
    let missing = (0..count).filter(is_missing).collect::<Vec<_>>();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Error::MissingShards { path: store.to_path_buf(), missing, count })
}
