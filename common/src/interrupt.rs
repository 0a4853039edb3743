//! Ctrl-C, SIGTERM and SIGHUP, which end long work in an orderly way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;

/// The exit status after a second signal.
const ENDED_AT_ONCE: i32 = 130;

/// Signals within this time of the first one are the same request.
const ONE_REQUEST: Duration = Duration::from_secs(1);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on the first signal sets a flag and calls `notify` on another thread. A later one ends the process at once, without
/// destructors of libraries that other threads still use. Signals within a second count as one: a service manager sends several
/// kinds. A program calls it once. Returns the flag.
///
/// # Errors
/// If the signals cannot be caught.
pub fn catch_signals(notify: impl Fn() + Send + 'static) -> anyhow::Result<&'static AtomicBool> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    let mut signals = signals.context("Ctrl-C cannot be caught")?;
    let wait = move || {
        let mut first = None;
        for _ in signals.forever() {
            let first = *first.get_or_insert_with(Instant::now);
            if !INTERRUPTED.swap(true, Ordering::Relaxed) {
                notify();
            } else if first.elapsed() > ONE_REQUEST {
                exit(ENDED_AT_ONCE);
            }
        }
    };
    thread::Builder::new().spawn(wait).context("Ctrl-C cannot be caught")?;
    Ok(&INTERRUPTED)
}

/// Whether a signal came.
#[must_use]
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
