//! `train export`.

use std::path::Path;
use std::{fs, io};

use anyhow::{Context as _, ensure};
use common::program::{print, warn};
use data::Split;
use models::Manifest;
use tch::Device;
use train::export::{Agreement, ExportOptions, Weights, check, export as export_run, write};
use train::run::RunFolder;
use train::settings::check_search;

use super::scoring::{self, Member, SeenImages};
use crate::options;

/// The folder in a run folder for an export that is checked first.
const TRIAL_FOLDER: &str = "export.part";

/// Minimum share of captions that the exported network shares with the trained one.
fn min_share(weights: Weights) -> f64 {
    match weights {
        Weights::F32 | Weights::F16 => 0.99,
        Weights::I8 => 0.75,
    }
}

pub(crate) fn export(options: &options::ExportArgs) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.path);
    let form =
        ExportOptions { weights: options.weights, data_licence: options.data_licence.clone() };
    if options.check {
        check_first(&folder, options, &form)?;
    }
    export_best(&folder, &form)
}

/// Exports into a folder beside the files of the run, compares the captions, and removes that folder.
fn check_first(
    folder: &RunFolder,
    options: &options::ExportArgs,
    form: &ExportOptions,
) -> anyhow::Result<()> {
    let trial = RunFolder::new(&folder.path().join(TRIAL_FOLDER));
    let checked = compare(folder, &trial, options, form);
    match fs::remove_dir_all(trial.path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            checked.and(Err(error).with_context(|| trial.path().display().to_string()))
        }
        _ => checked,
    }
}

/// Exports the best checkpoint of a run, and reports how to serve it.
pub(super) fn export_best(folder: &RunFolder, options: &ExportOptions) -> anyhow::Result<()> {
    let was_calibrated = Manifest::load(folder.path()).is_ok_and(|of| of.confidence.is_some());
    let manifest = export_run(folder, options)?;
    if was_calibrated {
        warn(format_args!(
            "{}: the confidence was that of the former export\n  Calibrate it anew (`train calibrate`).",
            folder.path().display()
        ));
    }
    let (path, quoted) = (folder.path().display(), make_quoted(folder.path()));
    match manifest.find_encoder(folder.path(), None) {
        Ok(_) => {
            print(format_args!("{path}: exported; `make serve RUN={quoted}` captions with it"))
        }
        Err(_) => print(format_args!(
            "{path}: exported; `make serve RUN={quoted} ENCODER=FILE` captions with it, where FILE is the encoder {}",
            manifest.encoder.file
        )),
    }
}

fn compare(
    folder: &RunFolder,
    trial: &RunFolder,
    options: &options::ExportArgs,
    form: &ExportOptions,
) -> anyhow::Result<()> {
    let members = [Member::open(folder.clone(), Device::Cpu)?];
    let [Member { run, .. }] = &members;
    let search = options.search.apply(run.config.search);
    check_search(&search)?;
    let scored = scoring::images(&members, &options.data, Split::Dev, SeenImages::Score)?;
    write(run, trial, form)?;
    let mut found = Agreement::default();
    for set in &scored {
        found = found.and(check(trial, run, &set.images, &set.store, &search)?);
    }
    print(format_args!(
        "{} of {} captions of the dev split equal those of the trained network, beam {}; their \
         log-probabilities differ by at most {:.1e}",
        found.same, found.images, search.beam, found.difference
    ))?;
    ensure!(
        found.share() >= min_share(options.weights),
        "{}: the captions of the exported network differ from those of the trained one: nothing was replaced\n  \
         Export with other --weights.",
        folder.path().display()
    );
    Ok(())
}

/// A path as the value of a variable of `make`, in a shell command.
fn make_quoted(path: &Path) -> String {
    let path = path.to_string_lossy();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&byte);
    if !path.is_empty() && path.bytes().all(is_plain) {
        return path.into_owned();
    }
    format!("'{}'", path.replace('$', "$$").replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_make_in_a_shell() {
        for (path, quoted) in [
            ("models/flickr8k", "models/flickr8k"),
            ("my models/a", "'my models/a'"),
            ("it's", r"'it'\''s'"),
            ("a$b", "'a$$b'"),
        ] {
            assert_eq!(make_quoted(Path::new(path)), quoted);
        }
    }
}
