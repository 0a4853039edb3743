//! The parts of the work on a photo.

use std::time::Duration;

/// How long the parts of the work took. Encoding and searching are those of all photos that were taken
/// together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stages {
    /// Waiting: for a thread that decodes, and for the model.
    pub(crate) queue: Duration,
    pub(crate) decode: Duration,
    pub(crate) encode: Duration,
    pub(crate) search: Duration,
}

impl Stages {
    /// The parts in their order, by name.
    pub(crate) fn named(&self) -> [(&'static str, Duration); 4] {
        [
            ("queue", self.queue),
            ("decode", self.decode),
            ("encode", self.encode),
            ("search", self.search),
        ]
    }
}
