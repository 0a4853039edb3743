//! `train export`.

use anyhow::ensure;
use data::Split;
use data::program::print;
use tch::Device;
use train::export::{Form, Weights, check, export as write};
use train::limits;
use train::run::RunFolder;

use super::scoring::{self, Member};
use crate::options;

/// The least share of captions that an exported network has to have in common with the trained one.
fn least_same(weights: Weights) -> f64 {
    match weights {
        Weights::F32 | Weights::F16 => 0.99,
        Weights::I8 => 0.75,
    }
}

pub(crate) fn export(options: &options::Export) -> anyhow::Result<()> {
    let folder = RunFolder::new(&options.run.path);
    let form = Form { weights: options.weights, data_licence: options.data_licence.clone() };
    announce(&folder, &form)?;
    if options.check { compare(&folder, options) } else { Ok(()) }
}

/// Exports the best checkpoint of a run, and says so.
pub(super) fn announce(folder: &RunFolder, form: &Form) -> anyhow::Result<()> {
    let manifest = write(folder, form)?;
    let path = folder.path().display();
    match manifest.find_encoder(folder.path(), None) {
        Ok(_) => print(format_args!("{path}: exported; `make serve RUN={path}` captions with it")),
        Err(_) => print(format_args!(
            "{path}: exported; `make serve RUN={path} ENCODER=FILE` captions with it, where FILE is the encoder {}",
            manifest.encoder.file
        )),
    }
}

fn compare(folder: &RunFolder, options: &options::Export) -> anyhow::Result<()> {
    let members = [Member::open(folder.clone(), Device::Cpu)?];
    let [Member { run, .. }] = &members;
    let search = options.search.apply(run.config.search);
    limits::check_search(&search)?;
    let scored = scoring::images(&members, &options.data, Split::Dev, false)?;
    let found = check(folder, run, &scored.images, &scored.store, &search)?;
    print(format_args!(
        "{} of {} captions of the dev split are those of the trained network, beam {}; their \
         log-probabilities differ by {:.1e} at most",
        found.same, found.images, search.beam, found.difference
    ))?;
    ensure!(
        found.share() >= least_same(options.weights),
        "{}: the exported network says something else than the trained one",
        folder.path().display()
    );
    Ok(())
}
