//! Ctrl-C, SIGTERM and SIGHUP, which end long work in an orderly way.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context as _;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::exit;

/// The exit status after a second signal.
const ENDED_AT_ONCE: i32 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on the first signal sets a flag and calls `notify` on another thread. A second one ends the process at once,
/// without destructors of libraries that other threads still use. Signals that come at the same time are one. A program calls
/// it once.
///
/// # Errors
/// If the signals cannot be caught.
pub fn catch_signals(notify: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    let mut signals = signals.context("Ctrl-C cannot be caught")?;
    let wait = move || {
        for _ in signals.forever() {
            if INTERRUPTED.swap(true, Ordering::Relaxed) {
                exit(ENDED_AT_ONCE);
            }
            notify();
        }
    };
    thread::Builder::new().spawn(wait).context("Ctrl-C cannot be caught")?;
    Ok(())
}

/// Whether a signal came.
#[must_use]
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
