//! The results of `train evaluate`: on one data set, or on several with the means of their scores.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use common::files;
use common::program::{print, warn};
use data::Split;
use data::metrics::statistics::CaptionStatistics;
use data::metrics::{NAMES, PROTOCOL, Scores};
use models::SearchOptions;
use serde::Serialize;
use train::evaluate::Evaluation;
use train::run::RunConfig;

use super::scoring::Scored;

/// The results on data sets.
pub(super) struct Results<'a> {
    sets: Vec<SetResult<'a>>,
    /// The signatures of the rewards with which networks were refined, each once.
    rewards: BTreeSet<String>,
}

/// The result on one data set.
struct SetResult<'a> {
    name: &'a str,
    /// The number of the data set of the run; none for another data set.
    set: Option<usize>,
    /// The weight of the set in the means.
    weight: f64,
    evaluation: &'a Evaluation,
}

/// The document of `evaluate --json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Document<'a> {
    Single {
        #[serde(flatten)]
        report: Report<'a>,
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        rewards: &'a BTreeSet<String>,
    },
    /// Several sets, with the means of their scores.
    Several {
        mean: Scores,
        sets: Vec<Report<'a>>,
        #[serde(skip_serializing_if = "BTreeSet::is_empty")]
        rewards: &'a BTreeSet<String>,
    },
}

/// The scores of a data set.
#[derive(Serialize)]
struct Report<'a> {
    /// The name of its store, if there are several sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    set: Option<&'a str>,
    #[serde(flatten)]
    scores: Scores,
    images: usize,
    /// Number of captions that were truncated at the maximum length.
    unfinished: usize,
    #[serde(rename = "health")]
    statistics: CaptionStatistics,
    protocol: &'static str,
}

impl<'a> Results<'a> {
    /// `rewards` are the signatures of the rewards with which the networks were refined.
    pub(super) fn new(
        scored: &'a [Scored],
        found: &'a [Evaluation],
        config: &RunConfig,
        rewards: BTreeSet<String>,
    ) -> Self {
        let weight = |set: Option<usize>| Some(config.sets.get(set?)?.weight);
        let result = |(of, evaluation): (&'a Scored, &'a Evaluation)| SetResult {
            name: &of.name,
            set: of.set,
            weight: weight(of.set).unwrap_or(1.0),
            evaluation,
        };
        Self { sets: scored.iter().zip(found).map(result).collect(), rewards }
    }

    /// Prints the scores, unless stdout is taken by their JSON.
    pub(super) fn report(
        &self,
        split: Split,
        search: &SearchOptions,
        json: Option<&Path>,
    ) -> anyhow::Result<()> {
        for SetResult { name, evaluation, .. } in &self.sets {
            let images = evaluation.captioned.len();
            warn(format_args!("{name}: {images} {split} images, beam {}; {PROTOCOL}", search.beam));
            warn(format_args!(
                "{} of {images} captions were truncated at {} words",
                evaluation.unfinished, search.max_length
            ));
        }
        for reward in &self.rewards {
            warn(format_args!("refined with the reward {reward}"));
        }
        if json == Some(Path::new("-")) { Ok(()) } else { self.print() }
    }

    /// A line for each score; with several sets a column for each, and one for the means.
    fn print(&self) -> anyhow::Result<()> {
        let mut columns = self.sets.iter().map(|of| of.evaluation.scores).collect::<Vec<_>>();
        if self.sets.len() > 1 {
            columns.push(self.mean());
            let names = self.sets.iter().map(|of| of.name).chain(["mean"]);
            let names = names.map(|name| format!(" {name:>WIDTH$}")).collect::<Vec<_>>();
            print(format_args!("{:8}{}", "", names.concat()))?;
        }
        for (at, name) in NAMES.into_iter().enumerate() {
            let width = if self.sets.len() > 1 { WIDTH } else { 6 };
            let scores = columns.iter().map(|scores| format!(" {:width$.2}", 100.0 * scores.0[at]));
            print(format_args!("{name:8}{}", scores.collect::<Vec<_>>().concat()))?;
        }
        Ok(())
    }

    fn mean(&self) -> Scores {
        Scores::weighted_mean(self.sets.iter().map(|of| (of.evaluation.scores, of.weight)))
    }

    /// Writes the captions of each set into the named file, or, for data sets of a single run, into `own`. The files of
    /// further sets have the number of the set in their names.
    pub(super) fn write_captions(
        &self,
        named: Option<&Path>,
        own: Option<&Path>,
    ) -> anyhow::Result<()> {
        for (position, SetResult { name, set, evaluation, .. }) in self.sets.iter().enumerate() {
            let path = match (named, own, set) {
                (Some(named), ..) => numbered(named, position),
                (None, Some(own), Some(set)) => numbered(own, *set),
                _ => {
                    warn(format_args!(
                        "{name}: captions are not written\n  Name a file for them (--hypotheses FILE)."
                    ));
                    continue;
                }
            };
            replace(&path, &serde_json::to_string_pretty(&evaluation.captions())?)?;
            warn(format_args!("captions: {}", path.display()));
        }
        Ok(())
    }

    pub(super) fn write_scores(&self, json: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = json else { return Ok(()) };
        let text = serde_json::to_string_pretty(&self.document())?;
        if path == Path::new("-") { print(format_args!("{text}")) } else { replace(path, &text) }
    }

    fn document(&self) -> Document<'_> {
        match &self.sets[..] {
            [one] => Document::Single { report: one.report(None), rewards: &self.rewards },
            several => Document::Several {
                rewards: &self.rewards,
                mean: self.mean(),
                sets: several.iter().map(|of| of.report(Some(of.name))).collect(),
            },
        }
    }
}

impl SetResult<'_> {
    fn report<'b>(&self, name: Option<&'b str>) -> Report<'b> {
        let Evaluation { scores, captioned, unfinished, statistics } = self.evaluation;
        Report {
            set: name,
            scores: *scores,
            images: captioned.len(),
            unfinished: *unfinished,
            statistics: *statistics,
            protocol: PROTOCOL,
        }
    }
}

/// The width of a column of scores.
const WIDTH: usize = 12;

/// `captions.json` for the first set, `captions-2.json` for the second one.
fn numbered(path: &Path, set: usize) -> PathBuf {
    if set == 0 {
        return path.to_path_buf();
    }
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{}", set + 1));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Replaces a file as a whole.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    files::replace(path, text.as_bytes()).with_context(|| path.display().to_string())
}
