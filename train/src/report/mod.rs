//! What came of runs, as one page that needs nothing else: curves, scores, captions with their photos.

mod chart;
mod example;

use std::collections::BTreeMap;
use std::path::Path;

use data::metrics::bootstrap::Bootstrap;
use data::metrics::statistics::CaptionStatistics;
use data::metrics::{NAMES, PROTOCOL, Sums};
use data::{LeftOut, text};
use minijinja::Environment;
use minijinja::value::Serde;
use models::preprocess::Resize;
use serde::Serialize;
use serde_json::Value;

use self::chart::Chart;
use self::example::Example;
use crate::dataset::ScoredImage;
use crate::evaluate::Evaluation;
use crate::run::{RunConfig, RunFolder};
use crate::{Error, Result};

const TEMPLATE: &str = include_str!("report.html");
const BOOTSTRAP: Bootstrap = Bootstrap { resamples: 1000, seed: 1 };
/// Best and worst captions that are shown, of each as many.
const EXAMPLES: usize = 8;

/// A run to report on.
#[derive(Debug)]
pub struct Reported {
    /// What it is called on the page.
    pub name: String,
    /// Its settings.
    pub config: RunConfig,
    /// The lines of its `metrics.jsonl`.
    pub epochs: Vec<Value>,
    /// The captions of its best network.
    pub evaluation: Evaluation,
}

impl Reported {
    /// A run as it lies in its folder, with the captions of its best network.
    pub fn new(folder: &RunFolder, evaluation: Evaluation) -> Result<Self> {
        let path = folder.metrics();
        let text = text::read(&path)?;
        let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            name: folder.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            config: folder.load_config()?,
            epochs: lines.map_err(|error| Error::run(&path, error.to_string()))?,
            evaluation,
        })
    }

    fn sums(&self) -> Vec<Sums> {
        self.evaluation.captioned.iter().map(|of| of.sums).collect()
    }
}

/// What the template is filled with.
#[derive(Serialize)]
struct Page<'a> {
    names: Vec<&'a str>,
    images: usize,
    protocol: &'static str,
    resamples: usize,
    charts: Vec<Chart>,
    scores: Vec<ScoreRow>,
    settings: Vec<Setting>,
    health: Vec<CaptionStatistics>,
    best: Vec<Example>,
    worst: Vec<Example>,
    has_photos: bool,
    /// How a photo fills the square that the encoder sees, as CSS says it.
    fit: &'static str,
    rows: usize,
    columns: usize,
}

/// A row of the table of scores.
#[derive(Serialize)]
struct ScoreRow {
    name: &'static str,
    /// For each run: score, interval, and whether it differs from the first run beyond noise.
    runs: Vec<ScoreCell>,
}

#[derive(Serialize)]
struct ScoreCell {
    score: f64,
    from: f64,
    to: f64,
    beyond_noise: Option<bool>,
}

/// A setting in which the runs differ.
#[derive(Serialize)]
struct Setting {
    name: String,
    values: Vec<String>,
}

/// A page about runs.
#[derive(Debug)]
pub struct Report {
    /// The page.
    pub html: String,
    /// Photos that it should show and that could not be read.
    pub left_out: LeftOut,
}

