//! Options for limits and access.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;
use models::Limits;
use models::decode::MAX_PIXELS;

use crate::json::PARTS;
use crate::memory::{self, RESPONSE};
use crate::{Origin, Size};

/// Bytes that a JSON body may have in addition to its photos.
const JSON_OVERHEAD: u64 = 64 * 1024;

/// A duration, parsed and printed in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(Duration);

impl Seconds {
    /// A duration of `seconds`.
    #[must_use]
    pub const fn new(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl From<Duration> for Seconds {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<Seconds> for Duration {
    fn from(Seconds(duration): Seconds) -> Self {
        duration
    }
}

/// A text that is not a number of [`Seconds`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a number of seconds above 0")]
pub struct ParseSecondsError;

impl FromStr for Seconds {
    type Err = ParseSecondsError;

    fn from_str(text: &str) -> Result<Self, ParseSecondsError> {
        let seconds = text.parse().map_err(|_| ParseSecondsError)?;
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err(ParseSecondsError),
        }
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}", self.0.as_secs_f64())
    }
}

const DEFAULT: Options = Options {
    memory: Size::mib(384),
    decoders: None,
    max_pixels: MAX_PIXELS,
    heif: false,
    max_upload: Size::mib(10),
    max_photos: 16,
    max_batch: 8,
    queue: 64,
    deadline: Seconds::new(30),
    cache: 1000,
    connections: 512,
    header_time: Seconds::new(10),
    body_time: Seconds::new(30),
    drain_time: None,
    shutdown_time: Seconds::new(20),
    api_key: None,
    cors_origin: Vec::new(),
    write_time: Seconds::new(30),
};

/// Limits of the server, and access to it.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits and access")]
pub struct Options {
    /// Memory for photos, in addition to the model at rest: 3/16 for uploads and responses, 3/4 for decoding, 1/16 for
    /// cached captions. An upload without free memory is refused at once (429); an image that needs more than the 3/4 is
    /// never accepted (413).
    #[arg(long, default_value = "384MiB", value_name = "SIZE")]
    pub memory: Size,
    /// Photos that are decoded at once [default: one per core of the process. CPU limits count, CPU requests of
    /// Kubernetes do not].
    #[arg(long, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub decoders: Option<usize>,
    /// Maximum number of pixels of a photo (413).
    #[arg(long, default_value_t = DEFAULT.max_pixels, value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub max_pixels: u64,
    /// Accept HEIC and AVIF photos, which the system's libheif decodes (Debian: libheif1). Its memory counts as far as a
    /// photo's header tells it: leave it off where photos come from strangers.
    #[arg(long)]
    pub heif: bool,
    /// The largest photo in bytes (413). All photos of one request may have four times as much.
    #[arg(long, default_value = "10MiB", value_name = "SIZE")]
    pub max_upload: Size,
    /// Maximum number of photos of one request (413).
    #[arg(long, default_value_t = DEFAULT.max_photos, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub max_photos: usize,
    /// Maximum number of photos of a batch.
    #[arg(long, default_value_t = DEFAULT.max_batch, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub max_batch: usize,
    /// Maximum number of photos that are queued or in work; one more is refused at once (429).
    #[arg(long, default_value_t = DEFAULT.queue, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub queue: usize,
    /// The time limit of a photo (504).
    #[arg(long, default_value_t = DEFAULT.deadline, value_name = "SECONDS")]
    pub deadline: Seconds,
    /// Photos whose captions are cached, by a hash of their bytes (0 = no cache).
    #[arg(long, default_value_t = DEFAULT.cache, value_name = "N")]
    pub cache: usize,
    /// Maximum number of connections; further ones wait to be accepted.
    #[arg(long, default_value_t = DEFAULT.connections, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub connections: usize,
    /// The time limit for the head of a request.
    #[arg(long, default_value_t = DEFAULT.header_time, value_name = "SECONDS")]
    pub header_time: Seconds,
    /// The time limit for the body of a request (408).
    #[arg(long, default_value_t = DEFAULT.body_time, value_name = "SECONDS")]
    pub body_time: Seconds,
    /// The time after SIGTERM during which requests are accepted while `/ready` answers 503, so that a load balancer
    /// removes the server first [default: none].
    #[arg(long, value_name = "SECONDS")]
    pub drain_time: Option<Seconds>,
    /// The time limit for running requests when the server stops.
    #[arg(long, default_value_t = DEFAULT.shutdown_time, value_name = "SECONDS")]
    pub shutdown_time: Seconds,
    /// The API key of requests: `Authorization: Bearer KEY`, or the password in a browser.
    #[arg(long, hide_env_values = true, value_name = "KEY")]
    pub api_key: Option<ApiKey>,
    /// A web site whose pages may use the API, such as `https://example.org`, or `*` for all; may be repeated.
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN")]
    pub cors_origin: Vec<Origin>,
    /// The time limit for a client to read a response; then its connection is closed.
    #[arg(long, default_value_t = DEFAULT.write_time, value_name = "SECONDS")]
    pub write_time: Seconds,
}

impl Default for Options {
    fn default() -> Self {
        DEFAULT
    }
}

impl Options {
    /// The limits of a photo's image.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits { max_pixels: self.max_pixels, heif: self.heif }
    }

