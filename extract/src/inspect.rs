//! `extract inspect` and `extract verify`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::ensure;
use common::count;
use common::names::one_line;
use common::program::print;
use common::{Preprocess, View};
use features::{FeatureStore, State};
use indicatif::HumanBytes;
use serde::Serialize;

use crate::options::{Inspect, Verify};

/// The next step after damage.
const REPAIR: &str = "Run `extract --check` as before (for a shard with --shard I/N): it re-encodes damaged rows. Add --prune for photos that are gone or unreadable: it removes their rows.";

/// The answer of `inspect`.
#[derive(Serialize)]
struct Report<'a> {
    rows: usize,
    complete: usize,
    removed: usize,
    views: &'a [View],
    /// Height, width, channels.
    grid: [usize; 3],
    dtype: &'static str,
    encoder_name: &'a str,
    encoder_sha256: &'a str,
    preprocess: &'a Preprocess,
    /// The files with its rows.
    files: &'a [PathBuf],
    devices: BTreeSet<&'a str>,
    created_by: &'a str,
    content_digest: Option<String>,
}

impl<'a> Report<'a> {
    fn new(store: &'a FeatureStore) -> Self {
        let provenance = store.provenance();
        let grid = provenance.grid;
        let removed = |row: &usize| store.state(*row) == State::Removed;
        Self {
            rows: store.len(),
            complete: store.complete(),
            removed: (0..store.len()).filter(removed).count(),
            views: &provenance.views,
            grid: [grid.height, grid.width, grid.channels],
            dtype: provenance.dtype.name(),
            encoder_name: &provenance.encoder_name,
            encoder_sha256: &provenance.encoder_sha256,
            preprocess: &provenance.preprocess,
            files: store.files(),
            devices: store.devices().collect(),
            created_by: &provenance.created_by,
            content_digest: None,
        }
    }
}

/// `extract inspect`.
pub(crate) fn inspect(options: &Inspect) -> anyhow::Result<()> {
    let store = FeatureStore::open(&options.store)?;
    let mut report = Report::new(&store);
    if options.json {
        report.content_digest = Some(store.content_digest()?);
        print(format_args!("{}", serde_json::to_string_pretty(&report)?))?;
        return Ok(());
    }
    let [height, width, channels] = report.grid;
    let bytes = store.provenance().grid_bytes() * report.views.len() * report.rows;
    print(format_args!("store       {}", options.store.display()))?;
    for file in report.files.iter().filter(|file| **file != options.store) {
        print(format_args!("file        {}", file.display()))?;
    }
    print(format_args!("images      {} complete", report.complete))?;
    print(format_args!(
        "rows        {} ({} removed, {} without a grid), {}",
        report.rows,
        report.removed,
        report.rows - report.removed - report.complete,
        HumanBytes(bytes as u64)
    ))?;
    print(format_args!("views       {}", View::join(report.views, ", ")))?;
    print(format_args!(
        "grid        {height}×{width} cells of {channels} values, {}",
        report.dtype
    ))?;
    print(format_args!("encoder     {} (SHA-256 {})", report.encoder_name, report.encoder_sha256))?;
    print(format_args!("preprocess  {}", serde_json::to_string(report.preprocess)?))?;
    print(format_args!("made by     {}", report.created_by))?;
    print(format_args!(
        "on          {}",
        report.devices.into_iter().collect::<Vec<_>>().join("; ")
    ))?;
    Ok(())
}

/// `extract verify`: prints the problems, one per line on standard output, and fails if there are any.
pub(crate) fn verify(options: &Verify) -> anyhow::Result<()> {
    let store = FeatureStore::open(&options.store)?;
    let problems = store.verify()?;
    for problem in &problems {
        print(one_line(&problem.to_string()))?;
    }
    let path = options.store.display();
    ensure!(problems.is_empty(), "{path}: {}\n  {REPAIR}", count(problems.len(), "problem"));
    let waiting = store.len() - Report::new(&store).removed - store.complete();
    print(format_args!(
        "{path}: {}, all intact; {} not yet extracted",
        count(store.complete(), "image"),
        count(waiting, "row")
    ))
}
