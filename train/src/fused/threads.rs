//! Kernels on all cores. Not in the threads of libtorch: these wait for their next work for milliseconds, on a core that other
//! threads need.

use super::vectors::{self, Kernel};
use crate::threads::Threads;

/// Runs kernels in as many threads as libtorch has.
pub(super) fn run_all<K: Kernel + Send>(kernels: Vec<K>) {
    let share = kernels.len().div_ceil(Threads::count());
    let mut kernels = kernels.into_iter();
    let own = kernels.by_ref().take(share).collect::<Vec<_>>();
    rayon::in_place_scope(|scope| {
        loop {
            let others = kernels.by_ref().take(share).collect::<Vec<_>>();
            if others.is_empty() {
                break;
            }
            scope.spawn(|_| others.into_iter().for_each(vectors::run));
        }
        own.into_iter().for_each(vectors::run);
    });
}
