//! The paths of data sets.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use common::program::{report_skipped_entries, warn};
use data::splits::folder_of;
use data::{Captions, Corpus, Splits};
use features::{FeatureStore, shards_of};
use train::dataset::DataSet;
use train::run::{RunConfig, SetRecord, SplitRecord};

use crate::options::{DataArgs, WeightedDataArgs};

/// The paths of a data set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DataPaths {
    pub(crate) captions: PathBuf,
    pub(crate) splits: PathBuf,
    pub(crate) store: PathBuf,
    /// The weight of the set in training.
    weight: f64,
}

/// The data sets that flags name.
#[derive(Clone, Copy)]
pub(crate) struct NamedData<'a> {
    sets: &'a DataArgs,
    /// Their weights; none where nothing is trained.
    weights: &'a [f64],
}

impl<'a> From<&'a DataArgs> for NamedData<'a> {
    fn from(sets: &'a DataArgs) -> Self {
        Self { sets, weights: &[] }
    }
}

impl<'a> From<&'a WeightedDataArgs> for NamedData<'a> {
    fn from(named: &'a WeightedDataArgs) -> Self {
        Self { sets: &named.sets, weights: &named.data_weight }
    }
}

impl NamedData<'_> {
    /// The number of data sets that are named. Refuses flags that name different numbers of them.
    fn check_numbers(&self) -> anyhow::Result<usize> {
        let DataArgs { captions, store, splits, .. } = self.sets;
        let numbers = [
            ("--captions", captions.len()),
            ("--store", store.len()),
            ("--splits", splits.len()),
            ("--data-weight", self.weights.len()),
        ];
        let given = numbers.into_iter().filter(|(_, number)| *number > 0).collect::<Vec<_>>();
        let described = given.iter().map(|(flag, number)| format!("{flag} {number} times"));
        ensure!(
            given.windows(2).all(|pair| pair[0].1 == pair[1].1),
            "{}: flags for different numbers of data sets\n  Give --captions and --store once for each set, and the \
             others for each set or not at all.",
            described.collect::<Vec<_>>().join(", ")
        );
        Ok(given.first().map_or(0, |(_, number)| *number))
    }
}

impl DataPaths {
    /// The paths for a new run.
    pub(crate) fn for_new_run<'a>(named: impl Into<NamedData<'a>>) -> anyhow::Result<Vec<Self>> {
        let named = named.into();
        let sets = named.check_numbers()?.max(1);
        let are_complete = named.sets.captions.len() == sets && named.sets.store.len() == sets;
        ensure!(
            sets == 1 || are_complete,
            "{sets} data sets need --captions and --store {sets} times each"
        );
        let paths =
            (0..sets).map(|set| Self::named(named, set)).collect::<anyhow::Result<Vec<_>>>()?;
        let twice = paths.iter().enumerate().find(|(at, paths_of)| {
            let is_same = |other: &Self| {
                (&other.captions, &other.store) == (&paths_of.captions, &paths_of.store)
            };
            paths[..*at].iter().any(is_same)
        });
        if let Some((_, twice)) = twice {
            bail!(
                "{}: named twice with the same store\n  Name it once; in training it may have a weight (--data-weight).",
                twice.captions.display()
            );
        }
        Ok(paths)
    }

    /// The paths of the sets of a run, unless others are named. Split lists that were in the folder of the captions are
    /// searched in that of the named captions. Another number of sets than that of the run replaces all of them.
    pub(crate) fn of_run<'a>(
        config: &RunConfig,
        named: impl Into<NamedData<'a>>,
    ) -> anyhow::Result<Vec<Self>> {
        let named = named.into();
        let sets = named.check_numbers()?;
        if sets != 0 && sets != config.sets.len() {
            ensure!(
                named.sets.captions.len() == sets && named.sets.store.len() == sets,
                "the run has {} data sets\n  Give --captions and --store once for each set to use, or a flag {0} times.",
                config.sets.len()
            );
            return Self::for_new_run(named);
        }
        let records = config.sets.iter().enumerate();
        records.map(|(set, record)| Self::of_set(record, named, set)).collect()
    }

    fn of_set(record: &SetRecord, named: NamedData, set: usize) -> anyhow::Result<Self> {
        let NamedData { sets: named, weights } = named;
        let with_captions = record.splits.folder == folder_of(&record.captions);
        let captions = absolute(named.captions.get(set).unwrap_or(&record.captions))?;
        let splits =
            if with_captions { folder_of(&captions) } else { record.splits.folder.clone() };
        Ok(Self {
            splits: absolute(named.splits.get(set).unwrap_or(&splits))?,
            store: absolute(named.store.get(set).unwrap_or(&record.store))?,
            weight: weights.get(set).copied().unwrap_or(record.weight),
            captions,
        })
    }

    /// The named set of that number.
    fn named(named: NamedData, set: usize) -> anyhow::Result<Self> {
        let NamedData { sets: named, weights } = named;
        let or = |named: &[PathBuf], other: &Path| {
            absolute(named.get(set).map_or(other, PathBuf::as_path))
        };
        let captions = or(&named.captions, Path::new("data/captions.txt"))?;
        Ok(Self {
            splits: or(&named.splits, &folder_of(&captions))?,
            store: or(&named.store, Path::new("features/flickr8k.h5"))?,
            weight: weights.get(set).copied().unwrap_or(1.0),
            captions,
        })
    }

    /// The record of the set, as yet without its splits.
    pub(crate) fn record(self, data: &DataSet) -> SetRecord {
        SetRecord {
            captions: self.captions,
            splits: SplitRecord { folder: self.splits, method: data.splits.to_string() },
            store: self.store,
            weight: self.weight,
            train: None,
            dev: None,
            test: None,
        }
    }

    /// Reads captions and split lists, and opens the store.
    pub(crate) fn open(&self, number: usize) -> anyhow::Result<DataSet> {
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
        let store = open_store(&self.store)?;
        Ok(DataSet { number, corpus: Corpus::new(captions, &splits), splits, store })
    }
}

/// Opens data sets, numbered from 0.
pub(crate) fn open_all(paths: &[DataPaths]) -> anyhow::Result<Vec<DataSet>> {
    paths.iter().enumerate().map(|(number, paths)| paths.open(number)).collect()
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
