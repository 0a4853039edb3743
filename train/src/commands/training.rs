//! `train fit` and `train refine`.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::ensure;
use data::program::warn;
use sysinfo::System;
use train::export::Form;
use train::fit::{Fit, Stop};
use train::limits;
use train::run::RunFolder;

use super::export::announce;
use super::prepare::Prepared;
use super::{choose_device, prepare, resume};
use crate::options::{self, Machine};

pub(crate) fn fit(options: &options::Fit) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.path);
    train(&folder, &options.machine, options.resume, |begun| {
        if begun { resume::fit(&folder, options) } else { prepare::fit(&folder, options) }
    })
}

pub(crate) fn refine(options: &options::Refine) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.path);
    train(&folder, &options.machine, options.resume, |begun| {
        if begun { resume::refine(&folder, options) } else { prepare::refine(&folder, options) }
    })
}

/// Trains a run until it is done or interrupted: the one in the folder if it has begun, or a new one. A new one is
/// written, and its folder made, once everything was checked.
fn train(
    folder: &RunFolder,
    machine: &Machine,
    may_go_on: bool,
    prepare: impl FnOnce(bool) -> anyhow::Result<Prepared>,
) -> anyhow::Result<()> {
    let begun = folder.last().exists();
    ensure!(
        may_go_on || !begun,
        "{}: holds a run already\n  Go on with it (--resume), or name another folder (--run DIR).",
        folder.path().display()
    );
    if may_go_on && !begun {
        let place = folder.path().display();
        warn(format_args!("{place}: no run to go on with is there; a new one begins"));
    }
    let lock = begun.then(|| folder.lock()).transpose()?;
    let device = choose_device(machine)?;
    let prepared = prepare(begun)?;
    let Prepared { config, material, .. } = &prepared;
    limits::check(config)?;
    folder.config_text(config)?;
    let mut fit = Fit::new(folder, config, material, device)?;
    warn_of_memory(fit.memory(), device);
    let _lock = match lock {
        Some(lock) => lock,
        None => lock_new(folder)?,
    };
    prepared.save(folder, !begun)?;
    if fit.resume()? {
        let progress = fit.progress();
        warn(format_args!("going on after epoch {}, step {}", progress.epoch, progress.steps));
    } else if let Some(refinement) = &config.refinement {
        fit.begin_with(&RunFolder::new(&refinement.from).best())?;
    }
    fit.interrupt_by(&interrupts()?);
    let stop = fit.run()?;
    let why = match stop {
        Stop::Epochs => "all epochs are done".to_owned(),
        Stop::Patience => format!("no better one for {} epochs", config.training.patience),
        Stop::Interrupted => "interrupted; go on with --resume".to_owned(),
    };
    tell_the_end(&fit, &why);
    if stop == Stop::Interrupted { Ok(()) } else { announce(folder, &Form::default()) }
}

/// Locks the folder of a new run; an error if another program began one in it meanwhile.
fn lock_new(folder: &RunFolder) -> anyhow::Result<File> {
    let lock = folder.lock()?;
    ensure!(
        !folder.last().exists(),
        "{}: another training began a run in this folder meanwhile",
        folder.path().display()
    );
    Ok(lock)
}

fn tell_the_end(fit: &Fit, why: &str) {
    let progress = fit.progress();
    let best = match progress.best_epoch {
        0 => "of the network it began with".to_owned(),
        epoch => format!("in epoch {epoch}"),
    };
    warn(format_args!(
        "stopped after epoch {}, step {}: {why}; best dev CIDEr {:.1} {best}",
        progress.epoch,
        progress.steps,
        100.0 * progress.best_cider
    ));
}

/// Says so if the machine has less memory to give than training takes.
fn warn_of_memory(needed: u64, device: tch::Device) {
    let mut system = System::new();
    system.refresh_memory();
    let left_in_group = system.cgroup_limits().map_or(u64::MAX, |limits| limits.free_memory);
    let available = system.available_memory().min(left_in_group);
    if device == tch::Device::Cpu && needed > available {
        let [needed, available] = [needed, available].map(|bytes| bytes.div_ceil(1 << 20));
        warn(format_args!(
            "warning: training will take about {needed} MiB, and {available} MiB are free\n  \
             Take smaller batches (--batch), or close other programs."
        ));
    }
}

/// A flag that Ctrl-C and a polite kill set. The second time they end the program at once; the last
/// checkpoint stays.
fn interrupts() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&flag);
    ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        warn(format_args!("stopping after this step, with a checkpoint"));
    })?;
    Ok(flag)
}
