//! `train evaluate`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use common::files;
use common::program::{print, warn};
use data::metrics::statistics::CaptionStatistics;
use data::metrics::{PROTOCOL, Scores};
use data::{Split, Vocabulary};
use models::neighbours::NEIGHBOURS_FILE;
use models::{NeighbourIndex, SearchOptions};
use serde::Serialize;
use train::evaluate::{Evaluation, Search};
use train::run::RunFolder;
use train::settings::check_search;

use super::choose_device;
use super::scoring::{self, Member, SeenImages};
use crate::options;

pub(crate) fn evaluate(options: &options::EvaluateArgs) -> anyhow::Result<()> {
    let folders = options.runs().map(RunFolder::new).collect::<Vec<_>>();
    for out in [&options.json, &options.hypotheses].into_iter().flatten() {
        keep_files_of_members(&folders, out)?;
    }
    let device = choose_device(&options.device)?;
    let open = |folder| Member::open(folder, device);
    let members = folders.into_iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    check_ensemble(&members)?;
    let Member { folder, run } = scoring::first(&members)?;
    let search = options.search.apply(run.config.search);
    check_search(&search)?;
    let split = Split::from(options.split);
    let seen = if split == Split::Train { SeenImages::Score } else { SeenImages::Refuse };
    let scored = scoring::images(&members, &options.data, split, seen)?;
    let channels = scored.store.grid_shape().channels;
    let neighbours = neighbour_index(options, folder, &run.vocabulary, channels)?;
    let search_and_choice = Search { options: &search, neighbours: neighbours.as_ref() };
    let evaluation = scored.evaluate(&members, search_and_choice, device)?;
    report(&evaluation, split, &search, options.json.as_deref())?;
    let own = members.len() == 1 && !scored.of_other_data;
    let own = own.then(|| folder.path().join(format!("captions-{split}.json")));
    write_captions(&evaluation, options.hypotheses.clone().or(own))?;
    write_scores(&evaluation, options.json.as_deref())
}

/// The named neighbour index, or that of the first run.
fn neighbour_index(
    options: &options::EvaluateArgs,
    folder: &RunFolder,
    vocabulary: &Vocabulary,
    channels: usize,
) -> anyhow::Result<Option<NeighbourIndex>> {
    let own = folder.path().join(NEIGHBOURS_FILE);
    let path = match &options.neighbours {
        _ if options.no_neighbours => return Ok(None),
        Some(path) => path,
        None if own.exists() => &own,
        None => return Ok(None),
    };
    Ok(Some(NeighbourIndex::load(path, vocabulary, channels)?))
}

/// Refuses to overwrite a file of a run of an ensemble.
fn keep_files_of_members(folders: &[RunFolder], out: &Path) -> anyhow::Result<()> {
    if folders.len() < 2 || !out.exists() {
        return Ok(());
    }
    let path = out.canonicalize().with_context(|| out.display().to_string())?;
    let is_in = |folder: &RunFolder| {
        folder.path().canonicalize().is_ok_and(|folder| path.starts_with(folder))
    };
    ensure!(
        !folders.iter().any(is_in),
        "{}: a file of one of the runs\n  Name another file for the results of all runs.",
        out.display()
    );
    Ok(())
}

/// Refuses networks of different vocabularies or encoders: they cannot be averaged.
fn check_ensemble(members: &[Member]) -> anyhow::Result<()> {
    let Some((Member { run: first, .. }, others)) = members.split_first() else { return Ok(()) };
    for Member { folder, run } in others {
        let path = folder.path().display();
        ensure!(
            run.config.vocabulary_sha256 == first.config.vocabulary_sha256,
            "{path}: the vocabulary differs from that of the first run; they cannot be averaged"
        );
        ensure!(
            run.config.encoder.is_same(&first.config.encoder),
            "{path}: the encoder differs from that of the first run; they cannot be averaged"
        );
    }
    Ok(())
}

/// Prints the scores, unless stdout is taken by their JSON.
fn report(
    evaluation: &Evaluation,
    split: Split,
    search: &SearchOptions,
    json: Option<&Path>,
) -> anyhow::Result<()> {
    warn(format_args!(
        "{} {split} images, beam {}; {PROTOCOL}",
        evaluation.captioned.len(),
        search.beam
    ));
    warn(format_args!(
        "{} of {} captions were truncated at {} words",
        evaluation.unfinished,
        evaluation.captioned.len(),
        search.max_length
    ));
    if json != Some(Path::new("-")) {
        for (name, score) in evaluation.scores.iter() {
            print(format_args!("{name:8} {:6.2}", 100.0 * score))?;
        }
    }
    Ok(())
}

/// The document of `evaluate --json`.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    scores: Scores,
    images: usize,
    /// Number of captions that were truncated at the maximum length.
    unfinished: usize,
    #[serde(rename = "health")]
    statistics: CaptionStatistics,
    protocol: &'static str,
}

fn write_captions(evaluation: &Evaluation, path: Option<PathBuf>) -> anyhow::Result<()> {
    let Some(path) = path else {
        warn(format_args!("captions are not written\n  Name a file for them (--hypotheses FILE)."));
        return Ok(());
    };
    replace(&path, &serde_json::to_string_pretty(&evaluation.captions())?)?;
    warn(format_args!("captions: {}", path.display()));
    Ok(())
}

fn write_scores(evaluation: &Evaluation, json: Option<&Path>) -> anyhow::Result<()> {
    let report = Report {
        scores: evaluation.scores,
        images: evaluation.captioned.len(),
        unfinished: evaluation.unfinished,
        statistics: evaluation.statistics,
        protocol: PROTOCOL,
    };
    let report = serde_json::to_string_pretty(&report)?;
    match json {
        Some(path) if path == Path::new("-") => print(format_args!("{report}")),
        Some(path) => replace(path, &report),
        None => Ok(()),
    }
}

/// Replaces a file as a whole.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    files::replace(path, text.as_bytes()).with_context(|| path.display().to_string())
}
