//! Preparation of a run that learns from others.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::ensure;
use tch::Device;
use train::dataset::Views;
use train::provenance::TrainedOn;
use train::run::{DataRecord, REVISION, RunConfig, RunFolder};
use train::settings::{Distillation, Training};

use super::{Prepared, absolute, with_data_of_run};
use crate::commands::lessons::{self, LESSONS_FILE};
use crate::commands::scoring::{Member, check_ensemble};
use crate::options;

/// Prepares a run that learns from others; it takes over the vocabulary, the recipe and the sizes of the first one.
pub(crate) fn distil(
    folder: &RunFolder,
    options: &options::DistilArgs,
    device: Device,
) -> anyhow::Result<Prepared> {
    let mut distillation = options.distillation.apply(Distillation::default())?;
    ensure!(
        !distillation.from.is_empty(),
        "{}: no run to resume\n  Name the runs to learn from (--from DIR,...).",
        folder.path().display()
    );
    for from in &mut distillation.from {
        *from = absolute(from)?;
    }
    let teachers = distillation.from.iter().collect::<HashSet<_>>();
    ensure!(teachers.len() == distillation.from.len(), "--from: a run is named twice");
    let first = RunFolder::new(&distillation.from[0]);
    let base = first.load_config()?;
    let training = Training::distillation_preset(&base.training);
    let config = RunConfig {
        revision: REVISION.to_owned(),
        refinement: None,
        distillation: Some(distillation),
        training: options.train.training.apply(training)?,
        text: None,
        ..base
    };
    with_teachers(folder, &first, config, options, device)
}

/// Prepares a run with the data of `first` and with the lessons of its teachers.
pub(crate) fn with_teachers(
    folder: &RunFolder,
    first: &RunFolder,
    mut config: RunConfig,
    options: &options::DistilArgs,
    device: Device,
) -> anyhow::Result<Prepared> {
    let mut distillation = config.distillation.unwrap_or_default();
    let teachers = open_teachers(&mut distillation, device)?;
    config.distillation = Some(distillation.clone());
    let mut prepared = with_data_of_run(first, config, &options.train.data)?;
    for Member { folder, run } in &teachers {
        prepared.trained_on.extend(TrainedOn::load(folder, &run.config)?);
    }
    let grids = &prepared.data.grids;
    Views::new(&prepared.config.training.views, &[], grids, &prepared.data.vocabulary)?;
    let path = options.lessons.clone().unwrap_or_else(|| folder.path().join(LESSONS_FILE));
    let lessons = lessons::of_teachers(&teachers, &prepared, &path, device)?;
    lessons.apply(&mut prepared.data.training, distillation.found_weight);
    prepared.config.data = Some(DataRecord::new(&prepared.data.vocabulary, &prepared.trained_on)?);
    Ok(prepared)
}

/// Opens the teachers of a run and records their checkpoints. Refuses others than those that are recorded.
fn open_teachers(distillation: &mut Distillation, device: Device) -> anyhow::Result<Vec<Member>> {
    let open = |path: &PathBuf| Member::open(RunFolder::new(path), device);
    let teachers = distillation.from.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
    check_ensemble(&teachers)?;
    let found = lessons::checkpoints(&teachers)?;
    let recorded = std::mem::replace(&mut distillation.checkpoints, found);
    if recorded.is_empty() {
        return Ok(teachers);
    }
    ensure!(
        recorded.len() == teachers.len(),
        "--from: the run learns from {} runs, and {} are named\n  Name all of them in their order.",
        recorded.len(),
        teachers.len()
    );
    let pairs = teachers.iter().zip(distillation.checkpoints.iter().zip(&recorded));
    for (teacher, (found, recorded)) in pairs {
        ensure!(
            found == recorded,
            "{}: not the teacher that the run began with: its SHA-256 is {found}, not {recorded}\n  \
             Name the teachers in their order (--from DIR,...), or train another run (--run DIR).",
            teacher.folder.best().display()
        );
    }
    Ok(teachers)
}
