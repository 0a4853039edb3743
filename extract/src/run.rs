//! `extract run` and `extract plan`.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use common::interrupt;
use common::names::one_line;
use common::program::print;
use data::Captions;
use features::{FeatureStore, Origin, Provenance, Rows, StoreWriter};
use indicatif::HumanDuration;
use models::Encoder;
use serde::Serialize;

use crate::compare::compare;
use crate::encoders;
use crate::images::{self, Image, Listing, NAMED, Skipped};
use crate::options::{Job, Plan as PlanOptions, Run};
use crate::pipeline::{self, Outcome, Pending};
use crate::plan::{self, Plan};
use crate::progress::{Progress, round};

/// Summary of a run, as JSON.
#[derive(Serialize)]
struct Summary {
    written: usize,
    skipped: usize,
    removed: usize,
    seconds: f64,
    images_per_second: f64,
    /// The share of the time in which the encoders ran.
    encoder_busy: f64,
}

/// `extract run`.
pub(crate) fn run(options: &Run) -> anyhow::Result<()> {
    let job = &options.job;
    let mut progress = Progress::new();
    let Listing { images, skipped, missed, .. } = list(options, &progress)?;
    let encoder = encoders::open(job, &progress)?;
    let origin = Origin { created_by: created_by(), device: encoder.describe_device() };
    let provenance = provenance(job, &encoder)?;
    let file = job.file();
    let mut store = StoreWriter::open_shard(&file, job.shard, &provenance, origin)?;
    let work = compare(&images, &store, job.check(), &progress)?;
    for (row, stamp) in work.restamp {
        store.set_stamp(row, stamp)?;
    }
    let path = file.display();
    let (todo, done) = (work.encode.len(), images.len() - work.encode.len());
    if done > 0 && todo > 0 {
        progress.note(&format!("{path}: {done} images are extracted already, {todo} to go"));
    }
    let removed = prune(&mut store, work.gone, missed, options.prune, &progress)?;
    if todo == 0 {
        store.finish()?;
        report_skipped(&file, &skipped, &progress)?;
        return print(format_args!(
            "{path}: all {} images are extracted already; nothing to do{}",
            images.len(),
            describe_removed(removed)
        ));
    }
    plan::check_space(&file, bytes(&provenance, todo))?;
    let mut encoders = encoders::divide(job, encoder, todo)?;
    let outcome = encode(job, &mut encoders, &mut store, work.encode, &mut progress)?;
    let removed = removed + if options.prune { prune_damaged(&mut store, &outcome)? } else { 0 };
    store.finish()?;
    let counts = Counts { done, written: todo - outcome.skipped.len(), removed };
    report(job, counts, skipped, outcome, &progress)
}

/// Finds the images, and reports files that are skipped and captions that do not match.
fn list(options: &Run, progress: &Progress) -> anyhow::Result<Listing> {
    let job = &options.job;
    let listing = images::list(&job.images, job.shard)?;
    progress.skipped_entries(&job.images, &listing.skipped_entries);
    if let Some(path) = &options.captions {
        let captions = Captions::read(path)?;
        progress.skipped_entries(path, captions.skipped_entries());
        images::report_captions(&listing.images, &captions, progress);
    }
    Ok(listing)
}

/// Encodes images. On a signal the grids that are written are kept, and the run fails with their number.
fn encode(
    job: &Job,
    encoders: &mut [Encoder],
    store: &mut StoreWriter,
    images: Vec<Image>,
    progress: &mut Progress,
) -> anyhow::Result<Outcome> {
    let names = images.iter().map(|image| image.name.clone()).collect::<Vec<_>>();
    let rows = store.rows_for(&names)?.into_iter();
    let pending = rows.zip(images).map(|(row, image)| Pending { row, image }).collect::<Vec<_>>();
    interrupt::catch_signals(|| {})?;
    let outcome = pipeline::run(job, encoders, store, &pending, progress)?;
    if outcome.interrupted {
        store.sync()?;
        bail!(
            "{}: interrupted: {} of {} images were encoded and are kept\n  Run the same command again to go on.",
            job.file().display(),
            outcome.written,
            pending.len()
        );
    }
    Ok(outcome)
}

/// `, 3 removed` in a report, if there are any.
fn describe_removed(removed: usize) -> String {
    if removed > 0 { format!(", {removed} removed") } else { String::new() }
}

/// Removes the rows of absent images, if `wanted`; returns their number. While entries cannot be read, an absent image
/// may be in one of them: then only rows with a checksum mismatch are removed.
fn prune(
    store: &mut StoreWriter,
    mut gone: Vec<String>,
    missed: usize,
    wanted: bool,
    progress: &Progress,
) -> anyhow::Result<usize> {
    if gone.is_empty() {
        return Ok(0);
    }
    if !wanted {
        let gone = gone.len();
        progress.note(&format!(
            "{gone} images of the store are no longer there (--prune removes them)"
        ));
        return Ok(0);
    }
    let held = store.complete();
    ensure!(
        gone.len() < held,
        "--prune would remove all {held} images of the store: none of them is among the images\n  \
         Name the folder that they came from (--images PATH), or remove the store."
    );
    if missed > 0 {
        let all = gone.len();
        let mut damaged = Vec::new();
        for image in gone {
            if is_damaged(store, &image)? {
                damaged.push(image);
            }
        }
        gone = damaged;
        let kept = all - gone.len();
        if kept > 0 {
            progress.note(&format!(
                "{kept} images of the store were not found and are kept: they may be in the {missed} entries that could not be read (see `skipped`); repair or remove those entries, then run with --prune again"
            ));
        }
    }
    store.remove(&gone)?;
    Ok(gone.len())
}

