//! The one place that maps memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions};

/// Maps the first `length` bytes of a file for reading.
pub(crate) fn map(file: &File, length: u64) -> io::Result<Mmap> {
    // SAFETY: the mapping is only read. A store is never made shorter than its front page says, and
    // the bytes of a row are written before its state says so; rows that were not complete when the
    // store was opened are never looked at. Another program that truncates the file while it is
    // mapped ends this process with SIGBUS, as it would any program that maps files.
    unsafe { MmapOptions::new().len(length as usize).map(file) }
}
