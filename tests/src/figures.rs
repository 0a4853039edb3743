//! Figures of benches: printed, and kept for the summary of `make bench`.
#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fmt::{self, Display, Formatter};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::median;

/// The variable that names the file to which figures are appended, a JSON document per line.
pub const RESULTS: &str = "SHOWTELL_BENCH_RESULTS";

/// The unit of a ratio, which has none.
pub const RATIO: &str = "";

/// The goal of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// At least this value.
    AtLeast(f64),
    /// At most this value.
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Display for Goal {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(out, "≥ {least}"),
            Self::AtMost(most) => write!(out, "≤ {most}"),
        }
    }
}

/// A figure of a bench.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The bench, such as `data/score`.
    pub bench: String,
    /// The name, unique in its bench.
    pub name: String,
    /// The unit; [`RATIO`] for a ratio.
    pub unit: String,
    /// The value: the median, if there are several rounds.
    pub value: f64,
    /// The lowest and the highest round, if there are several.
    pub range: Option<[f64; 2]>,
    /// The goal, if there is one.
    pub goal: Option<Goal>,
    /// Whether the goal is met.
    pub is_met: Option<bool>,
}

impl Figure {
    /// A value that was measured once.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: &str, value: f64) -> Self {
        let (bench, name, unit) = (running_bench(), name.into(), unit.to_owned());
        Self { bench, name, unit, value, range: None, goal: None, is_met: None }
    }

    /// The median of rounds.
    ///
    /// # Panics
    /// Without rounds.
    #[must_use]
    pub fn from_rounds(name: impl Into<String>, unit: &str, rounds: &[f64]) -> Self {
        let lowest = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = (rounds.len() > 1).then_some([lowest, highest]);
        Self { range, ..Self::new(name, unit, median(rounds)) }
    }

    /// The median of seconds, in ms.
    ///
    /// # Panics
    /// Without rounds.
    #[must_use]
    pub fn from_seconds(name: impl Into<String>, seconds: &[f64]) -> Self {
        let rounds = seconds.iter().map(|seconds| 1000.0 * seconds).collect::<Vec<_>>();
        Self::from_rounds(name, "ms", &rounds)
    }

    /// The median of `numerators` divided by that of `denominators`, with the range of the quotients of each round.
    ///
    /// # Panics
    /// Without rounds.
    #[must_use]
    pub fn from_quotients(
        name: impl Into<String>,
        numerators: &[f64],
        denominators: &[f64],
    ) -> Self {
        let rounds = numerators.iter().zip(denominators).map(|(above, below)| above / below);
        let rounds = rounds.collect::<Vec<_>>();
        let value = median(numerators) / median(denominators);
        Self { value, ..Self::from_rounds(name, RATIO, &rounds) }
    }

    /// The figure with a goal, if there is one.
    #[must_use]
    pub fn with_goal(self, goal: impl Into<Option<Goal>>) -> Self {
        let goal = goal.into();
        let is_met = goal.map(|goal| goal.is_met(self.value));
        Self { goal, is_met, ..self }
    }

    /// Prints the figure, and appends it to the file that [`RESULTS`] names.
    ///
    /// # Panics
    /// If it is not a number, or the file cannot be written.
    pub fn report(&self) {
        assert!(self.value.is_finite(), "{}: {}", self.name, self.value);
        println!("{self}");
        append(&Line::Figure(self.clone()));
    }

    /// The value with its unit.
    #[must_use]
    pub fn shown(&self) -> String {
        format!("{} {}", number(self.value), self.unit).trim_end().to_owned()
    }

    /// The range; empty if it is unknown.
    #[must_use]
    pub fn shown_range(&self) -> String {
        let range = self.range.map(|range| range.map(number).join("–"));
        range.unwrap_or_default()
    }
}

impl Display for Figure {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.name, self.shown())?;
        if self.range.is_some() {
            write!(out, " ({})", self.shown_range())?;
        }
        match (self.goal, self.is_met) {
            (Some(goal), Some(true)) => write!(out, "; goal {goal}: met"),
            (Some(goal), _) => write!(out, "; goal {goal}: missed"),
            _ => Ok(()),
        }
    }
}

/// A bench, or a part of it, that is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// The bench, such as `data/score`.
    pub bench: String,
    /// The reason.
    pub reason: String,
}

/// A line of the file that [`RESULTS`] names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A figure.
    Figure(Figure),
    /// What was skipped.
    Skipped(Skipped),
    /// What failed.
    Failed(String),
}

/// Keeps for the summary that the running bench, or a part of it, is skipped.
pub(crate) fn keep_skipped(reason: &str) {
    append(&Line::Skipped(Skipped { bench: running_bench(), reason: reason.to_owned() }));
}

/// A value with three decimals, fewer if it is large, and as a power of ten if it is small.
#[must_use]
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.01 || size == 0.0 => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    }
}

/// The running bench by its package, which cargo names, and its program without cargo's hash, such as
/// `peers-1a2b3c4d5e6f7a8b`.
fn running_bench() -> String {
    let program = std::env::current_exe().unwrap_or_default();
    let stem = program.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem.rsplit_once('-').map_or(&*stem, |(name, _)| name);
    std::env::var("CARGO_PKG_NAME")
        .map_or_else(|_| name.to_owned(), |package| format!("{package}/{name}"))
}

fn append(line: &Line) {
    let Some(path) = std::env::var_os(RESULTS).map(PathBuf::from) else { return };
    let text = serde_json::to_string(line).expect("a line is JSON") + "\n";
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
