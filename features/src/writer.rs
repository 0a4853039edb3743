//! Filling a store.

use std::collections::HashMap;
use std::ops::Deref;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ndarray::Axis;

use crate::block::MAX_NAME_BYTES;
use crate::encoded::write_row;
use crate::files::{first_checksum, numbered};
use crate::header::Header;
use crate::layout;
use crate::lock::Lock;
use crate::part::{Part, Stamp, State};
use crate::rows::Rows;
use crate::scratch::Scratch;
use crate::{Encoded, Error, Provenance, Result};
use common::names::normal;

/// The longest time between two syncs …
const SYNC_INTERVAL: Duration = Duration::from_secs(5);
/// … and the maximum number of bytes between them.
const SYNC_BYTES: u64 = 256 << 20;
/// Maximum number of files of a store: each is one that readers hold open.
const MAX_FILES: u64 = 512;

/// The program and the device that fill a store.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The program and its version.
    pub created_by: String,
    /// Device of the encoder.
    pub device: String,
}

/// A store open for writing, by this process alone. It dereferences to its [`Rows`].
///
/// New images get a file of their own, laid out whole before it takes its name. A row is complete once its grids are
/// synced: an error, a kill or a power loss loses the rows of the last 5 s or 256 MiB, and nothing else. Complete
/// rows are never written again, so readers are not disturbed.
#[derive(Debug)]
pub struct StoreWriter {
    pub(crate) path: PathBuf,
    pub(crate) header: Header,
    pub(crate) rows: Rows,
    pub(crate) locks: Vec<Lock>,
    /// The name of the first file, until it is laid out.
    pub(crate) reserved: Option<Scratch>,
    pub(crate) unsynced: Unsynced,
}

/// Rows whose grids are written and not yet synced.
#[derive(Debug)]
pub(crate) struct Unsynced {
    /// Each with the row that it supersedes.
    rows: Vec<(usize, Option<usize>)>,
    bytes: u64,
    since: Instant,
}

impl Unsynced {
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new(), bytes: 0, since: Instant::now() }
    }
}

impl StoreWriter {
    /// Rows that are superseded by a later row of the same image, and damaged ones.
    pub(crate) fn superseded_rows(&self) -> Vec<usize> {
        let is_superseded = |row: &usize| match self.rows.state(*row) {
            State::Complete => self.rows.find(self.rows.name(*row)) != Some(*row),
            State::Damaged => true,
            State::Empty | State::Removed => false,
        };
        (0..self.rows.len()).filter(is_superseded).collect()
    }

    /// The encoder of the grids, and its preprocessing.
    #[must_use]
    pub fn provenance(&self) -> &Provenance {
        &self.header.provenance
    }

    /// Records that a file with the same content has another stamp now.
    ///
    /// # Errors
    /// [`Error::Io`].
    ///
    /// # Panics
    /// If the row does not exist.
    pub fn set_stamp(&mut self, row: usize, stamp: Stamp) -> Result<()> {
        let (part, row) = self.rows.part(row);
        match part.stamp_at(row) {
            Some(at) => {
                part.file.write_all_at(&stamp.to_bytes(), at).map_err(Error::io(&part.path))
            }
            None => Ok(()),
        }
    }

    /// Rows for images that are to be encoded, in their order. Empty rows of the same images are reused; for the others a
    /// file is added. The old row of an image counts until its new one is complete.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a name longer than [`MAX_NAME_BYTES`], [`Error::TooManyFiles`], [`Error::Io`].
    pub fn rows_for(&mut self, images: &[String]) -> Result<Vec<usize>> {
        let empty = (0..self.rows.len()).filter(|&row| self.rows.state(row) == State::Empty);
        let empty = empty.map(|row| (normal(self.rows.name(row)).into_owned(), row));
        let empty = empty.collect::<HashMap<_, _>>();
        let new = images.iter().filter(|image| !empty.contains_key(&*normal(image))).cloned();
        let new = new.collect::<Vec<_>>();
        let mut next = self.rows.len();
        if !new.is_empty() {
            self.append(&new)?;
        }
        let row = |image: &String| {
            empty.get(&*normal(image)).copied().unwrap_or_else(|| {
                next += 1;
                next - 1
            })
        };
        Ok(images.iter().map(row).collect())
    }

