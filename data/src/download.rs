//! Files from public addresses: whole and as expected, or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::{Error, Result, digest};

/// How long nothing may come before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(30);
const BUFFER: usize = 1 << 16;

/// A file as it lies at a public address.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Source {
    /// The address, `http` or `https`.
    pub address: String,
    /// The SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Its length in bytes.
    pub bytes: u64,
}

impl Source {
    /// The last part of the address.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.address.rsplit('/').next().unwrap_or_default()
    }

    /// Fetches the file to `path`, or finds that it lies there already; `progress` is told how many bytes
    /// are there each time some have come.
    ///
    /// Until it is whole and its checksum is right it lies beside its place, as `NAME.part`, and after an
    /// error, a kill or a power loss the next call goes on where that ends.
    pub fn fetch(&self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<()> {
        if path.exists() {
            return match self.other(path)? {
                Some(problem) => Err(self.refuse(path, format!("{problem}; remove it"))),
                None => Ok(()),
            };
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(Error::io(folder))?;
        }
        let part = part_of(path);
        self.complete(&part, progress).map_err(|problem| self.refuse(path, problem))?;
        if let Some(problem) = self.other(&part)? {
            // To go on from wrong bytes would never end well.
            fs::remove_file(&part).map_err(Error::io(&part))?;
            return Err(self.refuse(path, problem));
        }
        fs::rename(&part, path).map_err(Error::io(path))
    }

    /// What is wrong with the file at `path`, if it is not this one.
    fn other(&self, path: &Path) -> Result<Option<String>> {
        let found = digest::of_file(path)?;
        let other = found != self.sha256;
        Ok(other.then(|| format!("{} is another file, of SHA-256 {found}", path.display())))
    }

    /// Asks until `part` is as long as the file, as long as each time something comes.
    fn complete(&self, part: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), String> {
        loop {
            let before = length(part);
            if before >= self.bytes {
                return Ok(());
            }
            let lost = match self.go_on(part, before, progress) {
                Ok(()) => "the connection ended".to_owned(),
                Err(Stop::Lost(problem)) => problem,
                Err(Stop::Refused(problem)) => return Err(problem),
            };
            let now = length(part);
            if now <= before {
                return Err(format!("{lost}, after {now} of {} bytes", self.bytes));
            }
        }
    }

    /// Asks for what is missing of the file, whose first `have` bytes are in `part`, and adds it there.
    fn go_on(&self, part: &Path, have: u64, progress: &mut dyn FnMut(u64)) -> Result<(), Stop> {
        let mut answer = self.ask(have)?;
        let goes_on = answer.status() == StatusCode::PARTIAL_CONTENT;
        let mut have = if goes_on { have } else { 0 };
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(goes_on).truncate(!goes_on);
        let mut file = options.open(part)?;
        let mut body = answer.body_mut().with_config().limit(u64::MAX).reader();
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = body.read(&mut buffer).map_err(|error| Stop::Lost(error.to_string()))?;
            if read == 0 {
                break;
            }
            have += read as u64;
            if have > self.bytes {
                drop(file);
                fs::remove_file(part)?;
                return Err(Stop::Refused(format!("it is longer than {} bytes", self.bytes)));
            }
            file.write_all(&buffer[..read])?;
            progress(have);
        }
        Ok(file.sync_all()?)
    }

    /// Asks for the file from byte `from` on.
    fn ask(&self, from: u64) -> Result<Response<Body>, Stop> {
        let mut request = agent().get(&self.address);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let answer = request.call().map_err(|error| Stop::Lost(error.to_string()))?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&answer, from) => Ok(answer),
            StatusCode::OK => Ok(answer),
            status => Err(Stop::Refused(format!("the server answers {status}"))),
        }
    }

    fn refuse(&self, path: &Path, problem: String) -> Error {
        Error::Download { file: Box::new(self.clone()), path: path.to_path_buf(), problem }
    }
}

/// Why a download stopped.
enum Stop {
    /// It may go on another time.
    Lost(String),
    /// It will not go on.
    Refused(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

fn agent() -> Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .tls_config(tls);
    config.build().into()
}

/// Whether a part of a file begins where it was asked to.
fn starts_at(answer: &Response<Body>, from: u64) -> bool {
    let range = answer.headers().get(header::CONTENT_RANGE).and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// The length of a file; 0 where there is none.
fn length(path: &Path) -> u64 {
    File::open(path).and_then(|file| file.metadata()).map_or(0, |file| file.len())
}
