//! `train calibrate`.

use anyhow::{Context as _, ensure};
use common::View;
use common::program::print;
use data::Split;
use data::metrics::DocumentFrequencies;
use models::confidence::{CalibratedSearch, Calibration, Feature};
use models::{Manifest, NeighbourChoice, NeighbourIndex};
use train::calibration::{
    Fitted, JudgedCaption, Reliability, ReliabilityRecord, SetReliability, cross_validate,
    human_median, judge,
};
use train::evaluate::{EvaluationSetup, Search, hypotheses};
use train::export::add_confidence;
use train::run::{RunFolder, TrainedRun};

use super::choose_device;
use super::scoring::{self, Member, NumberedSet, Scored, SeenImages};
use crate::options::CalibrateArgs;

/// The share of dev photos whose nearest training image counts as far.
const UNFAMILIAR: f64 = 0.01;

/// The fewest right and the fewest wrong captions.
const FEWEST: usize = 10;

pub(crate) fn calibrate(options: &CalibrateArgs) -> anyhow::Result<()> {
    let device = choose_device(&options.device)?;
    let members = [Member::open(RunFolder::new(&options.run.path), device)?];
    let [Member { folder, run }] = &members;
    let manifest = Manifest::load(folder.path())?;
    let index = index(folder, run, &manifest)?;
    let sets = scoring::data_sets(&members, &options.data, Split::Dev, SeenImages::Refuse)?;
    let frequencies = frequencies(&sets);
    let training = sets.iter().map(|(set, _)| set.count(Split::Train));
    let has_all_images = index.images() == training.sum::<usize>();
    let scored = scoring::images_of(sets, Split::Dev)?;
    let search = options.search.apply(run.config.search);
    let judge_set = |set: &Scored| {
        let views = all_views(set, &manifest)?;
        let setup = EvaluationSetup {
            store: &set.store,
            vocabulary: &run.vocabulary,
            search: Search { options: &search, views: &views, neighbours: Some(&index) },
            device,
        };
        let found = hypotheses(&[&*run.network], &set.images, setup)?;
        let median = human_median(&set.images, &frequencies);
        Ok(judge(&set.images, &found, &run.vocabulary, &frequencies, median))
    };
    let judged = scored.iter().map(judge_set).collect::<anyhow::Result<Vec<_>>>()?;
    let all = judged.iter().flatten().collect::<Vec<_>>();
    check_outcomes(&all, folder)?;
    let measured = measure(&scored, &judged)?;
    measured.iter().try_for_each(report)?;
    let Fitted { weights, bias } = Fitted::new(&all)?;
    let calibration = Calibration {
        search: CalibratedSearch::new(&manifest.views, &index.widen(&search), index.sha256()),
        weights,
        bias,
        unfamiliar: has_all_images.then(|| unfamiliar(&all)),
    };
    ReliabilityRecord::new(&calibration, measured).save(folder)?;
    add_confidence(folder, calibration)?;
    print(format_args!("{}: calibrated on {} captions", folder.path().display(), all.len()))
}

/// The neighbour index of the model.
fn index(
    folder: &RunFolder,
    run: &TrainedRun,
    manifest: &Manifest,
) -> anyhow::Result<NeighbourIndex> {
    let index = manifest.neighbours(folder.path(), &NeighbourChoice::OfModel, &run.vocabulary)?;
    index.with_context(|| {
        format!(
            "{}: no neighbour index, from which the confidence follows\n  Make it first (`train neighbours`).",
            folder.path().display()
        )
    })
}

/// Refuses captions of which too few are right or wrong.
fn check_outcomes(captions: &[&JudgedCaption], folder: &RunFolder) -> anyhow::Result<()> {
    let right = captions.iter().filter(|caption| caption.is_right).count();
    ensure!(
        right.min(captions.len() - right) >= FEWEST,
        "{}: {} captions are too few to calibrate: {right} are right, and {FEWEST} must be right and {FEWEST} wrong\n  \
         Calibrate it on more dev photos; the model is unchanged.",
        folder.path().display(),
        captions.len()
    );
    Ok(())
}

/// The views of the model, all of which the store of a set must have.
fn all_views(set: &Scored, manifest: &Manifest) -> anyhow::Result<Vec<View>> {
    let views = set.available(&manifest.views)?;
    ensure!(
        views == manifest.views,
        "{}: the store lacks views of the model\n  Extract it with --views {}.",
        set.name,
        View::join(&manifest.views, ",")
    );
    Ok(views)
}

/// The document frequencies of the training captions of all sets.
fn frequencies(sets: &[NumberedSet]) -> DocumentFrequencies {
    let training = sets.iter().flat_map(|(set, _)| set.corpus.images(Split::Train));
    let tokens = training.map(|image| image.texts().collect()).collect::<Vec<Vec<_>>>();
    DocumentFrequencies::count(tokens.iter().map(Vec::as_slice))
}

/// Measures how reliable the confidence is on each data set, in folds that it was not fitted on. A set without evidence is
/// left out.
fn measure(
    scored: &[Scored],
    judged: &[Vec<JudgedCaption>],
) -> anyhow::Result<Vec<SetReliability>> {
    let all = judged.iter().flatten().cloned().collect::<Vec<_>>();
    let mut confidences = cross_validate(&all)?.into_iter();
    let of_set = |(set, judged): (&Scored, &Vec<JudgedCaption>)| {
        let of_set = confidences.by_ref().take(judged.len()).collect::<Vec<_>>();
        let right = judged.iter().map(|caption| caption.is_right).collect::<Vec<_>>();
        SetReliability { name: set.name.clone(), reliability: Reliability::new(&of_set, &right) }
    };
    let sets = scored.iter().zip(judged).filter(|(_, judged)| !judged.is_empty());
    Ok(sets.map(of_set).collect())
}

/// Prints how reliable the confidence is on a data set.
fn report(set: &SetReliability) -> anyhow::Result<()> {
    let SetReliability { name, reliability } = set;
    print(format_args!(
        "{name}: {} captions, {:.1} % right; calibration error {:.3} ({:.3} by chance), Brier score {:.3}, AUROC {:.3}",
        reliability.captions(),
        100.0 * reliability.share(),
        reliability.calibration_error,
        reliability.error_by_chance,
        reliability.brier,
        reliability.auroc
    ))?;
    for bin in &reliability.bins {
        let (confidence, share) = (bin.confidence, 100.0 * bin.share());
        print(format_args!(
            "  confidence {confidence:.2}: {share:.0} % of {} right",
            bin.captions
        ))?;
    }
    Ok(())
}

/// The similarity below which few dev photos have their nearest training image.
fn unfamiliar(captions: &[&JudgedCaption]) -> f64 {
    let at = Feature::ALL.iter().position(|feature| *feature == Feature::Similarity).unwrap_or(0);
    let mut similarities = captions.iter().map(|caption| caption.evidence[at]).collect::<Vec<_>>();
    similarities.sort_by(f64::total_cmp);
    let rank = (UNFAMILIAR * similarities.len() as f64) as usize;
    similarities.get(rank).copied().unwrap_or(-1.0)
}
