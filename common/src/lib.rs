//! Types and helpers that several crates of Showtell share. It needs no native library.
#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")
)]

mod count;
pub mod digest;
mod error;
pub mod files;
mod generate;
mod grid;
pub mod head;
pub mod interrupt;
pub mod memory;
pub mod names;
mod preprocess;
pub mod program;
pub mod quotes;
mod rect;
mod size;
mod skipped_entries;
pub mod text;
mod view;

pub use count::{Count, count};
pub use error::{Error, Result, describe_io};
pub use grid::{GridShape, sides};
pub use preprocess::{Preprocess, PreprocessError, Resize};
pub use rect::Rect;
pub use size::{ParseSizeError, Size};
pub use skipped_entries::SkippedEntries;
pub use view::View;

#[doc(hidden)]
pub use git_version::git_version;

/// The version of the calling crate with the revision it was built from, such as `0.1.0 (1a2b3c4d5e6f)`; without the
/// revision if the source is not a git repository.
#[macro_export]
macro_rules! version {
    () => {
        $crate::git_version!(
            args = ["--always", "--abbrev=12", "--exclude=*"],
            prefix = concat!(env!("CARGO_PKG_VERSION"), " ("),
            suffix = ")",
            cargo_prefix = ""
        )
    };
}

/// The revision that the calling crate was built from, such as `1a2b3c4d5e6f`; `unknown` if the source is not a git
/// repository.
#[macro_export]
macro_rules! revision {
    () => {
        $crate::git_version!(
            args = ["--always", "--abbrev=12", "--exclude=*"],
            fallback = "unknown"
        )
    };
}
