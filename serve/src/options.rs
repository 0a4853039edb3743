//! The flags by which the server is bounded and guarded.

use std::fmt;
use std::num::ParseFloatError;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use clap::builder::RangedU64ValueParser;
use clap::error::ErrorKind;

use crate::Size;
use crate::memory::{self, ANSWER};

use crate::Origin;

/// A length of time, given in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seconds(Duration);

impl Seconds {
    /// So many seconds.
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

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds: f64 = text.parse().map_err(|error: ParseFloatError| error.to_string())?;
        match Duration::try_from_secs_f64(seconds) {
            Ok(duration) if !duration.is_zero() => Ok(Self(duration)),
            _ => Err("a number of seconds above 0 is wanted".to_owned()),
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

/// How much the server takes on, how long it waits, and whom it answers.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Limits and access")]
pub struct Options {
    /// What photos in work may take of memory beside the model at rest: 3/16 for uploads and answers, 3/4 for
    /// decoding, 1/16 for captions that are remembered. An upload for which there is no room is refused at once (429),
    /// an image that needs more than the 3/4 for good (413).
    #[arg(long, default_value = "384MiB", value_name = "SIZE")]
    pub memory: Size,
    /// The most photos that are decoded at once [default: one for each core that the process may use. A limit of CPU
    /// is seen, a request of Kubernetes is not].
    #[arg(long, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub decoders: Option<usize>,
    /// The largest file of a photo (413). The photos of one request may have four times as much together.
    #[arg(long, default_value = "10MiB", value_name = "SIZE")]
    pub max_upload: Size,
    /// The most photos of one request (413).
    #[arg(long, default_value_t = DEFAULT.max_photos, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000))]
    pub max_photos: usize,
    /// The most photos that are encoded at once.
    #[arg(long, default_value_t = DEFAULT.max_batch, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    pub max_batch: usize,
    /// The most photos that are in work or wait; one more is refused at once (429).
    #[arg(long, default_value_t = DEFAULT.queue, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub queue: usize,
    /// How long a photo may take; then it is given up (504).
    #[arg(long, default_value_t = DEFAULT.deadline, value_name = "SECONDS")]
    pub deadline: Seconds,
    /// Photos whose captions are remembered, by a hash of their bytes; 0 remembers none.
    #[arg(long, default_value_t = DEFAULT.cache, value_name = "N")]
    pub cache: usize,
    /// The most connections at once; others wait to be accepted.
    #[arg(long, default_value_t = DEFAULT.connections, value_name = "N",
          value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub connections: usize,
    /// How long a connection may take to send the head of a request.
    #[arg(long, default_value_t = DEFAULT.header_time, value_name = "SECONDS")]
    pub header_time: Seconds,
    /// How long a request may take to send its body (408).
    #[arg(long, default_value_t = DEFAULT.body_time, value_name = "SECONDS")]
    pub body_time: Seconds,
    /// How long the server takes requests after SIGTERM while `/ready` says no, so that a balancer turns to
    /// others first [default: not at all].
    #[arg(long, value_name = "SECONDS")]
    pub drain_time: Option<Seconds>,
    /// How long requests may go on after the server was asked to stop.
    #[arg(long, default_value_t = DEFAULT.shutdown_time, value_name = "SECONDS")]
    pub shutdown_time: Seconds,
    /// A key that requests must carry: `Authorization: Bearer KEY`, or as the password of a browser.
    #[arg(long, hide_env_values = true, value_name = "KEY")]
    pub api_key: Option<ApiKey>,
    /// A web site whose pages may use the interface, such as `https://example.org`, or `*` for all; may be repeated.
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN")]
    pub cors_origin: Vec<Origin>,
    /// How long a client may take to read an answer; then it is disconnected.
    #[arg(long, default_value_t = DEFAULT.write_time, value_name = "SECONDS")]
    pub write_time: Seconds,
}

impl Default for Options {
    fn default() -> Self {
        DEFAULT
    }
}

impl Options {
    /// Refuses limits of which one leaves no room for another.
    pub fn check(&self) -> Result<(), clap::Error> {
        let least = 2 * self.max_upload.bytes() + self.answers();
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

    /// The most bytes of all photos of a request. While they arrive they fit into the share of uploads: what has
    /// arrived is moved to a larger place now and then, for which one photo more is counted.
    #[must_use]
    pub fn max_together(&self) -> Size {
        let share = memory::of_uploads(self.memory).bytes();
        let fits = share.saturating_sub(self.max_upload.bytes() + self.answers());
        Size::new(fits.min(4 * self.max_upload.bytes()))
    }

    /// How many photos are decoded at once.
    pub(crate) fn decoders(&self) -> usize {
        self.decoders.unwrap_or_else(cores)
    }

    /// Threads for decoding, and some for hashing beside it.
    #[must_use]
    pub fn blocking_threads(&self) -> usize {
        self.decoders() + cores()
    }

    fn answers(&self) -> u64 {
        self.max_photos as u64 * ANSWER.bytes()
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A key that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for ApiKey {
    type Err = &'static str;

    fn from_str(key: &str) -> Result<Self, Self::Err> {
        let fits = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(key.to_owned())) } else { Err("a key is of letters, digits and signs") }
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
    fn the_flags_say_the_defaults() {
        let shown = |options: &Options| format!("{options:?}");
        assert_eq!(shown(&parsed(&[])), shown(&DEFAULT));
        assert!(DEFAULT.check().is_ok());
        assert_eq!(DEFAULT.max_together(), Size::mib(40));
    }

    #[test]
    fn uploads_that_never_find_room_are_refused_at_start() {
        let small = parsed(&["--memory", "64MiB"]);
        let problem = small.check().unwrap_err().to_string();
        assert!(
            problem.contains("--memory 113 MiB") && problem.contains("--max-upload"),
            "{problem}"
        );
        let enough = parsed(&["--memory", "113 MiB"]);
        assert!(enough.check().is_ok());
        assert!(enough.max_together() >= enough.max_upload);
        assert!(parsed(&["--memory=64MiB", "--max-upload=4MB"]).check().is_ok());
    }
}