    /// Checks that the limits are compatible.
    ///
    /// # Errors
    /// An error of the command line if `--memory` is too small for `--max-upload` and `--max-photos`.
    pub fn check(&self) -> Result<(), clap::Error> {
        let json = self.max_json().bytes();
        let copy = json.max(self.max_upload.bytes() + self.response_memory());
        let of_json = json + copy + PARTS.bytes() + RESPONSE.bytes();
        let least = of_json.max(2 * self.max_upload.bytes() + self.response_memory());
        let share = memory::of_uploads(self.memory).bytes();
        if least <= share {
            return Ok(());
        }
        let memory = Size::mib((least / 3 * 16).div_ceil(1 << 20) + 1);
        let problem = format!(
            "--max-upload {} and --max-photos {} need --memory {memory} or more",
            self.max_upload, self.max_photos
        );
        Err(clap::Error::raw(ErrorKind::ArgumentConflict, problem))
    }

    /// Maximum bytes of all photos of a request. They fit into the share of uploads, with one more photo for the copy when
    /// a buffer grows.
    #[must_use]
    pub fn max_total(&self) -> Size {
        let share = memory::of_uploads(self.memory).bytes();
        let fits = share.saturating_sub(self.max_upload.bytes() + self.response_memory());
        Size::new(fits.min(4 * self.max_upload.bytes()))
    }

    /// Maximum bytes of a JSON body, whose photos in base64 have together at most the bytes of one photo. Some clients escape
    /// slashes.
    #[must_use]
    pub(crate) fn max_json(&self) -> Size {
        Size::new(self.max_upload.bytes() / 25 * 34 + JSON_OVERHEAD)
    }

    /// The number of photos that are decoded at once.
    pub(crate) fn decoders(&self) -> usize {
        self.decoders.unwrap_or_else(cores)
    }

    /// The number of threads for decoding and hashing.
    #[must_use]
    pub fn blocking_threads(&self) -> usize {
        self.decoders() + cores()
    }

    /// Bytes for the responses about all photos of a request.
    fn response_memory(&self) -> u64 {
        self.max_photos as u64 * RESPONSE.bytes()
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// An API key, hidden in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A text that is not an [`ApiKey`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the key must be non-empty printable ASCII without spaces")]
pub struct ParseApiKeyError;

impl FromStr for ApiKey {
    type Err = ParseApiKeyError;

    fn from_str(key: &str) -> Result<Self, ParseApiKeyError> {
        let is_valid = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if is_valid { Ok(Self(key.to_owned())) } else { Err(ParseApiKeyError) }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("ApiKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(flags: &[&str]) -> Options {
        Cli::try_parse_from([&["serve"], flags].concat()).unwrap().options
    }

    #[test]
    fn the_help_shows_the_defaults() {
        let displayed = |options: &Options| format!("{options:?}");
        assert_eq!(displayed(&parsed(&[])), displayed(&DEFAULT));
        assert!(DEFAULT.check().is_ok());
        assert_eq!(DEFAULT.max_total(), Size::mib(40));
    }

    #[test]
    fn incompatible_limits_are_refused_at_start() {
        let small = parsed(&["--memory", "64MiB"]);
        let problem = small.check().unwrap_err().to_string();
        assert!(
            problem.contains("--memory 154 MiB") && problem.contains("--max-upload"),
            "{problem}"
        );
        let enough = parsed(&["--memory", "154 MiB"]);
        assert!(enough.check().is_ok());
        assert!(enough.max_total() >= enough.max_upload);
        assert!(parsed(&["--memory=64MiB", "--max-upload=4MB"]).check().is_ok());
    }
}
