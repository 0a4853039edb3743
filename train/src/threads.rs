//! The number of threads of an operation of libtorch.

/// A number of threads for the operations that a thread starts, until this is dropped; threads that are new to libtorch begin
/// with it as well. The threads of an operation wait for the next one for milliseconds, on cores that other threads may need;
/// with one thread none waits.
#[derive(Debug)]
#[must_use = "dropped, it has no effect"]
pub(crate) struct Threads {
    before: i32,
}

impl Threads {
    pub(crate) fn new(count: usize) -> Self {
        let before = tch::get_num_threads();
        tch::set_num_threads(i32::try_from(count).unwrap_or(i32::MAX));
        Self { before }
    }

    /// The present number.
    pub(crate) fn count() -> usize {
        usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        tch::set_num_threads(self.before);
    }
}