    /// Adds a file with a row for each name.
    fn append(&mut self, names: &[String]) -> Result<()> {
        if let Some(name) = names.iter().find(|name| name.len() > MAX_NAME_BYTES) {
            let what = format!("a name is {} bytes long", name.len());
            return Err(Error::OutOfRange { path: self.path.clone(), what });
        }
        let number = self.header.number;
        if number >= MAX_FILES {
            return Err(Error::TooManyFiles { path: self.path.clone(), count: number });
        }
        let path = numbered(&self.path, number);
        let scratch = match self.reserved.take() {
            Some(reserved) => reserved,
            None => Scratch::new(&path)?,
        };
        self.header.first = if number == 0 { 0 } else { first_checksum(&self.rows.parts) };
        let laid_out = lay_out(&scratch, &self.header, names);
        let mut part = match laid_out {
            Ok(part) => part,
            Err(error) => {
                // The first name stays reserved.
                self.reserved = (number == 0).then_some(scratch);
                return Err(error);
            }
        };
        self.locks.push(scratch.persist()?);
        part.path = path;
        self.rows.push(part);
        self.header.number += 1;
        Ok(())
    }

    /// Writes the grids of a batch. Their rows are complete after the next [`Self::sync`], which happens by itself every
    /// 5 s or 256 MiB; then older rows of the same images are superseded.
    ///
    /// # Errors
    /// [`Error::Io`].
    ///
    /// # Panics
    /// If a row does not exist or its grids have another shape: both come from this store.
    pub fn write(&mut self, batch: &[Encoded]) -> Result<()> {
        let mut bytes = Vec::new();
        for encoded in batch {
            let (part, row) = self.rows.part(encoded.row);
            write_row(part, row, encoded, self.provenance(), &mut bytes)
                .map_err(Error::io(&part.path))?;
            let old = self.rows.find(self.rows.name(encoded.row));
            self.rows.set_state(encoded.row, State::Complete);
            self.unsynced.rows.push((encoded.row, old.filter(|&old| old != encoded.row)));
            self.unsynced.bytes += (bytes.len() * encoded.grids.len_of(Axis(0))) as u64;
        }
        let Unsynced { bytes, since, .. } = self.unsynced;
        if bytes >= SYNC_BYTES || since.elapsed() >= SYNC_INTERVAL { self.sync() } else { Ok(()) }
    }

    /// Syncs what was written, and then marks the rows complete.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<()> {
        let Unsynced { rows, .. } = std::mem::replace(&mut self.unsynced, Unsynced::new());
        if rows.is_empty() {
            return Ok(());
        }
        let mut parts = rows.iter().map(|(row, _)| self.rows.place(*row).0).collect::<Vec<_>>();
        parts.sort_unstable();
        parts.dedup();
        for part in parts {
            let part = &self.rows.parts[part];
            part.file.sync_data().map_err(Error::io(&part.path))?;
        }
        let complete = rows.iter().map(|(row, _)| *row).collect::<Vec<_>>();
        let superseded = rows.iter().filter_map(|(_, old)| *old).collect::<Vec<_>>();
        self.set_states(&complete, State::Complete)?;
        self.supersede(&superseded)
    }

    /// Marks the rows of images that are gone. Their bytes stay where they are.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(&mut self, images: &[String]) -> Result<()> {
        self.sync()?;
        let rows = images.iter().filter_map(|image| self.find(image)).collect::<Vec<_>>();
        self.set_states(&rows, State::Removed)
    }

    /// Marks rows as superseded, once those that count instead are on the disk.
    pub(crate) fn supersede(&mut self, rows: &[usize]) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        for part in &self.rows.parts {
            part.file.sync_data().map_err(Error::io(&part.path))?;
        }
        self.set_states(rows, State::Removed)
    }

    pub(crate) fn set_states(&mut self, rows: &[usize], state: State) -> Result<()> {
        for &row in rows {
            let (part, at) = self.rows.part(row);
            part.file
                .write_all_at(&[state.byte()], part.block.states + at as u64)
                .map_err(Error::io(&part.path))?;
            self.rows.set_state(row, state);
        }
        Ok(())
    }

    /// Syncs everything and unlocks the store. A store without images is an empty file of rows.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        self.sync()?;
        if let Some(scratch) = self.reserved.take() {
            if self.rows.parts.is_empty() {
                lay_out(&scratch, &self.header, &[])?;
            }
            self.locks.push(scratch.persist()?);
        }
        for part in &self.rows.parts {
            part.file.sync_all().map_err(Error::io(&part.path))?;
        }
        Ok(())
    }
}

impl Deref for StoreWriter {
    type Target = Rows;

    fn deref(&self) -> &Rows {
        &self.rows
    }
}

impl Drop for StoreWriter {
    /// Keeps what was written before an error.
    fn drop(&mut self) {
        let _ = self.sync();
    }
}

/// Lays out a scratch file with a row for each name.
pub(crate) fn lay_out(scratch: &Scratch, header: &Header, names: &[String]) -> Result<Part> {
    let block = layout::create(scratch, header, names)?;
    Part::read(scratch.path(), Arc::clone(scratch.file()), &header.provenance, block)
}
