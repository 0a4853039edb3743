//! The ledger: a file that remembers which photos are done, so that a second run looks at what is new alone.
//!
//! It has a JSON document per line and photo; the last one of a photo counts. A photo is done as long as the settings are the
//! same, and size, time of modification and inode of the photo and of the files beside it that were written; or the SHA-256
//! of the photo, where those of the photo alone differ.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use common::files::FileState;
use common::program::warn;
use common::{Size, count, digest, files};
use metadata::{sidecar_path, text_path};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::cli::{Cli, Place};
use crate::destinations::Destinations;
use crate::photos::{Photo, file_state};

/// The most bytes of a ledger: some millions of photos.
const LIMIT: Size = Size::mib(2 << 10);
/// The first bytes of each line.
const FIRST: &[u8] = b"{\"path\":";
/// The ledger below the user's folder of states.
const DEFAULT: &str = "showtell/captions.jsonl";
/// Lines that are out of date, in addition to as many as there are photos, from which on they are removed.
const SPARE: usize = 1000;

/// A ledger and what it remembers.
pub(crate) struct Ledger {
    path: PathBuf,
    file: File,
    /// The digest of all that a caption depends on beside the photo.
    settings: String,
    places: Vec<Place>,
    done: HashMap<String, Entry>,
}

/// A photo that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// The absolute path.
    path: String,
    settings: String,
    /// The states of the photo and of the files beside it that were written.
    files: Vec<Option<FileState>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl Ledger {
    /// Opens the ledger, if there is to be one: where `--ledger` says, or with `--write` in the user's folder of states.
    /// `settings` is all that a caption depends on beside the photo.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub(crate) fn open(cli: &Cli, settings: &str) -> anyhow::Result<Option<Self>> {
        let by_default = || (!cli.write.write.is_empty()).then(default_path).flatten();
        let Some(path) = cli.ledger.ledger.clone().or_else(by_default) else { return Ok(None) };
        let place = || format!("the ledger {}", path.display());
        let file = open_file(&path).with_context(place)?;
        let (done, lines) = read(&path, &file).with_context(place)?;
        let file = if lines > 2 * done.len() + SPARE {
            compact(&path, file, &done).with_context(place)?
        } else {
            file
        };
        let (settings, places) = (digest::of_bytes(settings.as_bytes()), cli.write.write.clone());
        Ok(Some(Self { path, file, settings, places, done }))
    }

    /// Keeps the photos that are not done. Lines of `metadata.jsonl` are written later than the ledger, so a photo without
    /// one that `destinations` need is not done.
    pub(crate) fn keep_new(&self, photos: Vec<Photo>, destinations: &Destinations) -> Vec<Photo> {
        let is_done = |photo: &Photo| self.is_done(photo) && destinations.has_line(photo);
        photos.into_par_iter().filter(|photo| !is_done(photo)).collect()
    }

    fn is_done(&self, photo: &Photo) -> bool {
        let Some(entry) = key(photo).and_then(|key| self.done.get(&key)) else { return false };
        if entry.settings != self.settings {
            return false;
        }
        let now = self.states(photo);
        let has_same_bytes = || {
            let sha256 = entry.sha256.as_ref();
            sha256.is_some_and(|of| digest::of_file(photo.path()).is_ok_and(|now| now == *of))
        };
        now == entry.files || (now[1..] == entry.files[1..] && has_same_bytes())
    }

    /// Remembers that a photo is done; `sha256` is that of its bytes, and `state` that of the photo as it was read, if they are
    /// known: a photo that was replaced since is not done.
    ///
    /// # Errors
    /// If the ledger cannot be written.
    pub(crate) fn record(
        &mut self,
        photo: &Photo,
        sha256: Option<String>,
        state: Option<FileState>,
    ) -> anyhow::Result<()> {
        let Some(path) = key(photo) else { return Ok(()) };
        let (settings, mut files) = (self.settings.clone(), self.states(photo));
        if state.is_some() {
            files[0] = state;
        }
        let entry = Entry { path, settings, files, sha256 };
        let line = serde_json::to_string(&entry)? + "\n";
        let written = self.file.write_all(line.as_bytes());
        written.with_context(|| format!("the ledger {}", self.path.display()))
    }

    fn states(&self, photo: &Photo) -> Vec<Option<FileState>> {
        let path = photo.path();
        let beside = self.places.iter().filter_map(|place| match place {
            Place::Xmp => Some(sidecar_path(path)),
            Place::Txt => Some(text_path(path)),
            Place::Embed | Place::Metadata => None,
        });
        [path.to_owned()].into_iter().chain(beside).map(|path| file_state(&path)).collect()
    }
}

/// The name of a photo in the ledger. Those whose paths are not UTF-8 have none, and are never done.
fn key(photo: &Photo) -> Option<String> {
    if photo.is_stdin() {
        return None;
    }
    std::path::absolute(photo.path()).ok()?.into_os_string().into_string().ok()
}

/// The ledger in the user's folder of states (XDG Base Directory Specification); a message says where there is none.
fn default_path() -> Option<PathBuf> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || absolute("HOME").map(|home| home.join(".local/state"));
    let folder = absolute("XDG_STATE_HOME").or_else(home);
    if folder.is_none() {
        warn(
            "no ledger: HOME is not set, so the next run looks at all photos again\n  Name one (--ledger FILE).",
        );
    }
    folder.map(|folder| folder.join(DEFAULT))
}

/// Opens the file for appending. Runs that use it hold a shared lock.
fn open_file(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    loop {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.lock_shared()?;
        // Another run may have replaced it in the meantime.
        if fs::metadata(path)?.ino() == file.metadata()?.ino() {
            return Ok(file);
        }
    }
}

/// Reads a ledger: the last entry of each photo, and the number of lines. Damaged lines, as a killed run may leave one, are
/// counted and ignored.
fn read(path: &Path, mut file: &File) -> anyhow::Result<(HashMap<String, Entry>, usize)> {
    let bytes = files::read(path, LIMIT)?;
    ensure!(
        bytes.is_empty() || bytes.starts_with(FIRST),
        "not a ledger\n  Name another file (--ledger FILE)."
    );
    if bytes.last().is_some_and(|&last| last != b'\n') {
        file.write_all(b"\n")?;
    }
    let mut done = HashMap::new();
    let (mut lines, mut damaged) = (0, 0);
    for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        lines += 1;
        match serde_json::from_slice::<Entry>(line) {
            Ok(entry) if !entry.files.is_empty() => {
                done.insert(entry.path.clone(), entry);
            }
            _ => damaged += 1,
        }
    }
    if damaged > 0 {
        let damaged = count(damaged, "line");
        warn(format_args!(
            "the ledger {}: {damaged} cannot be read and are ignored",
            path.display()
        ));
    }
    Ok((done, lines))
}

/// Removes lines that are out of date, if no other run uses the ledger. What another run adds meanwhile is looked at again.
fn compact(path: &Path, file: File, done: &HashMap<String, Entry>) -> anyhow::Result<File> {
    file.unlock()?;
    if file.try_lock().is_ok() {
        let lines = done.values().map(|entry| Ok(serde_json::to_string(entry)? + "\n"));
        let lines = lines.collect::<anyhow::Result<String>>()?;
        files::replace(path, lines.as_bytes())?;
    }
    drop(file);
    Ok(open_file(path)?)
}
