//! Preparation of a run that refines another one.

use anyhow::ensure;
use train::run::{REVISION, RunConfig, RunFolder};
use train::settings::{Refinement, Training};

use super::{Prepared, absolute, with_data_of_run};
use crate::options;

/// Prepares a run that refines another one; it takes over the vocabulary of that run.
pub(crate) fn refine(
    folder: &RunFolder,
    options: &options::RefineArgs,
) -> anyhow::Result<Prepared> {
    let mut refinement = options.refinement.apply(Refinement::default())?;
    ensure!(
        !refinement.from.as_os_str().is_empty(),
        "{}: no run to resume\n  Name the run to refine (--from DIR).",
        folder.path().display()
    );
    let from = RunFolder::new(&refinement.from);
    refinement.from = absolute(from.path())?;
    let base = from.load_config()?;
    ensure!(
        from.best().exists(),
        "{}: no finished epoch to refine\n  Train the run first (`make train`).",
        from.path().display()
    );
    let training = Training::refinement_preset(&base.training);
    let config = RunConfig {
        revision: REVISION.to_owned(),
        refinement: Some(refinement),
        distillation: None,
        training: options.train.training.apply(training)?,
        text: None,
        ..base
    };
    with_data_of_run(&from, config, &options.train.data)
}
