//! `captions score`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::Context as _;
use common::files;
use common::program::{print, report_skipped_entries, warn};
use data::metrics::bootstrap::{Bootstrap, Difference, Interval};
use data::metrics::meteor::{self, Meteor};
use data::metrics::objects::{ObjectCounts, ObjectList};
use data::metrics::statistics::CaptionStatistics;
use data::metrics::{self, DocumentFrequencies, Item, NAMES, PROTOCOL, Scores, Sums};
use data::pairs::{self, References};
use data::tokens::tokenize;
use data::{Captions, Split, Splits};
use serde::Serialize;

use crate::cli::Score;

/// The scores and statistics of a set of captions, as `--json` writes them.
#[derive(Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) scores: BTreeMap<&'static str, f64>,
    pub(super) images: usize,
    pub(super) protocol: &'static str,
    pub(super) document_frequencies: String,
    pub(super) bootstrap: Bootstrap,
    pub(super) intervals: BTreeMap<&'static str, Interval>,
    pub(super) health: CaptionStatistics,
    pub(super) objects: ObjectScores,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) against: Option<Against>,
}

/// Objects that the captions name and invent, with 95 % intervals.
#[derive(Serialize)]
pub(super) struct ObjectScores {
    pub(super) list: String,
    pub(super) recall: f64,
    pub(super) recall_interval: Interval,
    pub(super) invented_per_caption: f64,
    pub(super) invented_interval: Interval,
}

/// Other captions of the same images.
#[derive(Serialize)]
pub(super) struct Against {
    pub(super) hypotheses: String,
    #[serde(flatten)]
    pub(super) scores: Scores,
    pub(super) differences: BTreeMap<&'static str, Difference>,
}

/// One image of `--per-image`.
#[derive(Serialize)]
struct ImageScores {
    tokens: String,
    #[serde(flatten)]
    scores: BTreeMap<&'static str, f64>,
}

/// A set of captions with the contribution of each image to the scores.
struct Scored {
    ids: Vec<String>,
    items: Vec<Item>,
    images: Vec<Sums>,
}

impl Scored {
    fn read(
        references: &References,
        hypotheses: &Path,
        frequencies: Option<&DocumentFrequencies>,
    ) -> data::Result<Self> {
        let captions = pairs::read_hypotheses(hypotheses)?;
        let items = pairs::pair(references, &captions, hypotheses)?;
        let empty = pairs::empty_captions(captions.keys().map(String::as_str), &items);
        if !empty.is_empty() {
            let (count, path) = (empty.len(), hypotheses.display());
            warn(format_args!(
                "{path}: {count} captions are empty and score 0: {}",
                empty.join(", ")
            ));
        }
        let images = metrics::score(&items, frequencies);
        Ok(Self { ids: captions.into_keys().collect(), items, images })
    }

    fn scores(&self) -> Scores {
        self.images.iter().copied().sum::<Sums>().scores()
    }
}

/// `captions score`.
pub(crate) fn run(options: &Score) -> anyhow::Result<()> {
    let (references, skipped_entries) = pairs::read_references(&options.references)?;
    report_skipped_entries(&options.references, &skipped_entries);
    let frequencies =
        options.document_frequencies.as_deref().map(DocumentFrequencies::load).transpose()?;
    let ours = Scored::read(&references, &options.hypotheses, frequencies.as_ref())?;
    let meteor =
        options.meteor.then(|| Meteor::run(&ours.items, &options.meteor_jar)).transpose()?;
    let theirs = options.against.as_deref();
    let theirs = theirs.map(|path| Scored::read(&references, path, frequencies.as_ref()));
    let report = report(options, &ours, theirs.transpose()?.as_ref(), meteor.as_ref())?;
    if let Some(path) = &options.per_image {
        write(path, &per_image(&ours, meteor.as_ref()))?;
    }
    match &options.json {
        Some(path) if path == Path::new("-") => {
            return print(serde_json::to_string_pretty(&report)?);
        }
        Some(path) => write(path, &report)?,
        None => {}
    }
    print(report.to_string().trim_end())
}

