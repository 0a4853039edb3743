//! `captions score`.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::Context as _;
use data::metrics::bootstrap::{Bootstrap, Difference, Interval};
use data::metrics::health::Health;
use data::metrics::meteor::{self, Meteor};
use data::metrics::{self, DocumentFrequencies, Item, NAMES, PROTOCOL, Scores, Sums};
use data::pairs::{self, References};
use data::splits::folder_of;
use data::tokens::tokenize;
use data::{Captions, Split, Splits, files};
use serde::Serialize;

use super::Score;

/// All that is known of a set of captions; what `--json` writes.
#[derive(Serialize)]
pub(super) struct Report {
    #[serde(flatten)]
    pub(super) scores: BTreeMap<&'static str, f64>,
    pub(super) images: usize,
    pub(super) protocol: &'static str,
    pub(super) document_frequencies: String,
    pub(super) bootstrap: Bootstrap,
    pub(super) intervals: BTreeMap<&'static str, Interval>,
    pub(super) health: Health,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) against: Option<Against>,
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

/// A set of captions with what each image contributes.
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
        let silent = pairs::silent(captions.keys().map(String::as_str), &items);
        if !silent.is_empty() {
            let (count, path) = (silent.len(), hypotheses.display());
            eprintln!("{path}: {count} captions are empty and score 0: {}", silent.join(", "));
        }
        let images = metrics::score(&items, frequencies);
        Ok(Self { ids: captions.into_keys().collect(), items, images })
    }

    fn scores(&self) -> Scores {
        self.images.iter().copied().sum::<Sums>().scores()
    }
}

/// Scores, prints and writes what was asked for.
pub(crate) fn run(options: &Score) -> anyhow::Result<()> {
    let references = pairs::read_references(&options.references)?;
    let frequencies =
        options.document_frequencies.as_deref().map(DocumentFrequencies::load).transpose()?;
    let scored = Scored::read(&references, &options.hypotheses, frequencies.as_ref())?;
    let meteor =
        options.meteor.then(|| Meteor::of(&scored.items, &options.meteor_jar)).transpose()?;
    let bootstrap = Bootstrap { resamples: options.resamples as usize, seed: options.seed };
    let against = options
        .against
        .as_deref()
        .map(|path| -> data::Result<_> {
            let other = Scored::read(&references, path, frequencies.as_ref())?;
            Ok(Against {
                hypotheses: path.display().to_string(),
                scores: other.scores(),
                differences: named(bootstrap.differences(&scored.images, &other.images)),
            })
        })
        .transpose()?;
    let mut scores = scored.scores().iter().collect::<BTreeMap<_, _>>();
    scores.extend(meteor.as_ref().map(|meteor| (meteor::NAME, meteor.score)));
    let report = Report {
        scores,
        images: scored.images.len(),
        protocol: PROTOCOL,
        document_frequencies: source_of(options),
        bootstrap,
        intervals: named(bootstrap.intervals(&scored.images)),
        health: health(options, &scored.items)?,
        against,
    };
    if let Some(path) = &options.per_image {
        write(path, &per_image(&scored, meteor.as_ref()))?;
    }
    match &options.json {
        Some(path) if path == Path::new("-") => {
            println!("{}", serde_json::to_string_pretty(&report)?);
            return Ok(());
        }
        Some(path) => write(path, &report)?,
        None => {}
    }
    print!("{report}");
    Ok(())
}

fn named<T>(values: [T; NAMES.len()]) -> BTreeMap<&'static str, T> {
    NAMES.into_iter().zip(values).collect()
}

fn source_of(options: &Score) -> String {
    match &options.document_frequencies {
        Some(path) => path.display().to_string(),
        None => "the references".to_owned(),
    }
}

fn health(options: &Score, items: &[Item]) -> data::Result<Health> {
    let captions = items.iter().map(|item| item.hypothesis.as_slice()).collect::<Vec<_>>();
    let training = options.captions.as_deref().map(|path| {
        let folder = options.splits.clone().unwrap_or_else(|| folder_of(path));
        training(&Captions::read(path)?, &Splits::find(&folder)?)
    });
    Ok(Health::of(&captions, training.transpose()?.as_ref()))
}

fn training(captions: &Captions, splits: &Splits) -> data::Result<HashSet<Vec<String>>> {
    let images = captions.iter().filter(|of| splits.of(&of.image) == Some(Split::Train));
    Ok(images.flat_map(|of| of.captions.iter().map(|caption| tokenize(caption))).collect())
}

fn per_image<'a>(scored: &'a Scored, meteor: Option<&Meteor>) -> BTreeMap<&'a str, ImageScores> {
    let images = scored.ids.iter().zip(&scored.items).zip(&scored.images).enumerate();
    images
        .map(|(at, ((id, item), image))| {
            let mut scores = image.scores().iter().collect::<BTreeMap<_, _>>();
            scores.extend(meteor.map(|meteor| (meteor::NAME, meteor.per_image[at])));
            (id.as_str(), ImageScores { tokens: item.hypothesis.join(" "), scores })
        })
        .collect()
}

fn write(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    files::replace(path, &serde_json::to_vec_pretty(value)?)
        .with_context(|| path.display().to_string())
}
