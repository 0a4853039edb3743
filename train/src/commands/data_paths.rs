//! The paths of a data set.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use common::program::{report_skipped_entries, warn};
use data::splits::folder_of;
use data::{Captions, Splits};
use features::{FeatureStore, shards_of};
use train::dataset::DataSet;
use train::run::RunConfig;

use crate::options::DataArgs;

/// The paths of a data set.
pub(crate) struct DataPaths {
    pub(crate) captions: PathBuf,
    pub(crate) splits: PathBuf,
    pub(crate) store: PathBuf,
}

impl DataPaths {
    /// The paths for a new run.
    pub(crate) fn for_new_run(named: &DataArgs) -> anyhow::Result<Self> {
        let or =
            |named: &Option<PathBuf>, other: &Path| absolute(named.as_deref().unwrap_or(other));
        let captions = or(&named.captions, Path::new("data/captions.txt"))?;
        Ok(Self {
            splits: or(&named.splits, &folder_of(&captions))?,
            store: or(&named.store, Path::new("features/flickr8k.h5"))?,
            captions,
        })
    }

    /// The paths of a run, unless others are named. Split lists that were in the folder of the captions are searched in
    /// that of the named captions.
    pub(crate) fn of_run(config: &RunConfig, named: &DataArgs) -> anyhow::Result<Self> {
        let with_captions = config.splits.folder == folder_of(&config.captions);
        let captions = absolute(named.captions.as_deref().unwrap_or(&config.captions))?;
        let splits =
            if with_captions { folder_of(&captions) } else { config.splits.folder.clone() };
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
            "{}: no captions\n  Fetch some (`make data`), or name others (--captions FILE).",
            self.captions.display()
        );
        let captions = Captions::read(&self.captions)?;
        report_skipped_entries(&self.captions, captions.skipped_entries());
        let splits = Splits::find(&self.splits)?;
        report_skipped_entries(&self.splits, splits.skipped_entries());
        report_skipped_entries(&self.splits, &splits.unmatched(&captions));
        Ok(DataSet { captions, splits, store: open_store(&self.store)? })
    }
}

fn open_store(path: &Path) -> anyhow::Result<FeatureStore> {
    ensure!(
        path.exists() || !shards_of(path)?.is_empty(),
        "{}: no feature store\n  Fill it first (`make extract`), or name another one (--store FILE).",
        path.display()
    );
    let store = FeatureStore::open(path)?;
    warn(format_args!(
        "{}: {} grids of {}; no image is encoded",
        path.display(),
        store.complete(),
        store.provenance().encoder_name
    ));
    Ok(store)
}

pub(crate) fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| path.display().to_string())
}
