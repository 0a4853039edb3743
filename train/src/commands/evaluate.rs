//! `train evaluate`.

use std::path::Path;

use anyhow::{Context as _, ensure};
use common::View;
use data::{Split, Vocabulary};
use models::bundle::MANIFEST_FILE;
use models::view::original_first;
use models::{Manifest, NeighbourChoice, NeighbourIndex};
use train::evaluate::Search;
use train::run::{RunFolder, TrainedRun};
use train::settings::{Refinement, check_search};

use super::choose_device;
use super::results::Results;
use super::scoring::{self, Member, Scored, SeenImages, check_ensemble};
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
    let channels = run.config.encoder.grid.channels;
    let neighbours = neighbour_index(options, folder, &run.vocabulary, channels)?;
    let evaluate = |set: &Scored| {
        let views = views(options, run, set)?;
        let search = Search { options: &search, views: &views, neighbours: neighbours.as_ref() };
        set.evaluate(&members, search, device)
    };
    let evaluations = scored.iter().map(evaluate).collect::<anyhow::Result<Vec<_>>>()?;
    let rewards = members.iter().filter_map(|of| of.run.config.refinement.as_ref());
    let rewards = rewards.map(Refinement::reward_signature).collect();
    let results = Results::new(&scored, &evaluations, &run.config, rewards);
    results.report(split, &search, options.json.as_deref())?;
    let own = (members.len() == 1).then(|| folder.path().join(format!("captions-{split}.json")));
    results.write_captions(options.hypotheses.as_deref(), own.as_deref())?;
    results.write_scores(options.json.as_deref())
}

/// The named views, or those that the run was trained on, as far as the store of a set has them.
fn views(
    options: &options::EvaluateArgs,
    run: &TrainedRun,
    set: &Scored,
) -> anyhow::Result<Vec<View>> {
    if options.views.is_empty() {
        return set.available(&original_first(&run.config.training.views));
    }
    Ok(original_first(&options.views))
}

/// The named neighbour index, or that of the first run.
fn neighbour_index(
    options: &options::EvaluateArgs,
    folder: &RunFolder,
    vocabulary: &Vocabulary,
    channels: usize,
) -> anyhow::Result<Option<NeighbourIndex>> {
    if options.no_neighbours {
        return Ok(None);
    }
    if let Some(path) = &options.neighbours {
        return Ok(Some(NeighbourIndex::load(path, vocabulary, channels)?));
    }
    // A run that was not exported has no manifest, and no index.
    if !folder.path().join(MANIFEST_FILE).exists() {
        return Ok(None);
    }
    let manifest = Manifest::load(folder.path())?;
    Ok(manifest.neighbours(folder.path(), &NeighbourChoice::OfModel, vocabulary)?)
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
