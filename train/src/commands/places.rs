//! The data that commands work on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use data::program::{report_left_out, warn};
use data::splits::folder_of;
use data::{Captions, Splits};
use features::{FeatureStore, shards_of};
use train::provenance::DataSet;
use train::run::RunConfig;

use crate::options::DataArgs;

/// Where the parts of a data set lie.
pub(crate) struct Places {
    pub(crate) captions: PathBuf,
    pub(crate) splits: PathBuf,
    pub(crate) store: PathBuf,
}

impl Places {
    /// Those for a new run.
    pub(crate) fn of_new(named: &DataArgs) -> anyhow::Result<Self> {
        let or =
            |named: &Option<PathBuf>, other: &Path| absolute(named.as_deref().unwrap_or(other));
        let captions = or(&named.captions, Path::new("data/captions.txt"))?;
        Ok(Self {
            splits: or(&named.splits, &folder_of(&captions))?,
            store: or(&named.store, Path::new("features/flickr8k.h5"))?,
            captions,
        })
    }

    /// Those of a run, but for what is named. Split lists that lay beside the run's captions are looked for beside
    /// captions that are named.
    pub(crate) fn of_run(config: &RunConfig, named: &DataArgs) -> anyhow::Result<Self> {
        let beside = config.splits.0 == folder_of(&config.captions);
        let captions = absolute(named.captions.as_deref().unwrap_or(&config.captions))?;
        let splits = if beside { folder_of(&captions) } else { config.splits.0.clone() };
        Ok(Self {
            splits: absolute(named.splits.as_deref().unwrap_or(&splits))?,
            store: absolute(named.store.as_deref().unwrap_or(&config.store))?,
            captions,
        })
    }

    /// Reads captions and split lists, and opens the store.
    pub(crate) fn open(&self) -> anyhow::Result<DataSet> {
        ensure!(
            self.captions.exists(),
            "{}: no captions; fetch some (`make data`), or name others (--captions FILE)",
            self.captions.display()
        );
        let captions = Captions::read(&self.captions)?;
        report_left_out(&self.captions, captions.left_out());
        let splits = Splits::find(&self.splits)?;
        report_left_out(&self.splits, splits.left_out());
        report_left_out(&self.splits, &splits.unmatched(&captions));
        Ok(DataSet { captions, splits, store: open_store(&self.store)? })
    }
}

fn open_store(path: &Path) -> anyhow::Result<FeatureStore> {
    ensure!(
        path.exists() || !shards_of(path)?.is_empty(),
        "{}: no feature store; fill it first (`make extract`), or name another one (--store FILE)",
        path.display()
    );
    let store = FeatureStore::open(path)?;
    warn(format_args!(
        "{}: {} grids of {} are read from the store; no image is encoded",
        path.display(),
        store.complete(),
        store.provenance().encoder_name
    ));
    Ok(store)
}

pub(crate) fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}
