//! Comparison of the present data with that of a run, and of images to score with those that were trained on.

use common::program::warn;
use data::Split;
use features::FeatureStore;

use super::TrainedOn;
use crate::dataset::{DataSet, ScoredImage};
use crate::run::{DataRecord, PartRecord, RunConfig, RunFolder};
use crate::{Error, Result};

/// Number of images that a message names; the others are counted.
const EXAMPLES: usize = 3;

/// The purpose of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Training.
    Training,
    /// Scoring the captions of one split.
    Scoring(Split),
}

/// Treatment of changed data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// It is refused.
    Refuse,
    /// It is accepted with a warning.
    Warn,
}

/// Compares the train and dev splits with those of a run. A split that the run did not have is accepted.
///
/// # Errors
/// [`Error::ChangedData`] if one of them changed and this is to be refused, [`Error::Features`] if the store cannot be
/// read.
pub fn compare(
    folder: &RunFolder,
    config: &RunConfig,
    now: &DataSet,
    purpose: Purpose,
    on_change: OnChange,
) -> Result<()> {
    let run = folder.path().display();
    let method = method_change(config, now);
    let Some(record) = &config.data else {
        warn(format_args!(
            "warning: {run}: an earlier version trained this run and recorded no data; changes of captions, splits or \
             photos since then are unknown{method}"
        ));
        return Ok(());
    };
    for change in changes(record, now, &[Split::Test], purpose)? {
        warn(format_args!("{run}: since training the data changed: {change}"));
    }
    let changes = changes(record, now, &[Split::Train, Split::Dev], purpose)?.join("\n    ");
    let changes = if changes.is_empty() { changes } else { changes + &method };
    match on_change {
        _ if changes.is_empty() => {}
        OnChange::Refuse => {
            return Err(Error::ChangedData { path: folder.path().to_path_buf(), changes });
        }
        OnChange::Warn => {
            warn(format_args!("warning: {run}: changed data is accepted:\n    {changes}"));
        }
    }
    Ok(())
}

/// The changes of those of `splits` that the run had.
fn changes(
    record: &DataRecord,
    now: &DataSet,
    splits: &[Split],
    purpose: Purpose,
) -> Result<Vec<String>> {
    let mut changes = Vec::new();
    for &split in splits {
        let Some(then) = record.part(split) else { continue };
        let now = PartRecord::new(now, split)?;
        let covers_photos = [Purpose::Training, Purpose::Scoring(split)].contains(&purpose);
        let photo_change = || then.photo_change(&now).filter(|_| covers_photos);
        if let Some(change) = then.change(&now).or_else(photo_change) {
            changes.push(format!("{split}: {change}"));
        }
    }
    Ok(changes)
}

/// The change of the method that images are split by, as a line of a message; empty if there is none.
fn method_change(config: &RunConfig, now: &DataSet) -> String {
    let (then, now) = (&config.splits.method, now.splits.to_string());
    if *then == now { String::new() } else { format!("\n    split by {then} then, by {now} now") }
}

/// Refuses to score images that networks were trained on as if they were new.
///
/// # Errors
/// [`Error::SeenImages`], and [`Error::Features`] if the store cannot be read.
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
    let examples = format!("{examples}{more}");
    Err(Error::SeenImages { seen: seen.len(), images: images.len(), split, examples })
}
