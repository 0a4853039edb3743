//! What the commands do.

pub(crate) mod evaluation;
pub(crate) mod export;
pub(crate) mod report;
pub(crate) mod training;

use std::path::Path;

use anyhow::ensure;
use data::program::warn;
use features::FeatureStore;

use crate::options::Machine;

fn open_store(path: &Path) -> anyhow::Result<FeatureStore> {
    ensure!(path.exists(), "{}: no feature store; fill it first (`make extract`)", path.display());
    let store = FeatureStore::open(path)?;
    warn(format_args!(
        "{}: {} grids of {} are read from the store; no image is encoded",
        path.display(),
        store.complete(),
        store.provenance().encoder_name
    ));
    Ok(store)
}

fn choose_device(machine: &Machine) -> anyhow::Result<tch::Device> {
    if let Some(threads) = machine.threads {
        tch::set_num_threads(i32::from(threads));
    }
    let device = train::device::choose(machine.device)?;
    warn(format_args!("libtorch runs on {device:?} (asked for: {})", machine.device));
    Ok(device)
}
