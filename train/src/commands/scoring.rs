//! The images to score, checked against those that the runs were trained on.

use anyhow::{Context as _, ensure};
use common::View;
use common::program::warn;
use data::Split;
use features::FeatureStore;
use tch::Device;
use train::dataset::{DataSet, Matched, ScoredImage};
use train::evaluate::{Evaluation, EvaluationSetup, Search, evaluate};
use train::provenance::{OnChange, Purpose, TrainedOn, compare, refuse_seen};
use train::run::{RunConfig, RunFolder, TrainedRun};

use super::data_paths::{DataPaths, open_all};
use crate::options::DataArgs;

/// A run to score, alone or in an ensemble.
pub(super) struct Member {
    pub(super) folder: RunFolder,
    pub(super) run: TrainedRun,
}

impl Member {
    pub(super) fn open(folder: RunFolder, device: Device) -> anyhow::Result<Self> {
        let run = folder.open_best(device)?;
        Ok(Self { folder, run })
    }
}

/// Treatment of images that a run was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeenImages {
    /// They are refused: scores are to be those of new images.
    Refuse,
    /// They are scored.
    Score,
}

/// The images of a data set to caption.
pub(super) struct Scored {
    /// The set in messages.
    pub(super) name: String,
    pub(super) images: Vec<ScoredImage>,
    pub(super) store: FeatureStore,
    /// The number of the data set of the runs that it is; none for another data set.
    pub(super) set: Option<usize>,
}

/// A data set with its number among those of the runs; none for another data set.
pub(super) type NumberedSet = (DataSet, Option<usize>);

/// The images of a split that have captions and grids, of the data sets of the first run or of the named ones. Refuses data
/// that changed since a run was trained.
pub(super) fn images(
    members: &[Member],
    named: &DataArgs,
    split: Split,
    seen: SeenImages,
) -> anyhow::Result<Vec<Scored>> {
    images_of(data_sets(members, named, split, seen)?, split)
}

/// The data sets of the first run or the named ones, whose images of a split are to be scored. Refuses data that changed
/// since a run was trained.
pub(super) fn data_sets(
    members: &[Member],
    named: &DataArgs,
    split: Split,
    seen: SeenImages,
) -> anyhow::Result<Vec<NumberedSet>> {
    let config = &first(members)?.run.config;
    let paths = DataPaths::of_run(config, named)?;
    let mut sets = open_all(&paths)?;
    let trained_on = photos_trained_on(members, &sets)?;
    let numbers = numbers(config, &mut sets, named, &trained_on)?;
    if seen == SeenImages::Refuse {
        for (set, number) in sets.iter().zip(&numbers) {
            refuse_seen(&trained_on.index(*number), set, split)?;
        }
    }
    for Member { folder, run } in members {
        let known = sets.iter().zip(&numbers).filter(|(_, number)| number.is_some());
        let known = known.map(|(set, _)| set);
        compare(folder, &run.config, known, Purpose::Scoring(split), named.on_change())?;
    }
    Ok(sets.into_iter().zip(numbers).collect())
}

/// The images of a split that have captions and grids; a set without any is left out.
pub(super) fn images_of(sets: Vec<NumberedSet>, split: Split) -> anyhow::Result<Vec<Scored>> {
    let of_set = |(set, number): NumberedSet| {
        let images = set.scored_images(split);
        Scored::new(set, images, number)
    };
    let mut scored = sets.into_iter().map(of_set).collect::<Vec<_>>();
    for empty in scored.iter().filter(|set| scored.len() > 1 && set.images.is_empty()) {
        warn(format_args!("{}: no image of the {split} split", empty.name));
    }
    scored.retain(|set| !set.images.is_empty());
    ensure!(!scored.is_empty(), "no image of the {split} split has captions and a grid");
    Ok(scored)
}

