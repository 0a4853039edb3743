//! A budget of memory, such as that of photos while they are read and decoded (`--memory`).
//!
//! Bytes are reserved before they are allocated. Requests are granted in the order of their arrival, so a large photo is not
//! overtaken by small ones.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A budget of bytes.
#[derive(Debug)]
pub struct Memory {
    all: u64,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    free: u64,
    /// The number of the next request, and of the request that is granted next.
    next: u64,
    turn: u64,
}

/// Reserved bytes, released on drop.
#[derive(Debug)]
pub struct Reservation<'a> {
    memory: &'a Memory,
    bytes: u64,
}

impl Memory {
    /// A budget of `bytes`.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let state = Mutex::new(State { free: bytes, next: 0, turn: 0 });
        Self { all: bytes, state, freed: Condvar::new() }
    }

    /// Waits until `bytes` are free and reserves them; `None` if the budget is smaller. The caller must not hold other
    /// bytes of the budget.
    pub fn take(&self, bytes: u64) -> Option<Reservation<'_>> {
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
        Some(Reservation { memory: self, bytes })
    }

    /// Reserves `bytes` if they are free now and no request waits. The caller may hold other bytes of the budget.
    pub fn take_now(&self, bytes: u64) -> Option<Reservation<'_>> {
        let mut reservation = Reservation { memory: self, bytes: 0 };
        reservation.grow(bytes).then_some(reservation)
    }

    /// All bytes of the budget, reserved or not.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.all
    }

    /// Locks the state. No code that can panic runs while it is locked.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation<'_> {
    /// Reserves more, up to `bytes` in all, if they are free now and no request waits.
    pub fn grow(&mut self, bytes: u64) -> bool {
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

impl Drop for Reservation<'_> {
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
    fn the_budget_is_never_exceeded_and_all_requests_are_granted() {
        const ALL: u64 = 100;
        let memory = Memory::new(ALL);
        let (taken, most, done) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let count = |bytes: u64| {
            let now = taken.fetch_add(bytes, Ordering::SeqCst) + bytes;
            most.fetch_max(now, Ordering::SeqCst);
            thread::yield_now();
            taken.fetch_sub(bytes, Ordering::SeqCst);
        };
        thread::scope(|scope| {
            for number in 0..16_u64 {
                let (memory, done, count) = (&memory, &done, &count);
                scope.spawn(move || {
                    for step in 0..50 {
                        let (file, all) = (1 + number % 5, 5 + (number * 13 + step * 7) % 96);
                        let mut held = memory.take(file).unwrap();
                        if !held.grow(all) {
                            drop(held);
                            held = memory.take(all).unwrap();
                        }
                        count(all);
                        drop(held);
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(done.into_inner(), 16 * 50);
        assert!(most.into_inner() <= ALL);
        assert!(memory.take(ALL + 1).is_none());
        let all = memory.take(ALL).unwrap();
        assert!(memory.take_now(1).is_none() && memory.take_now(0).is_some());
        drop(all);
        assert!(memory.take_now(ALL).is_some());
    }
}
