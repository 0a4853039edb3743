//! Preparation of a run that is resumed, with its own settings.

use std::path::Path;

use anyhow::ensure;
use data::Vocabulary;
use tch::Device;
use train::provenance::OnChange;
use train::run::{RunConfig, RunFolder};
use train::settings::{Distillation, SettingsFile, Training, differences};
use train::text::TextRecord;

use super::data_paths::absolute;
use super::prepare::{Prepared, with_data_of_run, with_teachers};
use crate::options::{self, WeightedDataArgs};

/// Prepares a run of `train fit` to be resumed.
pub(super) fn fit(folder: &RunFolder, options: &options::FitArgs) -> anyhow::Result<Prepared> {
    let config = folder.load_config()?;
    if config.refinement.is_some() || config.distillation.is_some() {
        return Err(run_of_another_command(folder, &config));
    }
    let file = options.config.as_deref().map(SettingsFile::read).transpose()?.unwrap_or_default();
    let mut requested = config.clone();
    requested.recipe = options.recipe.or(file.recipe()).unwrap_or(config.recipe);
    requested.network = file.apply("network", config.network)?;
    requested.network.channels = config.network.channels;
    requested.network.vocabulary = config.network.vocabulary;
    let training = file.apply("training", config.training.clone())?;
    requested.training = options.train.training.apply(training)?;
    requested.search = file.apply("search", config.search)?;
    requested.data_licence = options.data_licence.clone().or(requested.data_licence);
    let mut differences = all_that_differ(&config, &requested, &options.train.data)?;
    if let Some(requested) = options.min_count {
        let found = Vocabulary::load(&folder.vocabulary())?.min_count();
        if found != requested as usize {
            differences.push(format!("min_count is {found}, not {requested}"));
        }
    }
    ensure!(
        options.text.is_none() || config.text.is_some(),
        "{}: began without captions without photos\n  Leave out --text, or train another run (--run DIR).",
        folder.path().display()
    );
    refuse(folder.path(), &differences)?;
    let prepared = with_data_of_run(folder, requested, &options.train.data)?;
    match &config.text {
        Some(record) => with_text_of_run(prepared, record, options),
        None => Ok(prepared),
    }
}

/// Adds the captions without photos of a run, or those of the named file, which must be the same.
fn with_text_of_run(
    prepared: Prepared,
    record: &TextRecord,
    options: &options::FitArgs,
) -> anyhow::Result<Prepared> {
    let path = options.text.as_ref().unwrap_or(&record.path);
    let prepared = prepared.with_text(path)?;
    let is_same = prepared.config.text.as_ref().is_some_and(|now| now.sha256 == record.sha256);
    ensure!(
        is_same || options.train.data.sets.on_change() == OnChange::Warn,
        "{}: not the captions without photos that the run began with\n  \
         Name their file (--text FILE), or take them as they are (--accept-changed-data).",
        path.display()
    );
    Ok(prepared)
}

/// Prepares a run of `train refine` to be resumed.
pub(super) fn refine(
    folder: &RunFolder,
    options: &options::RefineArgs,
) -> anyhow::Result<Prepared> {
    let config = folder.load_config()?;
    let Some(refinement) = &config.refinement else {
        return Err(run_of_another_command(folder, &config));
    };
    let mut refinement = options.refinement.apply(refinement.clone())?;
    refinement.from = absolute(&refinement.from)?;
    let requested = RunConfig {
        refinement: Some(refinement),
        training: options.train.training.apply(config.training.clone())?,
        ..config.clone()
    };
    let differences = all_that_differ(&config, &requested, &options.train.data)?;
    refuse(folder.path(), &differences)?;
    with_data_of_run(folder, requested, &options.train.data)
}

/// Prepares a run of `train distil` to be resumed.
pub(super) fn distil(
    folder: &RunFolder,
    options: &options::DistilArgs,
    device: Device,
) -> anyhow::Result<Prepared> {
    let config = folder.load_config()?;
    let Some(distillation) = &config.distillation else {
        return Err(run_of_another_command(folder, &config));
    };
    let named = options.distillation.apply(distillation.clone())?;
    let folders = named.from.iter().map(|from| absolute(from));
    let from = folders.collect::<anyhow::Result<Vec<_>>>()?;
    for from in &from {
        ensure!(
            RunFolder::new(from).has_config(),
            "{}: this teacher of the run is not there\n  Name the folders of all teachers in their order (--from DIR,...).",
            from.display()
        );
    }
    // Teachers that moved are known by their checkpoints.
    let is_recorded = !distillation.checkpoints.is_empty();
    let compared = if is_recorded { distillation.from.clone() } else { from.clone() };
    let mut requested = RunConfig {
        distillation: Some(Distillation { from: compared, ..named }),
        training: options.train.training.apply(config.training.clone())?,
        ..config.clone()
    };
    let differences = all_that_differ(&config, &requested, &options.train.data)?;
    refuse(folder.path(), &differences)?;
    if let Some(distillation) = &mut requested.distillation {
        distillation.from = from;
    }
    with_teachers(folder, folder, requested, options, device)
}

/// The error of a run that another command began, which it names.
fn run_of_another_command(folder: &RunFolder, config: &RunConfig) -> anyhow::Error {
    let command = match (&config.refinement, &config.distillation) {
        (Some(_), _) => "refine",
        (None, Some(_)) => "distil",
        (None, None) => "fit",
    };
    let folder = folder.path().display();
    anyhow::anyhow!(
        "{folder}: a run of `train {command}`\n  Resume it with `train {command} --resume`."
    )
}

/// The settings, except the number of epochs, and the weights of data sets that differ from those of the run.
fn all_that_differ(
    run: &RunConfig,
    requested: &RunConfig,
    named: &WeightedDataArgs,
) -> anyhow::Result<Vec<String>> {
    let training = Training { epochs: run.training.epochs, ..requested.training.clone() };
    let mut all = differences(run, &RunConfig { training, ..requested.clone() })?;
    all.extend(weights_that_differ(run, named));
    Ok(all)
}

/// The weights of data sets that differ from those of the run.
fn weights_that_differ(run: &RunConfig, named: &WeightedDataArgs) -> Vec<String> {
    let pairs = (1..).zip(run.sets.iter().map(|set| set.weight).zip(&named.data_weight));
    let differing = pairs.filter(|(_, (of_run, named))| of_run.total_cmp(named).is_ne());
    let describe =
        |(set, (of_run, named))| format!("the weight of set {set} is {of_run}, not {named}");
    differing.map(describe).collect()
}

fn refuse(run: &Path, differences: &[String]) -> anyhow::Result<()> {
    ensure!(
        differences.is_empty(),
        "{}: --resume keeps the settings of the run, and others are given:\n    {}\n  \
         Leave them out, or train another run (--run DIR); only --epochs may change.",
        run.display(),
        differences.join("\n    ")
    );
    Ok(())
}
