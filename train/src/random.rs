//! Random numbers of libtorch.

use std::sync::{Mutex, PoisonError};

/// libtorch has one generator for each device of the process.
static GENERATORS: Mutex<()> = Mutex::new(());

/// Draws from libtorch's generators, whose state follows from `seed`; no other thread of this crate draws meanwhile.
pub(crate) fn draw<T>(seed: u64, draw: impl FnOnce() -> T) -> T {
    let _alone = GENERATORS.lock().unwrap_or_else(PoisonError::into_inner);
    tch::manual_seed(seed as i64);
    draw()
}
