//! Downloads of files with known checksums. An interrupted download is resumed.
#![cfg_attr(
    test,
    expect(clippy::disallowed_methods, reason = "a file of a test need not survive a kill")
)]

mod checksum;
mod error;
mod request;
mod source;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

pub use checksum::Checksum;
pub use error::{Error, Problem, Result};
pub use source::Source;

/// A callback for progress: the bytes so far, and the total if it is known.
pub type Progress<'a> = &'a mut dyn FnMut(u64, Option<u64>);

/// Shows a progress bar on a terminal until the callback is dropped.
pub fn progress_bar() -> impl FnMut(u64, Option<u64>) {
    let template = "{bytes} of {total_bytes} {bar:30} {bytes_per_sec}, {eta} to go";
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::no_length().with_style(style).with_finish(ProgressFinish::AndClear);
    move |bytes, total| {
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(bytes);
    }
}
