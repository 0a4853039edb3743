//! `train export`.

use anyhow::ensure;
use data::Split;
use data::program::print;
use tch::Device;
use train::export::{Form, Weights, check, export as write};
use train::run::RunFolder;

use super::evaluation::scored_split;
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
    write(folder, form)?;
    print(format_args!("{}: exported; `make serve` captions with it", folder.path().display()))?;
    Ok(())
}

fn compare(folder: &RunFolder, options: &options::Export) -> anyhow::Result<()> {
    let run = folder.open_best(Device::Cpu)?;
    let (images, store) = scored_split(&run, &options.data, Split::Dev)?;
    let search = options.search.apply(run.config.search);
    let found = check(folder, &run, &images, &store, &search)?;
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