/// The page about runs that captioned the same `images`; the first one's captions are shown. Photos
/// are read from `photos`, if there is such a folder; one that cannot be read is left out.
pub fn render(runs: &[Reported], images: &[ScoredImage], photos: Option<&Path>) -> Result<Report> {
    let first = runs.first().ok_or_else(|| Error::Training("no run to report on".to_owned()))?;
    let mut order = (0..images.len()).collect::<Vec<_>>();
    let cider = |at: &usize| first.evaluation.captioned[*at].sums.scores().cider();
    order.sort_by(|a, b| cider(b).total_cmp(&cider(a)).then(a.cmp(b)));
    let encoder = &first.config.encoder;
    let [rows, columns, _] = encoder.grid;
    let mut missing = BTreeMap::new();
    let mut examples = |picked: &mut dyn Iterator<Item = &usize>| {
        let captioned = &first.evaluation.captioned;
        let shown = picked.take(EXAMPLES);
        shown
            .map(|&at| Example::new(&images[at], &captioned[at], photos, &mut missing))
            .collect::<Vec<_>>()
    };
    let page = Page {
        names: runs.iter().map(|run| run.name.as_str()).collect(),
        images: images.len(),
        protocol: PROTOCOL,
        resamples: BOOTSTRAP.resamples,
        charts: charts(runs),
        scores: scores(runs),
        settings: settings(runs)?,
        health: runs.iter().map(|run| run.evaluation.health).collect(),
        best: examples(&mut order.iter()),
        worst: examples(&mut order.iter().rev()),
        has_photos: photos.is_some(),
        fit: match encoder.preprocess.resize {
            Resize::Squash => "100% 100%",
            Resize::Crop => "cover",
        },
        rows,
        columns,
    };
    let problem = |error: minijinja::Error| Error::Training(format!("the report: {error:#}"));
    let mut environment = Environment::new();
    environment.add_template("report.html", TEMPLATE).map_err(problem)?;
    let mut left_out = LeftOut::default();
    for (image, reason) in missing {
        left_out.add(reason, image);
    }
    let template = environment.get_template("report.html").map_err(problem)?;
    Ok(Report { html: template.render(Serde(page)).map_err(problem)?, left_out })
}

fn charts(runs: &[Reported]) -> Vec<Chart> {
    let curve = |title, pointer: &str, scale| {
        let lines = runs.iter().map(|run| {
            let value = |line: &Value| line.pointer(pointer)?.as_f64().map(|value| scale * value);
            run.epochs.iter().map(value).collect::<Option<Vec<_>>>().unwrap_or_default()
        });
        Chart::new(title, &lines.collect::<Vec<_>>())
    };
    let curves = [
        curve("Cross-entropy of a word, training", "/cross_entropy", 1.0),
        curve("Cross-entropy of a word, dev", "/dev_cross_entropy", 1.0),
        curve("Reward of drawn captions, training", "/reward", 100.0),
        curve("CIDEr, dev", "/dev/CIDEr", 100.0),
        curve("BLEU-4, dev", "/dev/BLEU-4", 100.0),
    ];
    curves.into_iter().flatten().collect()
}

fn scores(runs: &[Reported]) -> Vec<ScoreRow> {
    let sums = runs.iter().map(Reported::sums).collect::<Vec<_>>();
    let intervals = sums.iter().map(|sums| BOOTSTRAP.intervals(sums)).collect::<Vec<_>>();
    let against = sums.iter().map(|of| BOOTSTRAP.differences(of, &sums[0])).collect::<Vec<_>>();
    let cell = |at: usize, run: usize| ScoreCell {
        score: 100.0 * runs[run].evaluation.scores.0[at],
        from: 100.0 * intervals[run][at][0],
        to: 100.0 * intervals[run][at][1],
        beyond_noise: (run > 0).then(|| against[run][at].beyond_noise),
    };
    let row =
        |(at, name)| ScoreRow { name, runs: (0..runs.len()).map(|run| cell(at, run)).collect() };
    NAMES.into_iter().enumerate().map(row).collect()
}

/// All settings of one run; of several, those in which they differ.
fn settings(runs: &[Reported]) -> Result<Vec<Setting>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    for (at, run) in runs.iter().enumerate() {
        let config = serde_json::to_value(&run.config)
            .map_err(|error| Error::Training(format!("the settings of {}: {error}", run.name)))?;
        for part in ["recipe", "refinement", "network", "training", "search"] {
            flatten(part, config.get(part).unwrap_or(&Value::Null), &mut |name, value| {
                let values = found.entry(name.to_owned()).or_default();
                values.resize(at, "–".to_owned());
                values.push(value);
            });
        }
    }
    let settings = found.into_iter().map(|(name, mut values)| {
        values.resize(runs.len(), "–".to_owned());
        Setting { name, values }
    });
    let differs = |of: &Setting| of.values.iter().any(|value| *value != of.values[0]);
    Ok(settings.filter(|of| runs.len() == 1 || differs(of)).collect())
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
