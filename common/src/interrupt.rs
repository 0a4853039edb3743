//! Ctrl-C and SIGTERM, which end long work in an orderly way.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

/// The exit status after a second signal.
const ENDED_AT_ONCE: i32 = 130;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on a signal sets a flag, and a second one ends the process at once.
///
/// # Errors
/// If the handler cannot be set.
pub fn catch_signals() -> anyhow::Result<()> {
    let set = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            exit(ENDED_AT_ONCE);
        }
    };
    ctrlc::set_handler(set).context("Ctrl-C cannot be caught")
}

/// Whether a signal came.
#[must_use]
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
