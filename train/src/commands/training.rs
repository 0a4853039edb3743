//! `train fit`, `train refine` and `train distil`.

use std::fs::{self, File};
use std::time::Instant;

use anyhow::ensure;
use common::interrupt::catch_signals;
use common::program::warn;
use tch::Device;
use train::export::ExportOptions;
use train::fit::{Fit, Stop};
use train::run::RunFolder;

use super::export::export_best;
use super::prepare::{Prepared, RunState};
use super::{choose_device, prepare, resume};
use crate::options::{DistilArgs, FitArgs, RefineArgs, TrainArgs};

pub(crate) fn fit(options: &FitArgs) -> anyhow::Result<()> {
    train(&options.train, |folder, state, device| match state {
        RunState::New => prepare::fit(folder, options, device),
        RunState::Begun => resume::fit(folder, options),
    })
}

pub(crate) fn refine(options: &RefineArgs) -> anyhow::Result<()> {
    train(&options.train, |folder, state, _| match state {
        RunState::New => prepare::refine(folder, options),
        RunState::Begun => resume::refine(folder, options),
    })
}

pub(crate) fn distil(options: &DistilArgs) -> anyhow::Result<()> {
    train(&options.train, |folder, state, device| match state {
        RunState::New => prepare::distil(folder, options, device),
        RunState::Begun => resume::distil(folder, options, device),
    })
}

/// Trains a run until it is finished or interrupted: the one in the folder if it has begun, or a new one. The folder of a
/// new one is made after everything was checked.
fn train(
    options: &TrainArgs,
    prepare: impl FnOnce(&RunFolder, RunState, Device) -> anyhow::Result<Prepared>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let folder = RunFolder::new(&options.run.path);
    let state = run_state(&folder, options)?;
    let is_new = !folder.path().exists();
    let lock = (state == RunState::Begun).then(|| folder.lock()).transpose()?;
    let device = choose_device(&options.device)?;
    let prepared = prepare(&folder, state, device)?;
    let Prepared { config, data, .. } = &prepared;
    config.check()?;
    // A configuration that cannot be written is found before the folder is made.
    folder.config_text(config)?;
    let mut fit = Fit::new(&folder, config, data, device)?;
    let _lock = lock.map_or_else(|| lock_new(&folder), Ok)?;
    let unused = UnusedFolder { folder: &folder, is_new };
    begin(&mut fit, &prepared, &folder, state).inspect_err(|_| unused.remove())?;
    warn(format_args!("ready after {:.1} s", start.elapsed().as_secs_f64()));
    let stop = fit.run().inspect_err(|_| unused.remove())?;
    report_end(&fit, stop, config.training.patience);
    if let Some(refinement) = &config.refinement {
        warn(format_args!("refined with the reward {}", refinement.reward_signature()));
    }
    match stop {
        Stop::Interrupted => Ok(()),
        Stop::Epochs | Stop::Patience => export_best(&folder, &ExportOptions::default()),
    }
}

/// Writes the first files of a run, or reads its last checkpoint. A signal interrupts it from then on.
fn begin(
    fit: &mut Fit,
    prepared: &Prepared,
    folder: &RunFolder,
    state: RunState,
) -> anyhow::Result<()> {
    prepared.save(folder, state)?;
    if let Some(progress) = fit.resume()? {
        warn(format_args!("resuming after epoch {}, step {}", progress.epoch, progress.steps));
    } else if let Some(refinement) = &prepared.config.refinement {
        fit.begin_with(&RunFolder::new(&refinement.from).best())?;
    }
    fit.interrupt_by(catch_signals(|| {
        warn(format_args!("stopping after this step, with a checkpoint"));
    })?);
    Ok(())
}

/// The folder of a run that failed.
struct UnusedFolder<'a> {
    folder: &'a RunFolder,
    /// Whether this process made it.
    is_new: bool,
}

impl UnusedFolder<'_> {
    /// Removes the folder if it is new and has no checkpoint: nothing in it can be used.
    fn remove(&self) {
        if self.is_new && !self.folder.last().exists() && !self.folder.best().exists() {
            let _ = fs::remove_dir_all(self.folder.path());
        }
    }
}

/// Whether the folder holds a run; it is refused unless it may be resumed.
fn run_state(folder: &RunFolder, options: &TrainArgs) -> anyhow::Result<RunState> {
    let path = folder.path().display();
    if !folder.last().exists() {
        ensure!(
            !options.resume || folder.has_config(),
            "{path}: no run to resume\n  Begin one without --resume, or name its folder (--run DIR)."
        );
        if options.resume {
            warn(format_args!("{path}: the run has no checkpoint yet: it begins again"));
        }
        return Ok(RunState::New);
    }
    ensure!(
        options.resume,
        "{path}: holds a run already\n  Resume it (--resume), or name another folder (--run DIR)."
    );
    Ok(RunState::Begun)
}

/// Locks the folder of a new run; refuses it if another process has begun a run in it meanwhile.
fn lock_new(folder: &RunFolder) -> anyhow::Result<File> {
    let lock = folder.lock()?;
    ensure!(
        !folder.last().exists(),
        "{}: another training began a run in this folder meanwhile",
        folder.path().display()
    );
    Ok(lock)
}

fn report_end(fit: &Fit, stop: Stop, patience: usize) {
    let reason = match stop {
        Stop::Epochs => "all epochs are finished".to_owned(),
        Stop::Patience => format!("no better one for {patience} epochs"),
        Stop::Interrupted => "interrupted; resume with --resume".to_owned(),
    };
    let progress = fit.progress();
    let best = match progress.best_epoch {
        0 => "of the network it began with".to_owned(),
        epoch => format!("in epoch {epoch}"),
    };
    warn(format_args!(
        "stopped after epoch {}, step {}: {reason}; best dev CIDEr {:.1} {best}",
        progress.epoch,
        progress.steps,
        100.0 * progress.best_cider
    ));
}
