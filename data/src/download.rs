//! Files from public addresses: whole and as expected, or not at all.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use serde::Deserialize;
use ureq::http::{Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::{Error, Result, digest};

/// How long nothing may come before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(30);
const BUFFER: usize = 1 << 16;

/// A file's checksum as its publisher gives it, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Checksum {
    /// 64 digits.
    Sha256(String),
    /// 32 digits: they tell a damaged file, not one that was made to deceive.
    Md5(String),
}

impl Checksum {
    /// The checksum of the same kind of the file at `path`.
    fn of_file(&self, path: &Path) -> Result<Self> {
        Ok(match self {
            Self::Sha256(_) => Self::Sha256(digest::of_file(path)?),
            Self::Md5(_) => Self::Md5(digest::md5_of_file(path)?),
        })
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Sha256(digits) => write!(formatter, "SHA-256 {digits}"),
            Self::Md5(digits) => write!(formatter, "MD5 {digits}"),
        }
    }
}

/// A file as it lies at a public address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Source {
    /// The address, `http` or `https`.
    pub address: String,
    /// The checksum of the file.
    #[serde(flatten)]
    pub checksum: Checksum,
    /// Its length in bytes; where it is not published, the server's word is taken.
    pub bytes: Option<u64>,
}

/// What is told of a download each time some bytes have come: how many are there, and how many there will
/// be, if that is known.
pub type Progress<'a> = &'a mut dyn FnMut(u64, Option<u64>);

/// Shows a bar on a terminal, which goes when it is dropped.
pub fn bar() -> impl FnMut(u64, Option<u64>) {
    let style = "{bytes} of {total_bytes} {bar:30} {bytes_per_sec}, {eta} to go";
    let style = ProgressStyle::with_template(style);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::no_length().with_style(style).with_finish(ProgressFinish::AndClear);
    move |bytes, total| {
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(bytes);
    }
}

impl Source {
    /// The last part of the address.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.address.rsplit('/').next().unwrap_or_default()
    }

    /// Fetches the file to `path`, or finds that it lies there already.
    ///
    /// Until it is whole and its checksum is right it lies beside its place, as `NAME.part`, and after an
    /// error, a kill or a power loss the next call goes on where that ends.
    pub fn fetch(&self, path: &Path, progress: Progress) -> Result<()> {
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
        let found = self.checksum.of_file(path)?;
        let other = found != self.checksum;
        Ok(other.then(|| format!("{} is another file, of {found}", path.display())))
    }

    /// Asks until `part` is as long as the file, as long as each time something comes.
    fn complete(&self, part: &Path, progress: Progress) -> Result<(), String> {
        let mut total = self.bytes;
        loop {
            let before = length(part);
            if total.is_some_and(|total| before >= total) {
                return Ok(());
            }
            let lost = match self.go_on(part, before, &mut total, progress) {
                // Nobody says how long it is: the checksum tells whether this was all.
                Ok(()) if total.is_none() => return Ok(()),
                Ok(()) => "the connection ended".to_owned(),
                Err(Stop::Lost(problem)) => problem,
                Err(Stop::Refused(problem)) => return Err(problem),
            };
            let now = length(part);
            if now <= before && total.is_none_or(|total| now < total) {
                let of = total.map(|total| format!(" of {total}")).unwrap_or_default();
                return Err(format!("{lost}, after {now}{of} bytes"));
            }
        }
    }

    /// Asks for what is missing of the file, whose first `have` bytes are in `part`, and adds it there.
    /// Learns how long the file is, if that is not known.
    fn go_on(
        &self,
        part: &Path,
        have: u64,
        total: &mut Option<u64>,
        progress: Progress,
    ) -> Result<(), Stop> {
        let Some(mut answer) = self.ask(have)? else {
            *total = Some(have);
            return Ok(());
        };
        *total = total.or_else(|| length_in(&answer));
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
            if let Some(total) = total.filter(|&total| have > total) {
                drop(file);
                fs::remove_file(part)?;
                return Err(Stop::Refused(format!("it is longer than {total} bytes")));
            }
            file.write_all(&buffer[..read])?;
            progress(have, *total);
        }
        Ok(file.sync_all()?)
    }

    /// Asks for the file from byte `from` on; `None` if it ends there.
    fn ask(&self, from: u64) -> Result<Option<Response<Body>>, Stop> {
        let mut request = agent().get(&self.address);
        if from > 0 {
            request = request.header(header::RANGE, format!("bytes={from}-"));
        }
        let answer = request.call().map_err(|error| Stop::Lost(error.to_string()))?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&answer, from) => Ok(Some(answer)),
            StatusCode::OK => Ok(Some(answer)),
            StatusCode::RANGE_NOT_SATISFIABLE if self.bytes.is_none() && from > 0 => Ok(None),
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
    let range = text_in(answer, &header::CONTENT_RANGE);
    range.is_some_and(|range| range.starts_with(&format!("bytes {from}-")))
}

/// How long the whole file is, as the server says.
fn length_in(answer: &Response<Body>) -> Option<u64> {
    let text = if answer.status() == StatusCode::PARTIAL_CONTENT {
        text_in(answer, &header::CONTENT_RANGE)?.rsplit('/').next()
    } else {
        text_in(answer, &header::CONTENT_LENGTH)
    };
    text?.parse().ok()
}

fn text_in<'a>(answer: &'a Response<Body>, header: &header::HeaderName) -> Option<&'a str> {
    answer.headers().get(header)?.to_str().ok()
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
