//! Stages of the work on a photo.

use std::time::Duration;

/// The durations of the stages. `encode` and `search` are those of the whole batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stages {
    /// Waiting for a decoder and for the model.
    pub(crate) queue: Duration,
    pub(crate) decode: Duration,
    pub(crate) encode: Duration,
    pub(crate) search: Duration,
}

impl Stages {
    /// The stages in their order, with names.
    pub(crate) fn named(&self) -> [(&'static str, Duration); 4] {
        [
            ("queue", self.queue),
            ("decode", self.decode),
            ("encode", self.encode),
            ("search", self.search),
        ]
    }
}
