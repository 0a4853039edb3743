//! The memory of photos (`--memory`): a quarter for the bytes of files, the rest for decoding.
//!
//! A thread may wait for memory to decode while it holds files, and never the other way round, so that no two threads wait for
//! each other.

use anyhow::Context as _;
use common::Size;
use common::memory::{Memory, Reservation};

/// The parts of memory for files, and for decoding.
const PARTS: [u64; 2] = [1, 3];
const ALL_PARTS: u64 = PARTS[0] + PARTS[1];

/// The memory of photos.
#[derive(Debug)]
pub(crate) struct Budget {
    given: Size,
    files: Memory,
    decoding: Memory,
}

impl Budget {
    pub(crate) fn new(given: Size) -> Self {
        let part = |part: u64| Memory::new(given.bytes() / ALL_PARTS * part);
        let [files, decoding] = PARTS.map(part);
        Self { given, files, decoding }
    }

    /// The largest file.
    pub(crate) fn largest_file(&self) -> Size {
        Size::new(self.files.all())
    }

    /// Waits for the memory of a file. The caller must not hold that of another file.
    ///
    /// # Errors
    /// If it is more than the budget.
    pub(crate) fn wait_for_file(&self, bytes: u64) -> anyhow::Result<Reservation<'_>> {
        self.files.take(bytes).with_context(|| self.too_large("reading it", bytes, PARTS[0]))
    }

    /// Reserves the memory of one more file, if it is free.
    pub(crate) fn take_file(&self, bytes: u64) -> Option<Reservation<'_>> {
        self.files.take_now(bytes)
    }

    /// Waits for the memory that decoding a photo needs. The caller must not hold that of another photo.
    ///
    /// # Errors
    /// If it is more than the budget.
    pub(crate) fn wait_for_decoding(&self, bytes: u64) -> anyhow::Result<Reservation<'_>> {
        self.decoding.take(bytes).with_context(|| self.too_large("decoding it", bytes, PARTS[1]))
    }

    fn too_large(&self, work: &str, bytes: u64, part: u64) -> String {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let enough = mib(bytes.div_ceil(part).saturating_mul(ALL_PARTS));
        let available = Size::new(self.given.bytes() / ALL_PARTS * part);
        format!(
            "{work} takes {} MiB, and --memory {} leaves {available} for that: give --memory {enough}MiB",
            mib(bytes),
            self.given
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advised_memory_is_enough() {
        let budget = Budget::new(Size::mib(4));
        let error = budget.wait_for_decoding((3 << 20) + 1).unwrap_err().to_string();
        let advised =
            "decoding it takes 4 MiB, and --memory 4 MiB leaves 3 MiB for that: give --memory 5MiB";
        assert_eq!(error, advised);
        assert!(Budget::new(Size::mib(5)).wait_for_decoding((3 << 20) + 1).is_ok());
        assert!(budget.wait_for_file((1 << 20) + 1).is_err());
    }
}
