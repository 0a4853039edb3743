//! Opening a store for writing.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use common::View;

use crate::files::{self, Access, Files, check_gap, numbered, resolved};
use crate::header::{Header, Kind};
use crate::lock::Lock;
use crate::provenance::Field;
use crate::rows::Rows;
use crate::scratch::Scratch;
use crate::shard::shards_of;
use crate::writer::{Unsynced, lay_out};
use crate::{Error, Origin, Provenance, Result, Shard, StoreWriter};

impl StoreWriter {
    /// Opens the store at `path`, or begins a new one.
    ///
    /// # Errors
    /// [`Error::Busy`] if another program has it open, [`Error::OtherProvenance`] if it was filled in another way,
    /// [`Error::Merged`] for a merged store, and what is wrong with its files.
    pub fn open(path: &Path, provenance: &Provenance, origin: Origin) -> Result<Self> {
        Self::open_shard(path, None, provenance, origin)
    }

    /// Opens a shard of a store, whose file is `path`.
    ///
    /// # Errors
    /// As [`Self::open`], also for another shard.
    pub fn open_shard(
        path: &Path,
        shard: Option<Shard>,
        provenance: &Provenance,
        origin: Origin,
    ) -> Result<Self> {
        check_range(path, provenance)?;
        let path = &*resolved(path)?;
        let header = new_header(provenance, origin, shard);
        match Access::Write.open(path) {
            Ok(_) => Self::open_existing(path, header),
            Err(Error::Missing { .. }) => {
                check_gap(path, 0)?;
                let shards = shards_of(path)?.len();
                if shard.is_none() && shards > 0 {
                    return Err(Error::HasShards { path: path.to_path_buf(), shards });
                }
                let scratch = Scratch::new(path)?;
                // Another writer may have laid it out since.
                if path.exists() {
                    drop(scratch);
                    return Self::open_existing(path, header);
                }
                Ok(Self::empty(path, header, Some(scratch)))
            }
            Err(error) => Err(error),
        }
    }

    fn empty(path: &Path, header: Header, reserved: Option<Scratch>) -> Self {
        Self {
            path: path.to_path_buf(),
            header,
            rows: Rows::default(),
            locks: Vec::new(),
            reserved,
            unsynced: Unsynced::new(),
        }
    }

    fn open_existing(path: &Path, header: Header) -> Result<Self> {
        let mut writer = Self::empty(path, header, None);
        // Before anything is read: what another writer appends must be seen.
        let file = Arc::new(Access::Write.open(path)?);
        writer.lock(Arc::clone(&file), path)?;
        // Before a truncated file is made longer.
        if let Ok((found, _)) = files::read(&file, path)
            && found.kind == Kind::Rows
        {
            found.provenance.check(&writer.header.provenance, path)?;
        }
        let Files { header: found, parts, count } = files::open_rows(path, Access::Write)?;
        check_shard(found.shard, writer.header.shard, path)?;
        for number in 1..count {
            let path = numbered(path, number);
            writer.lock(Arc::new(Access::Write.open(&path)?), &path)?;
        }
        writer.header.number = count;
        writer.rows = Rows::new(parts, |_, _, _| {});
        writer.supersede(&writer.superseded_rows())?;
        Ok(writer)
    }

    fn lock(&mut self, file: Arc<File>, path: &Path) -> Result<()> {
        self.locks.push(Lock::new(file, path)?);
        Ok(())
    }

    /// Begins a store with a row for each of `names`, in their order, in a scratch file that [`Self::finish`] renames.
    pub(crate) fn create(
        path: &Path,
        scratch: Scratch,
        provenance: &Provenance,
        origin: Origin,
        names: &[String],
    ) -> Result<Self> {
        let mut writer = Self::empty(path, new_header(provenance, origin, None), None);
        let part = lay_out(&scratch, &writer.header, names)?;
        writer.rows.push(part);
        writer.reserved = Some(scratch);
        Ok(writer)
    }
}

fn new_header(provenance: &Provenance, origin: Origin, shard: Option<Shard>) -> Header {
    let Origin { created_by, device } = origin;
    let provenance = Provenance { created_by, ..provenance.clone() };
    Header { kind: Kind::Rows, provenance, device, shard, number: 0, first: 0 }
}

/// Refuses a provenance that a reader would refuse.
fn check_range(path: &Path, provenance: &Provenance) -> Result<()> {
    if provenance.is_in_range() {
        return Ok(());
    }
    let what = format!(
        "a grid is {}, of the views {}",
        provenance.grid,
        View::join(&provenance.views, ", ")
    );
    Err(Error::OutOfRange { path: path.to_path_buf(), what })
}

/// Refuses to fill one shard with the images of another.
fn check_shard(found: Option<Shard>, expected: Option<Shard>, path: &Path) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let name = |shard: Option<Shard>| shard.map_or("none".to_owned(), |shard| shard.to_string());
    Err(Error::OtherProvenance {
        path: path.to_path_buf(),
        field: Field::Shard,
        found: name(found),
        expected: name(expected),
    })
}
