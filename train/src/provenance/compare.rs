//! Comparison of the present data with that of a run, and of images to score with those that were trained on.

use common::program::warn;
use data::Split;

use super::PhotoIndex;
use crate::dataset::DataSet;
use crate::run::{PartRecord, RunConfig, RunFolder, SetRecord};
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

/// Compares the train and dev splits of data sets with those of the sets of a run that have the same numbers. A split that
/// the run did not have is accepted.
///
/// # Errors
/// [`Error::ChangedData`] if one of them changed and this is to be refused, [`Error::Features`] if a store cannot be
/// read.
pub fn compare<'a>(
    folder: &RunFolder,
    config: &RunConfig,
    now: impl IntoIterator<Item = &'a DataSet>,
    purpose: Purpose,
    on_change: OnChange,
) -> Result<()> {
    let mut changes = Vec::new();
    for now in now {
        let Some(record) = config.sets.get(now.number) else { continue };
        let of_set = changes_of_set(folder, config, record, now, purpose)?;
        let set = match config.sets.len() {
            1 => String::new(),
            _ => format!("set {}, ", now.number + 1),
        };
        changes.extend(of_set.into_iter().map(|change| format!("{set}{change}")));
    }
    let run = folder.path().display();
    let changes = changes.join("\n    ");
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

/// The changes of the train and dev splits of a data set, and of the method that they follow. A changed test split is
/// reported.
fn changes_of_set(
    folder: &RunFolder,
    config: &RunConfig,
    record: &SetRecord,
    now: &DataSet,
    purpose: Purpose,
) -> Result<Vec<String>> {
    let run = folder.path().display();
    let method = method_change(record, now);
    if config.data.is_none() {
        let method = method.map(|method| format!("\n    {method}")).unwrap_or_default();
        warn(format_args!(
            "warning: {run}: an earlier version trained this run and recorded no data; changes of captions, splits or \
             photos since then are unknown{method}"
        ));
        return Ok(Vec::new());
    }
    for change in changes(record, now, &[Split::Test], purpose)? {
        warn(format_args!("{run}: since training the data changed: {change}"));
    }
    let mut changes = changes(record, now, &[Split::Train, Split::Dev], purpose)?;
    if !changes.is_empty() {
        changes.extend(method);
    }
    Ok(changes)
}

/// The changes of those of `splits` that the run had.
fn changes(
    record: &SetRecord,
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

/// The change of the method that images are split by.
fn method_change(record: &SetRecord, now: &DataSet) -> Option<String> {
    let (then, now) = (&record.splits.method, now.splits.to_string());
    (*then != now).then(|| format!("split by {then} then, by {now} now"))
}

/// Refuses to score images that networks were trained on as if they were new.
///
/// # Errors
/// [`Error::SeenImages`], and [`Error::Features`] if the store cannot be read.
pub fn refuse_seen(trained_on: &PhotoIndex, data: &DataSet, split: Split) -> Result<()> {
    let seen = trained_on.seen(data, split)?;
    if seen.is_empty() {
        return Ok(());
    }
    let more = if seen.len() > EXAMPLES { ", …" } else { "" };
    let examples = seen.iter().take(EXAMPLES).map(String::as_str).collect::<Vec<_>>().join(", ");
    let examples = format!("{examples}{more}");
    Err(Error::SeenImages { seen: seen.len(), images: data.count(split), split, examples })
}
