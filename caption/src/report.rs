//! The last words of a run: which captions were written, and which photos have none.

use common::count;
use common::names::one_line;
use common::program::warn;

use crate::cli::{Cli, Format};
use crate::destinations::name;

/// Numbers of photos.
#[derive(Default)]
pub(crate) struct Report {
    /// Those that an earlier run did.
    pub(crate) done: usize,
    /// Those whose captions were written to their destinations.
    pub(crate) written: usize,
    /// Those of them whose captions were written to the sidecar alone, as their formats cannot hold them.
    pub(crate) sidecar_alone: usize,
    /// Those that were left alone.
    pub(crate) left_alone: usize,
    /// The first one of these.
    pub(crate) first_left_alone: Option<String>,
}

impl Report {
    /// Prints all that there is to say; `unsure` photos have captions with less than the least confidence.
    pub(crate) fn print(&self, cli: &Cli, unsure: usize) {
        let places = cli.write.write.iter().copied().map(name).collect::<Vec<_>>().join(", ");
        if self.written > 0 && !places.is_empty() {
            warn(format_args!("captions of {} written ({places})", photos(self.written)));
        }
        if self.sidecar_alone > 0 {
            warn(format_args!(
                "{} of them in the sidecar alone: raw photos, HEIC and others are not changed",
                self.sidecar_alone
            ));
        }
        if let Some(first) = &self.first_left_alone {
            warn(format_args!(
                "{} left alone, such as {}: a text is there already (--existing {})",
                photos(self.left_alone),
                one_line(first),
                name(cli.write.existing)
            ));
        }
        if self.done > 0 {
            warn(format_args!(
                "{} skipped: done by an earlier run (--all: again)",
                photos(self.done)
            ));
        }
        if let Some(least) = cli.min_confidence.filter(|_| unsure > 0) {
            let is_text = cli.output.format() == Format::Text;
            warn(format_args!(
                "captions of {} not {}: the confidence in them is below {least}",
                photos(unsure),
                if is_text { "printed or written" } else { "written" }
            ));
        }
    }
}

fn photos(number: usize) -> String {
    count(number, "photo").to_string()
}
