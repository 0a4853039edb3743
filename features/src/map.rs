//! The one place that maps memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a whole file for reading.
pub(crate) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the mapping is only read. A store never shrinks, and bytes of a row are written
    // before its state says so; rows that are not complete are never looked at. Another program
    // that truncates the file while it is mapped ends this process with SIGBUS, as it would any
    // program that maps files.
    unsafe { Mmap::map(file) }
}