/// Finds out which of the data sets of a run each of `sets` is, and gives them those numbers; another data set has none.
fn numbers(
    config: &RunConfig,
    sets: &mut [DataSet],
    named: &DataArgs,
    trained_on: &TrainedOn,
) -> anyhow::Result<Vec<Option<usize>>> {
    let in_order = sets.len() == config.sets.len();
    let mut numbers = Vec::new();
    for set in sets {
        let number = if !named.captions.is_empty() && trained_on.is_disjoint(&set.corpus) {
            warn(format_args!(
                "{}: another data set than those of the run; none of its images was trained on",
                set.store.path().display()
            ));
            None
        } else if in_order {
            Some(set.number)
        } else {
            let record = find_record(config, set)?;
            ensure!(
                record.is_some() || named.on_change() == OnChange::Warn,
                "{}: none of the {} data sets of the run, but with names of their images\n  \
                 Name the captions and the store of one of them, or of all, or take the data as it is \
                 (--accept-changed-data).",
                set.store.path().display(),
                config.sets.len()
            );
            record
        };
        set.number = number.unwrap_or(set.number);
        numbers.push(number);
    }
    Ok(numbers)
}

/// The number of the recorded data set that has the photos of `set`.
fn find_record(config: &RunConfig, set: &DataSet) -> anyhow::Result<Option<usize>> {
    for (number, record) in config.sets.iter().enumerate() {
        if record.shares_photos(set)? {
            return Ok(Some(number));
        }
    }
    Ok(None)
}

impl Scored {
    fn new(set: DataSet, images: Matched<ScoredImage>, number: Option<usize>) -> Self {
        let Matched { images, without_grid } = images;
        let name = set.store.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if without_grid > 0 {
            warn(format_args!(
                "{name}: {without_grid} images of the split have no grid and are skipped"
            ));
        }
        Self { name, images, store: set.store, set: number }
    }

    /// Those of `views` that the store has; the others are reported.
    pub(super) fn available(&self, views: &[View]) -> anyhow::Result<Vec<View>> {
        let (found, missing) =
            views.iter().partition::<Vec<_>, _>(|&&view| self.store.view(view).is_ok());
        self.store.view(View::Original)?;
        if !missing.is_empty() {
            warn(format_args!(
                "{}: captions are searched without the views that the store lacks: {}",
                self.name,
                View::join(&missing, ", ")
            ));
        }
        Ok(found)
    }

    /// Captions the images with the mean of the members' networks, and scores the captions.
    pub(super) fn evaluate(
        &self,
        members: &[Member],
        search: Search,
        device: Device,
    ) -> anyhow::Result<Evaluation> {
        let (store, vocabulary) = (&self.store, &first(members)?.run.vocabulary);
        let networks = members.iter().map(|member| &*member.run.network).collect::<Vec<_>>();
        let setup = EvaluationSetup { store, vocabulary, search, device };
        Ok(evaluate(&networks, &self.images, setup)?)
    }
}

/// The member whose data, search and vocabulary are used.
pub(super) fn first(members: &[Member]) -> anyhow::Result<&Member> {
    members.first().context("--run: no run is named")
}

/// The photos that the runs were trained on. Refuses runs of another encoder than that of the data.
fn photos_trained_on(members: &[Member], sets: &[DataSet]) -> anyhow::Result<TrainedOn> {
    let mut trained_on = TrainedOn::empty();
    for Member { folder, run } in members {
        for set in sets {
            run.config.encoder.check(&set.store)?;
        }
        trained_on.extend(TrainedOn::load(folder, &run.config)?);
    }
    Ok(trained_on)
}

/// Refuses networks of different vocabularies or encoders: they cannot be averaged.
pub(super) fn check_ensemble(members: &[Member]) -> anyhow::Result<()> {
    let Some((Member { run: first, .. }, others)) = members.split_first() else { return Ok(()) };
    for Member { folder, run } in others {
        let path = folder.path().display();
        ensure!(
            run.config.vocabulary_sha256 == first.config.vocabulary_sha256,
            "{path}: the vocabulary differs from that of the first run; they cannot be averaged"
        );
        ensure!(
            run.config.encoder.is_same(&first.config.encoder),
            "{path}: the encoder differs from that of the first run; they cannot be averaged"
        );
    }
    Ok(())
}
