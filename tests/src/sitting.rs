//! Sittings: all figures of one run of `make bench`, as a table, as a file, and compared.

use std::fmt::{self, Display, Formatter, Write as _};

use serde::{Deserialize, Serialize};

use crate::figures::{Figure, Line, RATIO, Skipped, number};
use crate::machine::Machine;

/// The place of a value that is missing.
const NONE: &str = "–";

/// The figures of one run of `make bench`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sitting {
    /// The revision of the source, with `-dirty` if files were changed.
    pub revision: String,
    /// The day and the time of its start.
    pub date: String,
    /// The machine.
    pub machine: Machine,
    /// The figures, in the order of their measurement.
    pub figures: Vec<Figure>,
    /// What was skipped, once each.
    pub skipped: Vec<Skipped>,
    /// What failed.
    pub failed: Vec<String>,
}

impl Sitting {
    /// A sitting on `machine` without figures.
    #[must_use]
    pub fn new(revision: &str, date: &str, machine: Machine) -> Self {
        let (revision, date) = (revision.to_owned(), date.to_owned());
        let (figures, skipped, failed) = (Vec::new(), Vec::new(), Vec::new());
        Self { revision, date, machine, figures, skipped, failed }
    }

    /// Adds a line of a bench; what was skipped before is not repeated.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Figure(figure) => self.figures.push(figure),
            Line::Skipped(skipped) if self.skipped.contains(&skipped) => (),
            Line::Skipped(skipped) => self.skipped.push(skipped),
            Line::Failed(what) => self.failed.push(what),
        }
    }

    /// Whether no bench said anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.figures.is_empty() && self.skipped.is_empty()
    }

    /// A table of the figures of this sitting and of another, with the quotients. On different machines it has ratios alone.
    #[must_use]
    pub fn compare(&self, other: &Self) -> String {
        let mut text = format!("A: {}\nB: {}\n", self.title(), other.title());
        let is_like = self.machine.is_like(&other.machine);
        if !is_like {
            text += "The machines differ: only ratios are comparable, and others are left out.\n";
        }
        let missing = other.figures.iter().filter(|figure| self.find(figure).is_none());
        let all = self.figures.iter().chain(missing);
        let mut rows = vec![["bench", "figure", "A", "B", "B ÷ A"].map(str::to_owned)];
        rows.extend(all.filter(|figure| is_like || figure.unit == RATIO).map(|figure| {
            let found = [self, other].map(|sitting| sitting.find(figure));
            let quotient = match found {
                [Some(before), Some(after)] => number(after.value / before.value),
                _ => NONE.to_owned(),
            };
            let [a, b] = found.map(|found| found.map_or_else(|| NONE.to_owned(), Figure::shown));
            [figure.bench.clone(), figure.name.clone(), a, b, quotient]
        }));
        text + &table(&rows)
    }

    fn title(&self) -> String {
        format!("{}, {}\n   {}", self.revision, self.date, self.machine)
    }

    fn find(&self, figure: &Figure) -> Option<&Figure> {
        let is_same =
            |other: &&Figure| (&other.bench, &other.name) == (&figure.bench, &figure.name);
        self.figures.iter().find(is_same)
    }
}

impl Display for Sitting {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "Revision {}, {}", self.revision, self.date)?;
        writeln!(out, "{}\n", self.machine)?;
        let mut rows = vec![["bench", "figure", "value", "rounds", "goal", ""].map(str::to_owned)];
        rows.extend(self.figures.iter().map(|figure| {
            let (goal, verdict) = match (figure.goal, figure.is_met) {
                (Some(goal), Some(true)) => (goal.to_string(), "met"),
                (Some(goal), _) => (goal.to_string(), "missed"),
                _ => (NONE.to_owned(), "no goal"),
            };
            let (bench, name) = (figure.bench.clone(), figure.name.clone());
            [bench, name, figure.shown(), figure.shown_range(), goal, verdict.to_owned()]
        }));
        out.write_str(&table(&rows))?;
        let met = self.figures.iter().filter_map(|figure| figure.is_met).collect::<Vec<_>>();
        let count = met.iter().filter(|is_met| **is_met).count();
        writeln!(out, "\n{count} of {} goals are met.", met.len())?;
        for Skipped { bench, reason } in &self.skipped {
            writeln!(out, "skipped: {bench}: {reason}")?;
        }
        self.failed.iter().try_for_each(|what| writeln!(out, "failed: {what}"))
    }
}

/// Rows with columns of equal width; the first row is the head.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (cell, width) in row.iter().zip(&mut widths) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text = text + line.trim_end() + "\n";
    }
    text
}
