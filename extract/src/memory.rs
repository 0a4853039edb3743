//! The memory that photos may take (`--memory`) while they are read and decoded.
//!
//! A photo takes the bytes of its file and what its header says that decoding needs, before either is there. Those who
//! wait get theirs in the order in which they came: a large photo is not passed by small ones.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes to give away.
#[derive(Debug)]
pub(crate) struct Memory {
    all: u64,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// The number of the next one to come, and of the one whose turn it is.
    next: u64,
    turn: u64,
}

/// Bytes that were taken. They go back when this value is dropped.
#[derive(Debug)]
pub(crate) struct Held<'a> {
    memory: &'a Memory,
    bytes: u64,
}

impl Memory {
    pub(crate) fn new(bytes: u64) -> Self {
        let state = Mutex::new(State { free: bytes, next: 0, turn: 0 });
        Self { all: bytes, state, freed: Condvar::new() }
    }

    /// So many bytes, as soon as they are free; `None` if there never are so many. Who waits here must hold none.
    pub(crate) fn take(&self, bytes: u64) -> Option<Held<'_>> {
        if bytes > self.all {
            return None;
        }
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        while state.turn != number || state.free < bytes {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.turn += 1;
        state.free -= bytes;
        self.freed.notify_all();
        Some(Held { memory: self, bytes })
    }

    /// No code that can panic runs while it is locked.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Takes more, up to `bytes` in all, if that is free at once and nobody waits.
    pub(crate) fn grow(&mut self, bytes: u64) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let mut state = self.memory.state();
        let is_free = state.turn == state.next && state.free >= more;
        if is_free {
            state.free -= more;
            self.bytes += more;
        }
        is_free
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.memory.state().free += self.bytes;
        self.memory.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn no_more_is_taken_than_there_is_and_everybody_gets_theirs() {
        const ALL: u64 = 100;
        let memory = Memory::new(ALL);
        let (taken, most, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let note = |bytes: u64| {
            let now = taken.fetch_add(bytes, Ordering::SeqCst) + bytes;
            most.fetch_max(now, Ordering::SeqCst);
            thread::yield_now();
            taken.fetch_sub(bytes, Ordering::SeqCst);
        };
        thread::scope(|scope| {
            for number in 0..16_u64 {
                let (memory, done, note) = (&memory, &done, &note);
                scope.spawn(move || {
                    for step in 0..50 {
                        let (file, all) = (1 + number % 5, 5 + (number * 13 + step * 7) % 96);
                        let mut held = memory.take(file).unwrap();
                        if !held.grow(all) {
                            drop(held);
                            held = memory.take(all).unwrap();
                        }
                        note(all);
                        drop(held);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 16 * 50);
        assert!(most.into_inner() <= ALL);
        assert!(memory.take(ALL + 1).is_none());
        assert!(memory.take(ALL).is_some());
    }
}
