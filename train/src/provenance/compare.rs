//! Whether the data is still what a run was trained on, and whether what is scored is new to it.

use data::Split;
use data::program::warn;
use features::FeatureStore;

use super::{DataRecord, DataSet, PartRecord, TrainedOn};
use crate::dataset::ScoredImage;
use crate::run::{RunConfig, RunFolder};
use crate::{Error, Result};

/// Images that are named in a message; the others are counted.
const EXAMPLES: usize = 3;

/// What data is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Training goes on with it.
    Training,
    /// One part of it is captioned.
    Scoring(Split),
}

/// Refuses data of which the train or dev part is not what the run was trained with, by the names of the parts; with
/// `accept` it only warns. A part that the run had not is taken.
pub fn compare(
    folder: &RunFolder,
    config: &RunConfig,
    now: &DataSet,
    purpose: Purpose,
    accept: bool,
) -> Result<()> {
    let run = folder.path().display();
    let by = split_change(config, now);
    let Some(record) = &config.data else {
        warn(format_args!(
            "warning: {run}: an earlier version trained this run and recorded no data; nobody can tell whether \
             captions, splits or photos changed since{by}"
        ));
        return Ok(());
    };
    for change in changes(record, now, &[Split::Test], purpose)? {
        warn(format_args!("{run}: since training the data changed: {change}"));
    }
    let changes = changes(record, now, &[Split::Train, Split::Dev], purpose)?.join("\n    ");
    if changes.is_empty() {
        return Ok(());
    }
    if accept {
        warn(format_args!("warning: {run}: changed data is accepted:\n    {changes}{by}"));
        return Ok(());
    }
    let problem = format!(
        "since training the data changed:\n    {changes}{by}\n  \
         Name the data of the run (--captions, --splits, --store), train another run (--run DIR), or take the data \
         as it is (--accept-changed-data)."
    );
    Err(Error::run(folder.path(), problem))
}

/// What changed in those of `parts` that the run had.
fn changes(
    record: &DataRecord,
    now: &DataSet,
    parts: &[Split],
    purpose: Purpose,
) -> Result<Vec<String>> {
    let mut changes = Vec::new();
    for &split in parts {
        let photos_matter = purpose == Purpose::Training || purpose == Purpose::Scoring(split);
        let Some(then) = record.part(split) else { continue };
        let now = PartRecord::new(now, split)?;
        if let Some(change) = then.change(&now, photos_matter) {
            changes.push(format!("{split}: {change}"));
        }
    }
    Ok(changes)
}

fn split_change(config: &RunConfig, now: &DataSet) -> String {
    let (then, now) = (&config.splits.1, now.splits.to_string());
    if *then == now { String::new() } else { format!("\n    split by {then} then, by {now} now") }
}

/// Refuses to score images that networks were trained on as if they were new.
pub fn refuse_seen(
    trained_on: &TrainedOn,
    images: &[ScoredImage],
    store: &FeatureStore,
    split: Split,
) -> Result<()> {
    let seen = trained_on.seen(images, store)?;
    if seen.is_empty() {
        return Ok(());
    }
    let more = if seen.len() > EXAMPLES { ", …" } else { "" };
    let examples = seen.iter().take(EXAMPLES).map(String::as_str).collect::<Vec<_>>().join(", ");
    Err(Error::Training(format!(
        "{} of {} {split} images were trained on: {examples}{more}\n  \
         Scores of them say nothing about new photos. Name the captions and the split lists that belong to the run \
         (--captions, --splits), leave these images out, or score what was trained on (--split train).",
        seen.len(),
        images.len()
    )))
}