/// Whether an image has a row that does not match its checksums.
fn is_damaged(store: &StoreWriter, image: &str) -> features::Result<bool> {
    store.find(image).map_or(Ok(false), |row| Ok(!store.is_intact(row)?))
}

/// Removes the rows with a checksum mismatch whose images could not be encoded: they are unusable. Returns their number.
fn prune_damaged(store: &mut StoreWriter, outcome: &Outcome) -> features::Result<usize> {
    let mut damaged = Vec::new();
    for Skipped { image, .. } in &outcome.skipped {
        if is_damaged(store, image)? {
            damaged.push(image.clone());
        }
    }
    store.remove(&damaged)?;
    Ok(damaged.len())
}

/// Numbers of images.
struct Counts {
    /// Extracted before.
    done: usize,
    written: usize,
    removed: usize,
}

fn report(
    job: &Job,
    counts: Counts,
    mut skipped: Vec<Skipped>,
    outcome: Outcome,
    progress: &Progress,
) -> anyhow::Result<()> {
    let Counts { done, written, removed } = counts;
    let unread = outcome.skipped.len();
    skipped.extend(outcome.skipped);
    let file = job.file();
    report_skipped(&file, &skipped, progress)?;
    ensure!(done + written > 0, "none of {unread} images could be read");
    let seconds = outcome.elapsed.as_secs_f64();
    let summary = Summary {
        written,
        skipped: skipped.len(),
        removed,
        seconds: round(seconds),
        images_per_second: round(written as f64 / seconds),
        encoder_busy: round(outcome.busy.as_secs_f64() / seconds),
    };
    progress.record("summary", &summary);
    print(format_args!(
        "{}: {written} images in {} ({:.1} images/s), {} skipped{}; the encoder was busy {:.0} % of the time",
        file.display(),
        HumanDuration(outcome.elapsed),
        summary.images_per_second,
        summary.skipped,
        describe_removed(removed),
        100.0 * summary.encoder_busy,
    ))?;
    Ok(())
}

/// `extract plan`.
pub(crate) fn plan(options: &PlanOptions) -> anyhow::Result<()> {
    let job = &options.job;
    let progress = Progress::new();
    let Listing { images, skipped, skipped_entries, .. } = images::list(&job.images, job.shard)?;
    progress.skipped_entries(&job.images, &skipped_entries);
    name_skipped(&skipped, &progress);
    let file = job.file();
    let mut encoder = encoders::open(job, &progress)?;
    let provenance = provenance(job, &encoder)?;
    let work = if file.exists() {
        let store = FeatureStore::open(&file)?;
        store.provenance().check(&provenance, &file)?;
        compare(&images, &store, job.check(), &progress)?
    } else {
        compare(&images, &Rows::default(), job.check(), &progress)?
    };
    let batch = job.batch(encoder.device());
    let speed = plan::speed(&mut encoder, batch, job.views.len())?;
    let bytes = bytes(&provenance, work.encode.len());
    let plan = Plan::new(&work, images.len(), bytes, plan::free_bytes(&file)?, speed);
    if options.json {
        print(format_args!("{}", serde_json::to_string_pretty(&plan)?))?;
    } else {
        print(format_args!("{plan}"))?;
    }
    plan::check_space(&file, bytes)
}

fn bytes(provenance: &Provenance, images: usize) -> u64 {
    (images * provenance.views.len() * provenance.grid_bytes()) as u64
}

fn provenance(job: &Job, encoder: &Encoder) -> anyhow::Result<Provenance> {
    let repeated = (1..job.views.len()).any(|at| job.views[..at].contains(&job.views[at]));
    ensure!(!repeated, "--views names a view twice");
    Ok(Provenance {
        encoder_name: encoder.name(),
        encoder_sha256: encoder.sha256().to_owned(),
        preprocess: encoder.preprocess().clone(),
        grid: encoder.grid(),
        dtype: job.dtype,
        views: job.views.clone(),
        created_by: created_by(),
    })
}

/// This program.
pub(crate) fn created_by() -> String {
    format!("showtell extract {}", common::version!())
}

/// Names the first skipped images, and lists all of them in a file next to the store.
fn report_skipped(store: &Path, skipped: &[Skipped], progress: &Progress) -> anyhow::Result<()> {
    let path = skipped_file(store);
    let problem = || format!("{}: cannot be written", path.display());
    if skipped.is_empty() {
        return match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(problem)
            }
            _ => Ok(()),
        };
    }
    name_skipped(skipped, progress);
    if skipped.len() > NAMED {
        let more = skipped.len() - NAMED;
        progress.note(&format!("skipped: {more} more, all in {}", path.display()));
    }
    let lines = skipped.iter().map(|one| Ok(serde_json::to_string(one)? + "\n"));
    let lines = lines.collect::<anyhow::Result<String>>()?;
    common::files::replace(&path, lines.as_bytes()).with_context(problem)
}

fn name_skipped(skipped: &[Skipped], progress: &Progress) {
    for Skipped { image, reason } in skipped.iter().take(NAMED) {
        progress.note(&format!("skipped: {}: {reason}", one_line(image)));
    }
}

/// The file that lists the skipped images: `features/flickr8k.skipped.jsonl`.
fn skipped_file(store: &Path) -> PathBuf {
    let mut name = store.file_stem().map_or_else(OsString::new, OsString::from);
    name.push(".skipped.jsonl");
    store.with_file_name(name)
}
