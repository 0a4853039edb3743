//! A report on runs as one self-contained page: curves, scores, reliability, captions with their photos.

mod chart;
mod example;
mod reliability;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::{SkippedEntries, text};
use data::metrics::bootstrap::Bootstrap;
use data::metrics::statistics::CaptionStatistics;
use data::metrics::{NAMES, PROTOCOL, Sums};
use minijinja::Environment;
use minijinja::value::Serde;
use models::preprocess::Resize;
use serde::Serialize;
use serde_json::Value;

use self::chart::Chart;
use self::example::{Example, Photos};
use self::reliability::{Diagram, RunReliability};
use crate::calibration::ReliabilityRecord;
use crate::dataset::ScoredImage;
use crate::evaluate::{CaptionedImage, Evaluation};
use crate::run::{RunConfig, RunFolder};
use crate::{Error, Result};

const TEMPLATE: &str = include_str!("report.html");
const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 1000, seed: 1 };
/// Number of best and of worst captions on the page.
const EXAMPLES: usize = 8;

/// A run to report on.
#[derive(Debug)]
pub struct ReportedRun {
    /// Its name on the page.
    name: String,
    /// Its folder.
    folder: String,
    /// Its configuration.
    config: RunConfig,
    /// The lines of its `metrics.jsonl`.
    epochs: Vec<Value>,
    /// How reliable the confidence in its captions is, if that was measured.
    reliability: Option<ReliabilityRecord>,
    /// The captions of its best network, for each data set.
    pub evaluations: Vec<Evaluation>,
}

/// A data set to report on.
#[derive(Debug)]
pub struct ReportedSet {
    /// Its name on the page.
    pub name: String,
    /// The images.
    pub images: Vec<ScoredImage>,
    /// The folder of the photos; those that cannot be read are skipped.
    pub photos: Option<PathBuf>,
}

impl ReportedRun {
    /// Reads the run of a folder, with the captions of its best network for each data set.
    ///
    /// # Errors
    /// Those of [`RunFolder::load_config`] and [`ReliabilityRecord::load`], and [`Error::Content`] if its metrics are damaged.
    pub fn new(folder: &RunFolder, evaluations: Vec<Evaluation>) -> Result<Self> {
        let path = folder.metrics();
        let text = text::read(&path)?;
        let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            name: folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            folder: folder.path().display().to_string(),
            config: folder.load_config()?,
            epochs: lines.map_err(Error::content(&path))?,
            reliability: ReliabilityRecord::load(folder)?,
            evaluations,
        })
    }

    fn reliability(&self) -> RunReliability<'_> {
        let sets = self.reliability.iter().flat_map(|record| &record.sets);
        RunReliability {
            name: &self.name,
            folder: &self.folder,
            diagrams: sets.map(Diagram::new).collect(),
        }
    }

    fn sums(&self, set: usize) -> Vec<Sums> {
        self.evaluations[set].captioned.iter().map(|captioned| captioned.sums).collect()
    }
}

/// The values of the template.
#[derive(Serialize)]
struct Page<'a> {
    names: Vec<&'a str>,
    protocol: &'static str,
    resamples: usize,
    charts: Vec<Chart>,
    settings: Vec<Setting>,
    reliability: Vec<RunReliability<'a>>,
    /// Whether the confidence of any run is calibrated.
    has_diagrams: bool,
    sets: Vec<SetPage<'a>>,
    /// The CSS size of a photo in the square of the encoder's input.
    fit: &'static str,
    rows: usize,
    columns: usize,
}

/// The scores and captions of a data set.
#[derive(Serialize)]
struct SetPage<'a> {
    name: &'a str,
    images: usize,
    scores: Vec<ScoreRow>,
    statistics: Vec<CaptionStatistics>,
    best: Vec<Example>,
    worst: Vec<Example>,
    has_photos: bool,
}

/// A row of the table of scores.
#[derive(Serialize)]
struct ScoreRow {
    name: &'static str,
    /// A cell per run.
    runs: Vec<ScoreCell>,
}

#[derive(Serialize)]
struct ScoreCell {
    score: f64,
    from: f64,
    to: f64,
    /// Whether the score differs from that of the first run beyond noise; none for the first run.
    beyond_noise: Option<bool>,
}

/// A setting in which the runs differ.
#[derive(Serialize)]
struct Setting {
    name: String,
    values: Vec<String>,
}

/// The page of a report.
#[derive(Debug)]
pub struct Report {
    /// The page.
    pub html: String,
    /// Photos that could not be read.
    pub skipped_entries: SkippedEntries,
}

/// Renders the page of runs that captioned the images of the same data sets; the captions of the first run are shown.
///
/// # Errors
/// [`Error::NoReport`] without a run, and [`Error::Template`].
pub fn render(runs: &[ReportedRun], sets: &[ReportedSet]) -> Result<Report> {
    let mut skipped_entries = SkippedEntries::default();
    let mut pages = Vec::new();
    for (number, set) in sets.iter().enumerate() {
        let mut photos = Photos { folder: set.photos.as_deref(), missing: BTreeMap::new() };
        pages.push(SetPage::new(runs, number, set, &mut photos)?);
        photos.report(&mut skipped_entries);
    }
    Ok(Report { html: fill_template(Page::new(runs, pages)?)?, skipped_entries })
}

impl<'a> Page<'a> {
    fn new(runs: &'a [ReportedRun], sets: Vec<SetPage<'a>>) -> Result<Self> {
        let encoder = &runs.first().ok_or(Error::NoReport)?.config.encoder;
        Ok(Self {
            names: runs.iter().map(|run| run.name.as_str()).collect(),
            protocol: PROTOCOL,
            resamples: BOOTSTRAP.resamples,
            charts: charts(runs, &sets),
            settings: settings(runs)?,
            reliability: runs.iter().map(ReportedRun::reliability).collect(),
            has_diagrams: runs.iter().any(|run| run.reliability.is_some()),
            sets,
            fit: match encoder.preprocess.resize {
                Resize::Squash => "100% 100%",
                Resize::Crop => "cover",
            },
            rows: encoder.grid.height,
            columns: encoder.grid.width,
        })
    }
}

