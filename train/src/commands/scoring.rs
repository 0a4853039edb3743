//! What is scored: images of a split, once it is clear what the runs have seen of them.

use anyhow::{Context as _, ensure};
use data::Split;
use data::program::warn;
use features::FeatureStore;
use tch::Device;
use train::dataset::{self, ScoredImage};
use train::provenance::{Purpose, TrainedOn, compare, refuse_seen};
use train::run::{RunFolder, TrainedRun};

use super::places::Places;
use crate::options::DataArgs;

/// A run that captions, alone or with others.
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

/// Images to caption.
pub(super) struct Scored {
    pub(super) images: Vec<ScoredImage>,
    pub(super) store: FeatureStore,
    /// Whether they are of another data set than the runs were trained on.
    pub(super) of_other_data: bool,
}

/// The images of a split that have captions and grids, of the data of the first run or of what is named. Refuses images
/// that a run was trained on if they are to be new, and data that changed since a run was trained.
pub(super) fn images(
    members: &[Member],
    named: &DataArgs,
    split: Split,
    are_new: bool,
) -> anyhow::Result<Scored> {
    let first = members.first().context("no run is named; name one with --run")?;
    let places = Places::of_run(&first.run.config, named)?;
    let data = places.open()?;
    let mut trained_on = TrainedOn::nothing();
    for Member { folder, run } in members {
        run.config.encoder.check(&data.store, &places.store)?;
        trained_on.extend(TrainedOn::of_run(folder, &run.config)?);
    }
    let scored = dataset::scored(&data.captions, &data.splits, split, &data.store);
    if are_new {
        refuse_seen(&trained_on, &scored.images, &data.store, split)?;
    }
    let of_other_data = named.captions.is_some()
        && trained_on.is_complete()
        && trained_on.shares_no_name(&data.captions);
    if of_other_data {
        warn(format_args!(
            "{}: another data set than that of {}; no image of it was trained on",
            places.captions.display(),
            first.folder.path().display()
        ));
    } else {
        for Member { folder, run } in members {
            let purpose = Purpose::Scoring(split);
            compare(folder, &run.config, &data, purpose, named.accept_changed_data)?;
        }
    }
    if scored.without_grid > 0 {
        warn(format_args!(
            "{} images of the split have no grid and are left out",
            scored.without_grid
        ));
    }
    ensure!(!scored.images.is_empty(), "no image of the {split} split has captions and a grid");
    Ok(Scored { images: scored.images, store: data.store, of_other_data })
}
