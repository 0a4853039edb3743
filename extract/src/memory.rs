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

/// Reads a size as people write it: `512MiB`, `1.5GiB`, `800MB`; a number alone counts bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 6] = [
        ("", 1),
        ("B", 1),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    let wanted = || format!("`{text}` is not a size such as 512MiB or 1.5GiB");
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let known = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit.trim()));
    let (_, factor) = known.ok_or_else(wanted)?;
    let bytes = number.parse::<f64>().map_err(|_| wanted())? * *factor as f64;
    // Above this the numbers of a float have gaps.
    if (1.0..=2_f64.powi(53)).contains(&bytes) { Ok(bytes as u64) } else { Err(wanted()) }
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

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in
            [("512MiB", 512 << 20), ("1.5 gib", 3 << 29), ("800MB", 800_000_000), ("4096", 4096)]
        {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "0", "MiB", "-1MiB", "1.2.3MB", "1M", "99999999999GiB", "nan"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
