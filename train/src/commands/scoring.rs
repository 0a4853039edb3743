//! The images to score, checked against those that the runs were trained on.

use anyhow::{Context as _, ensure};
use common::program::warn;
use data::Split;
use features::FeatureStore;
use tch::Device;
use train::dataset::{DataSet, Matched, ScoredImage};
use train::evaluate::{Evaluation, EvaluationSetup, Search, evaluate};
use train::provenance::{Purpose, TrainedOn, compare, refuse_seen};
use train::run::{RunFolder, TrainedRun};

use super::data_paths::DataPaths;
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

/// Images to caption.
pub(super) struct Scored {
    pub(super) images: Vec<ScoredImage>,
    pub(super) store: FeatureStore,
    /// Whether they are of another data set than that of the runs.
    pub(super) of_other_data: bool,
}

/// The images of a split that have captions and grids, of the data of the first run or of the named data. Refuses data
/// that changed since a run was trained.
pub(super) fn images(
    members: &[Member],
    named: &DataArgs,
    split: Split,
    seen: SeenImages,
) -> anyhow::Result<Scored> {
    let first = first(members)?;
    let paths = DataPaths::of_run(&first.run.config, named)?;
    let data = paths.open()?;
    let trained_on = photos_trained_on(members, &data, &paths)?;
    let scored = data.scored_images(split);
    if seen == SeenImages::Refuse {
        refuse_seen(&trained_on, &scored.images, &data.store, split)?;
    }
    let of_other_data = named.captions.is_some() && trained_on.is_disjoint(&data.captions);
    if of_other_data {
        warn(format_args!(
            "{}: another data set than that of {}; none of its images was trained on",
            paths.captions.display(),
            first.folder.path().display()
        ));
    } else {
        for Member { folder, run } in members {
            compare(folder, &run.config, &data, Purpose::Scoring(split), named.on_change())?;
        }
    }
    let Matched { images, without_grid } = scored;
    if without_grid > 0 {
        warn(format_args!("{without_grid} images of the split have no grid and are skipped"));
    }
    ensure!(!images.is_empty(), "no image of the {split} split has captions and a grid");
    Ok(Scored { images, store: data.store, of_other_data })
}

impl Scored {
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
fn photos_trained_on(
    members: &[Member],
    data: &DataSet,
    paths: &DataPaths,
) -> anyhow::Result<TrainedOn> {
    let mut trained_on = TrainedOn::empty();
    for Member { folder, run } in members {
        run.config.encoder.check(&data.store, &paths.store)?;
        trained_on.extend(TrainedOn::load(folder, &run.config)?);
    }
    Ok(trained_on)
}
