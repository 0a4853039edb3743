//! A file at a public address, and how it is fetched.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::request::{self, Failure};
use crate::{Checksum, Error, Problem, Progress, Result};

const BUFFER: usize = 1 << 16;

/// A file at a public address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Source {
    /// The address, `http` or `https`.
    pub address: String,
    /// The checksum of the file.
    #[serde(flatten)]
    pub checksum: Checksum,
    /// Its length in bytes; if it is not published, that of the server is used.
    pub bytes: Option<u64>,
}

/// A file that is being fetched: its first bytes, on the disk.
struct Part {
    path: PathBuf,
    /// The length of the whole file in bytes, once it is known.
    total: Option<u64>,
}

impl Source {
    /// The last part of the address.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.address.rsplit('/').next().unwrap_or_default()
    }

    /// Fetches the file to `path`, unless it is already there.
    ///
    /// Until it is complete and its checksum is verified it is `NAME.part` in the same folder. After an error, a kill
    /// or a power loss the next call resumes there.
    ///
    /// # Errors
    /// [`Error::Download`] if the file cannot be fetched or has another checksum, [`Error::File`] if it cannot be
    /// written.
    pub fn fetch(&self, path: &Path, progress: Progress) -> Result<()> {
        if path.exists() {
            let found = self.checksum.of_file(path)?;
            if found == self.checksum {
                return Ok(());
            }
            return Err(self.error(path, Problem::OtherFile { path: path.to_path_buf(), found }));
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(common::Error::io(folder))?;
        }
        let part = part_path(path);
        self.complete(&part, progress).map_err(|problem| self.error(path, problem))?;
        let found = self.checksum.of_file(&part)?;
        if found != self.checksum {
            // Wrong bytes cannot be completed to the right file.
            fs::remove_file(&part).map_err(common::Error::io(&part))?;
            return Err(self.error(path, Problem::Mismatch { path: part, found }));
        }
        #[expect(clippy::disallowed_methods, reason = "a cut-off file has another checksum")]
        fs::rename(&part, path).map_err(common::Error::io(path))?;
        Ok(())
    }

    /// Sends requests until the part is complete, as long as each brings some bytes.
    fn complete(&self, path: &Path, progress: Progress) -> Result<(), Problem> {
        let mut part = Part { path: path.to_path_buf(), total: self.bytes };
        loop {
            let before = part.length();
            if part.is_complete() {
                return Ok(());
            }
            let cause = match self.resume(&mut part, progress) {
                // Without a known length only the checksum can show whether the file is complete.
                Ok(()) if part.total.is_none() => return Ok(()),
                Ok(()) => "the connection ended".to_owned(),
                Err(Failure::Retryable(cause)) => cause,
                Err(Failure::Permanent(problem)) => return Err(problem),
            };
            let (bytes, total) = (part.length(), part.total);
            if bytes <= before && !part.is_complete() {
                return Err(Problem::Interrupted { cause, bytes, total });
            }
        }
    }

    /// Requests the missing bytes and appends them to the part; learns the total length if it is not known.
    fn resume(&self, part: &mut Part, progress: Progress) -> Result<(), Failure> {
        let present = part.length();
        let mut response = request::send(&self.address, present)?;
        if request::is_at_end(&response) {
            if self.bytes.is_some() || present == 0 {
                let status = response.status();
                return Err(Failure::Permanent(Problem::Refused { status }));
            }
            part.total = Some(present);
            return Ok(());
        }
        part.total = part.total.or_else(|| request::total_length(&response));
        let is_rest = request::is_rest(&response);
        let mut length = if is_rest { present } else { 0 };
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(is_rest).truncate(!is_rest);
        let mut file = options.open(&part.path)?;
        let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; BUFFER];
        loop {
            let read =
                body.read(&mut buffer).map_err(|error| Failure::Retryable(error.to_string()))?;
            if read == 0 {
                return Ok(file.sync_all()?);
            }
            length += read as u64;
            if let Some(bytes) = part.total.filter(|&total| length > total) {
                drop(file);
                fs::remove_file(&part.path)?;
                return Err(Failure::Permanent(Problem::TooLong { bytes }));
            }
            file.write_all(&buffer[..read])?;
            progress(length, part.total);
        }
    }

    fn error(&self, path: &Path, problem: Problem) -> Error {
        Error::Download { file: Box::new(self.clone()), path: path.to_path_buf(), problem }
    }
}

impl Part {
    /// The number of bytes that arrived; 0 if there is no file yet.
    fn length(&self) -> u64 {
        File::open(&self.path).and_then(|file| file.metadata()).map_or(0, |file| file.len())
    }

    fn is_complete(&self) -> bool {
        self.total.is_some_and(|total| self.length() >= total)
    }
}

fn part_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