impl<'a> SetPage<'a> {
    fn new(
        runs: &[ReportedRun],
        number: usize,
        set: &'a ReportedSet,
        photos: &mut Photos,
    ) -> Result<Self> {
        let first = runs.first().ok_or(Error::NoReport)?;
        let captioned = &first.evaluations[number].captioned;
        let mut example =
            |&image: &usize| Example::new(&set.images[image], &captioned[image], photos);
        let best_first = sorted_by_score(captioned);
        Ok(Self {
            name: &set.name,
            images: set.images.len(),
            scores: scores(runs, number),
            statistics: runs.iter().map(|run| run.evaluations[number].statistics).collect(),
            best: best_first.iter().take(EXAMPLES).map(&mut example).collect(),
            worst: best_first.iter().rev().take(EXAMPLES).map(&mut example).collect(),
            has_photos: set.photos.is_some(),
        })
    }
}

/// The numbers of captions, those with the highest CIDEr first.
fn sorted_by_score(captioned: &[CaptionedImage]) -> Vec<usize> {
    let cider = |number: &usize| captioned[*number].sums.scores().cider();
    let mut numbers = (0..captioned.len()).collect::<Vec<_>>();
    numbers.sort_by(|a, b| cider(b).total_cmp(&cider(a)).then(a.cmp(b)));
    numbers
}

fn fill_template(page: Page) -> Result<String> {
    let mut environment = Environment::new();
    environment.add_template("report.html", TEMPLATE).map_err(Error::Template)?;
    let template = environment.get_template("report.html").map_err(Error::Template)?;
    template.render(Serde(page)).map_err(Error::Template)
}

fn charts(runs: &[ReportedRun], sets: &[SetPage]) -> Vec<Chart> {
    let curve = |title: &str, pointer: &str, scale| {
        let lines = runs.iter().map(|run| {
            let value = |line: &Value| line.pointer(pointer)?.as_f64().map(|value| scale * value);
            run.epochs.iter().map(value).collect::<Option<Vec<_>>>().unwrap_or_default()
        });
        Chart::new(title, &lines.collect::<Vec<_>>())
    };
    let mut curves = vec![
        curve("Cross-entropy of a word, training", "/cross_entropy", 1.0),
        curve("Cross-entropy of a word, dev", "/dev_cross_entropy", 1.0),
        curve("Reward of sampled captions, training", "/reward", 100.0),
        curve("CIDEr, dev", "/dev/CIDEr", 100.0),
        curve("BLEU-4, dev", "/dev/BLEU-4", 100.0),
    ];
    for (at, set) in sets.iter().enumerate().filter(|_| sets.len() > 1) {
        let title = format!("CIDEr, dev, {}", set.name);
        curves.push(curve(&title, &format!("/sets/{at}/dev/CIDEr"), 100.0));
    }
    curves.into_iter().flatten().collect()
}

fn scores(runs: &[ReportedRun], set: usize) -> Vec<ScoreRow> {
    let sums = runs.iter().map(|run| run.sums(set)).collect::<Vec<_>>();
    let intervals = sums.iter().map(|sums| BOOTSTRAP.intervals(sums)).collect::<Vec<_>>();
    let against = sums.iter().map(|run| BOOTSTRAP.differences(run, &sums[0])).collect::<Vec<_>>();
    let cell = |at: usize, run: usize| ScoreCell {
        score: 100.0 * runs[run].evaluations[set].scores.0[at],
        from: 100.0 * intervals[run][at][0],
        to: 100.0 * intervals[run][at][1],
        beyond_noise: (run > 0).then(|| against[run][at].beyond_noise),
    };
    let row =
        |(at, name)| ScoreRow { name, runs: (0..runs.len()).map(|run| cell(at, run)).collect() };
    NAMES.into_iter().enumerate().map(row).collect()
}

/// All settings of a single run, or those in which several runs differ.
fn settings(runs: &[ReportedRun]) -> Result<Vec<Setting>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for (at, run) in runs.iter().enumerate() {
        let config =
            serde_json::to_value(&run.config).map_err(Error::content(run.name.as_ref()))?;
        for part in ["recipe", "refinement", "network", "training", "search"] {
            flatten(part, config.get(part).unwrap_or(&Value::Null), &mut |name, value| {
                let values = found.entry(name.to_owned()).or_default();
                values.resize(at, "–".to_owned());
                values.push(value);
            });
        }
        if let Some(refinement) = &run.config.refinement {
            let values = found.entry("refinement.reward".to_owned()).or_default();
            values.resize(at, "–".to_owned());
            values.push(refinement.reward_signature());
        }
    }
    let settings = found.into_iter().map(|(name, mut values)| {
        values.resize(runs.len(), "–".to_owned());
        Setting { name, values }
    });
    let differs =
        |setting: &Setting| setting.values.iter().any(|value| *value != setting.values[0]);
    Ok(settings.filter(|setting| runs.len() == 1 || differs(setting)).collect())
}

fn flatten(name: &str, value: &Value, found: &mut dyn FnMut(&str, String)) {
    match value {
        Value::Object(inner) => {
            for (key, value) in inner {
                flatten(&format!("{name}.{key}"), value, found);
            }
        }
        Value::Null => {}
        Value::String(text) => found(name, text.clone()),
        value => found(name, value.to_string()),
    }
}