fn report(
    options: &Score,
    ours: &Scored,
    theirs: Option<&Scored>,
    meteor: Option<&Meteor>,
) -> data::Result<Report> {
    let bootstrap = Bootstrap { resamples: options.resamples as usize, seed: options.seed };
    let against = theirs.zip(options.against.as_deref()).map(|(theirs, path)| Against {
        hypotheses: path.display().to_string(),
        scores: theirs.scores(),
        differences: named(bootstrap.differences(&ours.images, &theirs.images)),
    });
    let frequencies = options.document_frequencies.as_deref();
    Ok(Report {
        scores: with_meteor(ours.scores(), meteor.map(|meteor| meteor.score)),
        images: ours.images.len(),
        protocol: PROTOCOL,
        document_frequencies: frequencies
            .map_or_else(|| "the references".to_owned(), |path| path.display().to_string()),
        bootstrap,
        intervals: named(bootstrap.intervals(&ours.images)),
        health: statistics(options, &ours.items)?,
        objects: objects(options, &ours.items, bootstrap)?,
        against,
    })
}

fn named<T>(values: [T; NAMES.len()]) -> BTreeMap<&'static str, T> {
    NAMES.into_iter().zip(values).collect()
}

fn with_meteor(scores: Scores, meteor: Option<f64>) -> BTreeMap<&'static str, f64> {
    scores.iter().chain(meteor.map(|score| (meteor::NAME, score))).collect()
}

fn statistics(options: &Score, items: &[Item]) -> data::Result<CaptionStatistics> {
    let captions = items.iter().map(|item| item.hypothesis.as_slice()).collect::<Vec<_>>();
    let training = options.captions.as_deref().map(|path| {
        super::read(path, options.splits.as_deref())
            .map(|(captions, splits)| training_captions(&captions, &splits))
    });
    Ok(CaptionStatistics::count(&captions, training.transpose()?.as_ref()))
}

fn objects(options: &Score, items: &[Item], bootstrap: Bootstrap) -> data::Result<ObjectScores> {
    let list = options.objects.as_deref().map(ObjectList::read).transpose()?;
    let list = list.unwrap_or_else(ObjectList::own);
    let counts = items.iter().map(|item| ObjectCounts::count(item, &list)).collect::<Vec<_>>();
    let total = |picks: &[usize]| picks.iter().map(|&pick| counts[pick]).sum::<ObjectCounts>();
    let [recall_interval, invented_interval] =
        bootstrap.intervals_of(counts.len(), |picks| total(picks).scores());
    let [recall, invented_per_caption] = counts.iter().copied().sum::<ObjectCounts>().scores();
    let list = options.objects.as_deref();
    Ok(ObjectScores {
        list: list.map_or_else(|| "own".to_owned(), |path| path.display().to_string()),
        recall,
        recall_interval,
        invented_per_caption,
        invented_interval,
    })
}

fn training_captions(captions: &Captions, splits: &Splits) -> HashSet<Vec<String>> {
    let images =
        captions.iter().filter(|image| splits.split_of(&image.image) == Some(Split::Train));
    images.flat_map(|image| image.captions.iter().map(|caption| tokenize(caption))).collect()
}

fn per_image<'a>(ours: &'a Scored, meteor: Option<&Meteor>) -> BTreeMap<&'a str, ImageScores> {
    let images = ours.ids.iter().zip(&ours.items).zip(&ours.images).enumerate();
    images
        .map(|(index, ((id, item), image))| {
            let scores = with_meteor(image.scores(), meteor.map(|meteor| meteor.per_image[index]));
            (id.as_str(), ImageScores { tokens: item.hypothesis.join(" "), scores })
        })
        .collect()
}

fn write(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    files::replace(path, &serde_json::to_vec_pretty(value)?)
        .with_context(|| path.display().to_string())
}
